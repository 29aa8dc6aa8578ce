"""What `harness.significance` must hold, against loops, enumeration and libraries."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from statsmodels.stats import contingency_tables, multitest

from harness.significance import (
    Comparison,
    Family,
    Standing,
    compare,
    compare_all,
    compare_pairs,
    holm,
    mcnemar,
    paired_t,
    rank_groups,
    sample,
    wilcoxon,
)
from harness.significance.flips import flip_signs


def uneven(rng: np.random.Generator, people: int, queries: int) -> NDArray[np.int64]:
    """Return the person of each query, in no order: some have one query, some have many."""
    others = rng.choice(people, queries - people, p=rng.dirichlet(np.ones(people)))
    return rng.permutation(np.concatenate([np.arange(people), others]))


def small_case(seeds: int = 3) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return values of two methods and the person of each query."""
    rng = np.random.default_rng(3)
    people = uneven(rng, 30, 120)
    a, b = rng.uniform(0, 100, (2, seeds, 120)) + 10 * rng.normal(size=(2, 1, 30))[:, :, people]
    return a + 4, b, people


def figures(comparison: Comparison) -> list[float]:
    """Return the numbers of a comparison."""
    return [float(value) for value in vars(comparison).values()]


def check_close(p: float, expected: float, draws: int) -> None:
    """Compare two p-values, of which one or both come from random draws."""
    error = np.sqrt(2 * max(expected * (1 - expected), 1 / draws) / draws)
    assert abs(p - expected) < 4 * error


def test_singleton_clusters_agree_with_scipy() -> None:
    """Where every query is its own person, p is that of scipy's permutation test."""
    rng = np.random.default_rng(0)
    for lead in (0.0, 6.0, 12.0):
        a, b = rng.uniform(0, 100, (2, 150)) + np.array([[lead], [0.0]])
        expected = scipy.stats.permutation_test(
            (a - b,),
            lambda x, axis: x.mean(axis),
            permutation_type="samples",
            n_resamples=10_000,
            vectorized=True,
            rng=np.random.default_rng(1),
        )
        check_close(compare(a, b, np.arange(150)).p_value, expected.pvalue, 10_000)


@pytest.mark.parametrize("people", range(4, 11))
def test_agrees_with_all_sign_flips(people: int) -> None:
    """P is the share of all sign flips that reach the observed difference, ties included."""
    rng = np.random.default_rng(people)
    differences = rng.integers(-1, 4, people)
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=people)]
    exact = np.mean(np.array(sums) >= abs(differences.sum()))
    result = compare(100.0 * differences, np.zeros(people), np.arange(people))
    check_close(result.p_value, float(exact), 10_000)


def test_p_is_never_zero() -> None:
    """The observed signs count as one of the flips, so that B flips give 1 / (B + 1) at least."""
    people = np.arange(100)
    result = compare(1.0 + people, np.zeros(100), people, flips=99)
    assert result.p_value == result.adjusted == pytest.approx(0.01)


def test_sums_that_tie_but_for_rounding_count_as_ties() -> None:
    """Tenths, whose sums are inexact in binary, give the p-value of whole numbers."""
    whole = np.array([1, 2, 3, -3, 6, 7, -4, 1])
    zeros, people = np.zeros(8), np.arange(8)
    expected = compare(whole, zeros, people)
    assert compare(whole / 10, zeros, people).p_value == expected.p_value
    assert compare(whole / 10 + 1 / 3, zeros + 1 / 3, people).p_value == expected.p_value


def test_equal_methods_are_never_told_apart() -> None:
    """Values that differ by rounding at most give p = 1, ties and an interval of zero."""
    a, _, people = small_case()
    result = compare(a, a * (1 + 1e-15), people)
    assert (result.difference, result.p_value, result.adjusted) == (0, 1, 1)
    assert (result.low, result.high) == (0, 0)
    assert (result.wins, result.ties, result.losses) == (0, 120, 0)


@pytest.mark.parametrize("seeds", [1, 3])
def test_agrees_with_loops_on_people_of_unequal_size(seeds: int) -> None:
    """Every figure is what plain loops over people, seeds and queries give."""
    a, b, people = small_case(seeds)
    result = compare(a, b, people)
    by_seed = [float(np.mean(a[s] - b[s])) for s in range(seeds)]
    by_query = [float(np.mean(a[:, q] - b[:, q])) for q in range(120)]
    assert result.difference == pytest.approx(np.mean(by_seed))
    assert (result.seed_low, result.seed_high) == pytest.approx((min(by_seed), max(by_seed)))
    assert result.wins == sum(value > 0 for value in by_query)
    assert result.losses == 120 - result.wins
    assert (result.seeds, result.queries, result.clusters) == (seeds, 120, 30)

    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(people == person) for person in range(30)]
    sums = np.array([sum(by_query[q] for q in one) for one in rows])
    flipped = [abs(np.dot(rng.choice([-1, 1], 30), sums)) for _ in range(4000)]
    check_close(result.p_value, float(np.mean(flipped >= abs(sums.sum()))), 4000)
    means = []
    for _ in range(4000):
        drawn = np.concatenate([rows[person] for person in rng.integers(30, size=30)])
        of_seeds = rng.integers(seeds, size=seeds)
        means.append(np.mean((a - b)[np.ix_(of_seeds, drawn)]))
    deviation = float(np.std(means))
    expected = np.quantile(means, [0.025, 0.975])
    assert [result.low, result.high] == pytest.approx(expected.tolist(), abs=0.2 * deviation)


def test_people_of_unequal_size_add_no_spread() -> None:
    """The same difference at every query leaves no doubt, however many queries a person has."""
    _, _, people = small_case()
    result = compare(np.full(120, 80.0), np.full(120, 30.0), people)
    assert (result.low, result.difference, result.high) == pytest.approx((50, 50, 50))


def test_two_seeds_are_not_resampled() -> None:
    """The interval of two seeds is that of their mean; three seeds that spread widen it."""
    a, b, people = small_case(2)
    mean = compare(a.mean(0), b.mean(0), people)
    result = compare(a, b, people)
    assert (result.low, result.high) == pytest.approx((mean.low, mean.high))
    a, b, people = small_case(3)
    near, far = (compare(a + s * np.array([[-1], [0], [1]]), b, people) for s in (0.1, 30))
    assert far.high - far.low > 2 * (near.high - near.low)
    assert far.p_value == near.p_value
    assert far.needs_more_seeds


def test_repeats_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed gives the same figures again and in chunks of any size; another seed others."""
    case = small_case()
    first = compare(*case)
    assert compare(*case) == first
    assert compare(*case, seed=1).p_value != first.p_value
    for cells in (30, 30 * 7, 30 * 9999):
        monkeypatch.setattr(sample, "ONE_THREAD", 0)
        monkeypatch.setattr(sample, "CELLS", cells)
        assert compare(*case).p_value == first.p_value
        assert figures(compare(*case)) == pytest.approx(figures(first), abs=1e-9)


def test_order_and_names_of_people_are_free() -> None:
    """Queries in another order, and people named by words, change nothing."""
    a, b, people = small_case()
    expected = figures(compare(a, b, people))
    order = np.random.default_rng(0).permutation(120)
    words = [f"person {person:02d}" for person in people[order]]
    assert figures(compare(a[:, order], b[:, order], words)) == pytest.approx(expected)


def test_swapped_methods_mirror() -> None:
    """The other way round, signs, wins and ends of ranges change places, and p stays."""
    a, b, people = small_case()
    forth, back = compare(a, b, people), compare(b, a, people)
    assert back.p_value == forth.p_value
    assert back.wins == forth.losses
    assert figures(back.mirrored()) == pytest.approx(figures(forth))


def family_case() -> tuple[dict[str, NDArray[Any]], NDArray[Any], Family]:
    """Return values of four methods, people, and their comparison."""
    a, b, people = small_case()
    values = {"first": a, "second": b, "third": a - 1, "fourth": b - 20}
    return values, people, compare_all(values, people, flips=2000, resamples=2000)


def test_a_pair_of_a_family_is_as_if_alone() -> None:
    """In a family, a pair keeps its figures; only the adjusted p-value knows of the others."""
    values, people, family = family_case()
    for a, b in combinations(values, 2):
        alone = compare(values[a], values[b], people, flips=2000, resamples=2000)
        together = family.between(a, b)
        assert together.adjusted >= together.p_value == alone.adjusted
        assert family.between(b, a) == together.mirrored()
        alone_figures, together_figures = figures(alone), figures(together)
        del alone_figures[2], together_figures[2]  # the adjusted p-value
        assert together_figures == pytest.approx(alone_figures)


def test_declared_pairs_are_as_in_the_family_of_all() -> None:
    """Comparing some pairs only changes what their p-values are adjusted for."""
    values, people, family = family_case()
    pairs = [("third", "first"), ("second", "fourth")]
    some = compare_pairs(values, pairs, people, flips=2000, resamples=2000)
    assert list(some.comparisons) == pairs
    assert some.means == family.means
    assert some.intervals == family.intervals
    for pair in pairs:
        declared, among_all = some.between(*pair), family.between(*pair)
        assert declared.p_value <= declared.adjusted <= among_all.adjusted
        declared_figures, all_figures = figures(declared), figures(among_all)
        del declared_figures[2], all_figures[2]  # the adjusted p-value
        assert declared_figures == pytest.approx(all_figures)


def test_without_pairs_there_are_means_with_intervals() -> None:
    """A method alone has its mean and interval, and nothing to be compared with."""
    values, people, family = family_case()
    alone = compare_pairs({"first": values["first"]}, [], people, resamples=2000)
    assert alone.means == pytest.approx({"first": family.means["first"]})
    assert alone.intervals["first"] == pytest.approx(family.intervals["first"])
    assert alone.comparisons == {}
    with pytest.raises(KeyError):
        compare_pairs(values, [("first", "fifth")], people)


def test_a_family_ranks_its_methods() -> None:
    """Means lie in their intervals, and standings follow from them and the adjusted p-values."""
    values, _, family = family_case()
    for name, (low, high) in family.intervals.items():
        assert family.means[name] == pytest.approx(values[name].mean())
        assert low < family.means[name] < high
    places = [(one.name, one.rank, one.last_rank) for one in family.standings()]
    assert places[0][:2] == ("first", 1)
    assert places[-1] == ("fourth", 4, 4)


def test_maxt_compares_pairs_in_their_own_errors() -> None:
    """A sure but small difference is found beside a pair whose differences are large and noisy."""
    rng = np.random.default_rng(7)
    differences = np.stack([1 + rng.normal(size=100), 1000 * rng.normal(size=100)])
    assert flip_signs(differences, 2000, 0).adjusted[0] < 0.01


def ranked(means: dict[str, float], apart: set[str]) -> list[tuple[str, int, int]]:
    """Rank methods of one letter, of which the pairs in `apart` are told apart."""
    pairs = dict.fromkeys(combinations(means, 2), 0.2)
    pairs |= {(pair[0], pair[1]): 0.05 for pair in apart}
    return [(one.name, one.rank, one.last_rank) for one in rank_groups(means, pairs)]


def test_ranks_by_hand() -> None:
    """All apart, none apart, and a clear winner before a tie get the ranks that they should."""
    means = {"C": 50.0, "A": 70.0, "B": 60.0}
    assert ranked(means, {"CA", "AB", "CB"}) == [("A", 1, 1), ("B", 2, 2), ("C", 3, 3)]
    assert ranked(means, set()) == [("A", 1, 3), ("B", 1, 3), ("C", 1, 3)]
    assert ranked(means, {"CA", "AB"}) == [("A", 1, 1), ("B", 2, 3), ("C", 2, 3)]
    assert rank_groups({"A": 70.0}, {}) == (Standing("A", 70.0, 1, 1),)


def test_ranks_where_ties_are_not_transitive() -> None:
    """With A above C and B apart from neither, B shares rank 1 with A, and may be last as C may."""
    means = {"A": 70.0, "B": 60.0, "C": 50.0}
    assert ranked(means, {"AC"}) == [("A", 1, 2), ("B", 1, 3), ("C", 2, 3)]


def test_a_better_method_ranks_before_a_worse() -> None:
    """With A above B and B above C, A is above C, even where their own p-value is too large."""
    means = {"A": 70.0, "B": 60.0, "C": 50.0}
    assert ranked(means, {"AB", "BC"}) == [("A", 1, 1), ("B", 2, 2), ("C", 3, 3)]


def test_ranks_need_every_pair() -> None:
    """A pair without a p-value is an error that names it."""
    with pytest.raises(ValueError, match="no p-value for 'A' and 'B'"):
        rank_groups({"A": 2.0, "B": 1.0}, {})


def test_holm_agrees_with_statsmodels() -> None:
    """Corrected p-values are statsmodels', for families of any size up to 100, with ties."""
    rng = np.random.default_rng(0)
    for pairs in (1, 2, 10, 100):
        p_values = np.round(rng.uniform(size=pairs) ** 3, 3)
        expected = multitest.multipletests(p_values, method="holm")[1]
        assert holm(p_values) == pytest.approx(expected)


def test_holm_refuses_what_it_cannot_correct() -> None:
    """More than 100 pairs, and numbers that are no p-values, are errors."""
    with pytest.raises(ValueError, match="101 pairs are too many"):
        holm(np.full(101, 0.5))
    for wrong in ([0.1, float("nan")], [-0.1], [1.1]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            holm(wrong)


@pytest.mark.parametrize(("a_only", "b_only"), [(0, 1), (3, 9), (14, 10), (15, 10), (60, 91)])
def test_mcnemar_agrees_with_statsmodels(a_only: int, b_only: int) -> None:
    """P is statsmodels': exact for fewer than 25 discordant queries, else by chi-square."""
    a = np.repeat([True, True, False, False], [40, a_only, b_only, 20])
    b = np.repeat([True, False, True, False], [40, a_only, b_only, 20])
    exact = a_only + b_only < 25
    expected = contingency_tables.mcnemar([[40, a_only], [b_only, 20]], exact=exact)
    result = mcnemar(100.0 * a, 100.0 * b)
    assert (result.a_only, result.b_only, result.exact) == (a_only, b_only, exact)
    assert result.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("each", [0, 5, 50])
def test_mcnemar_of_an_even_split_is_one(each: int) -> None:
    """As many queries on either side, or none, are no sign of a difference."""
    a = np.repeat([1, 0, 0], [each, each, 1])
    b = np.repeat([0, 1, 0], [each, each, 1])
    assert mcnemar(a, b).p_value == 1


def test_mcnemar_takes_hits_only() -> None:
    """Average precision, and hits of unequal length, are errors."""
    with pytest.raises(ValueError, match="0 or one other number"):
        mcnemar([0.0, 50.0, 100.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="of one length"):
        mcnemar([0, 1], [0, 1, 1])


def test_classical_tests_use_means_by_person() -> None:
    """The t-test and Wilcoxon's are scipy's on the mean difference of each person."""
    a, b, people = small_case()
    by_query = (a - b).mean(0)
    means = [by_query[people == person].mean() for person in range(30)]
    assert paired_t(a, b, people) == pytest.approx(scipy.stats.ttest_1samp(means, 0).pvalue)
    assert wilcoxon(a, b, people) == pytest.approx(scipy.stats.wilcoxon(means).pvalue)
    assert paired_t(a, a, people) == wilcoxon(a, a, people) == 1


def test_wilcoxon_ranks_equal_differences_equally() -> None:
    """Differences that are equal but for rounding share a rank, as whole numbers do."""
    people = np.repeat(np.arange(8), 2)
    whole = np.array([1, 2, 3, -2, -3, 3, 5, 1])[people] + people * np.tile([-1, 1], 8)
    zeros = np.zeros(16)
    assert wilcoxon(whole / 10, zeros, people) == wilcoxon(whole, zeros, people)


@pytest.mark.parametrize(
    ("a", "b", "people", "message"),
    [
        ([1.0, 2.0], [1.0], [0, 1], "'a' has 2 queries, 'b' has 1"),
        ([[1.0, 2.0]] * 3, [[1.0, 2.0]] * 2, [0, 1], "'a' has 3 seeds, 'b' has 2"),
        ([1.0, 2.0], [1.0, 3.0], [0, 1, 2], "each of 2 queries"),
        ([1.0, float("nan")], [1.0, 3.0], [0, 1], "'a' hold NaN"),
        ([1.0, 2.0], [1.0, float("inf")], [0, 1], "'b' hold NaN or infinity"),
        ([], [], [], "no query"),
        ([[[1.0]]], [[[1.0]]], [0], r"must be \(seeds, queries\)"),
        ([1.0, 2.0], [1.0, 3.0], [5, 5], "one person"),
    ],
)
def test_wrong_inputs_are_refused(a: Any, b: Any, people: Any, message: str) -> None:
    """What cannot be compared is an error that says why."""
    with pytest.raises(ValueError, match=message):
        compare(a, b, people)


def test_too_few_methods_or_draws_are_refused() -> None:
    """One method, no flip and no resample are errors."""
    a, b, people = small_case()
    with pytest.raises(ValueError, match="two methods"):
        compare_all({"a": a}, people)
    with pytest.raises(ValueError, match="flips"):
        compare(a, b, people, flips=0)
    with pytest.raises(ValueError, match="resamples"):
        compare(a, b, people, resamples=0)


def test_importing_needs_neither_torch_nor_scipy() -> None:
    """Comparisons import NumPy alone, since listings and pages must start at once."""
    script = (
        "import sys; from harness.significance import compare; compare([1, 2], [2, 3], [0, 1]);"
        "print({'torch', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
