"""Comparisons of two methods and of families, against loops and over many experiments."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from harness.significance import (
    Comparison,
    Spread,
    compare,
    compare_all,
    compare_pairs,
    measure_spread,
)

from .cases import Floats, check_close, draw_hits, family_case, figures, small_case, uneven

BOARD = Spread(own=0.4, own_degrees=12, whole=0.9, whole_degrees=14)


def of_the_pair(comparison: Comparison) -> list[float]:
    """Return the figures that do not know of the other pairs of a family."""
    return figures(replace(comparison, adjusted=0, low=0, high=0))


@pytest.mark.parametrize("seeds", [1, 3])
def test_counts_agree_with_loops_on_people_of_unequal_size(seeds: int) -> None:
    """Means, wins and what is said of seeds are what plain loops over seeds and queries give."""
    a, b, people = small_case(seeds)
    b[:, ::10] = a[:, ::10]
    result = compare(a, b, people)
    by_seed = [float(np.mean(a[s] - b[s])) for s in range(seeds)]
    by_query = [float(np.mean(a[:, q] - b[:, q])) for q in range(120)]
    assert result.difference == pytest.approx(np.mean(by_seed))
    assert (result.seed_low, result.seed_high) == pytest.approx((min(by_seed), max(by_seed)))
    if seeds == 1:
        assert result.seed_spread is None
    else:
        assert result.seed_spread == pytest.approx(np.std(by_seed, ddof=1))
    assert result.wins == sum(value > 0 for value in by_query)
    assert result.losses == 108 - result.wins
    assert result.ties == 12
    assert (result.seeds, result.queries, result.clusters) == (seeds, 120, 30)


def test_it_says_whom_it_holds_for() -> None:
    """Single runs speak of other people, whatever has several of other seeds too."""
    a, b, people = small_case()
    both, one = compare(a, b, people), compare(a, b[0], people)
    assert (both.runs, both.holds_for) == ((3, 3), "other people and seeds")
    assert (one.runs, one.holds_for) == ((3, 1), "other people and seeds")
    assert (one.seeds, one.mirrored().runs) == (3, (1, 3))
    single = compare(a[0], b[0], people)
    assert (single.runs, single.holds_for) == ((1, 1), "other people")
    saturated = compare(np.full_like(a, 100.0), b, people)  # three runs that happen to be equal
    assert (saturated.runs, saturated.holds_for) == ((3, 3), "other people and seeds")
    family = compare_all({"a": a, "b": b[0]}, people)
    assert family.runs == {"a": 3, "b": 1}


def test_equal_methods_are_never_told_apart() -> None:
    """Values that differ by rounding at most give p = 1, ties and an interval of zero."""
    for seeds in (1, 3):
        a, _, people = small_case(seeds)
        result = compare(a, a * (1 + 1e-15), people)
        assert (result.difference, result.p_value, result.adjusted) == (0, 1, 1)
        assert (result.low, result.high) == (0, 0)
        assert (result.wins, result.ties, result.losses) == (0, 120, 0)


def test_the_same_difference_everywhere_leaves_no_doubt() -> None:
    """However many queries a person has, p is 0 and the interval is the difference."""
    a, _, people = small_case()
    for first, second in ((np.full(120, 80.0), np.full(120, 30.0)), (a + 50, a), (a[0] + 50, a[0])):
        result = compare(first, second, people)
        assert result.p_value == 0
        assert result.low == result.difference == result.high == pytest.approx(50)
        family = compare_all({"a": first, "b": second, "c": second + 1}, people)
        for one in family.comparisons.values():
            assert one.is_real
            assert (one.p_value, one.low, one.high) == (0, one.difference, one.difference)


def test_swapped_methods_mirror() -> None:
    """The other way round, signs, wins and ends of ranges change places, and p stays."""
    a, b, people = small_case()
    forth, back = compare(a, b, people), compare(b, a, people)
    assert back.p_value == pytest.approx(forth.p_value)
    assert back.wins == forth.losses
    assert figures(back.mirrored()) == pytest.approx(figures(forth))


def test_zero_has_no_sign_whichever_is_first() -> None:
    """Of equal methods, no figure is a negative zero, seen from either side."""
    a, _, people = small_case(3)
    found = compare(a, a, people)
    for one in (found, found.mirrored(), found.mirrored().mirrored()):
        numbers = [value for value in vars(one).values() if isinstance(value, float)]
        assert [np.signbit(value) for value in numbers] == [False] * len(numbers)


def test_a_shift_that_a_seed_gives_to_all_changes_no_verdict() -> None:
    """All methods higher by as much under one seed differ as before; one method alone does not."""
    values, people = family_case()
    shifts = np.array([[7.0], [-3.0], [0.0]])
    before = compare_all(values, people)
    after = compare_all({name: table + shifts for name, table in values.items()}, people)
    for pair, one in before.comparisons.items():
        assert figures(after.comparisons[pair]) == pytest.approx(figures(one), rel=1e-6)
    assert after.standings() != before.standings()  # in their means
    assert after.undecided() == before.undecided()
    one_alone = compare_all({**values, "first": values["first"] + 3 * shifts}, people)
    for pair, one in before.comparisons.items():
        if "first" in pair:
            assert one_alone.comparisons[pair].error > 1.2 * one.error
            assert one_alone.comparisons[pair].p_value != pytest.approx(one.p_value)


def test_seeds_that_spread_cost_certainty() -> None:
    """The further apart the seeds of one method, the larger p and the longer the interval."""
    a, b, people = small_case()
    found = [compare(a + s * np.array([[-1], [0], [1]]), b, people) for s in (3, 10, 30)]
    for near, far in pairwise(found):
        assert far.high - far.low > near.high - near.low
        assert far.p_value > near.p_value
        assert far.difference == pytest.approx(near.difference)


def half_case(rng: np.random.Generator, worse: float) -> Comparison:
    """Compare a method that is 30 points better for half of the people, and worse for the rest."""
    people = uneven(rng, 200, 600)
    a, b = rng.uniform(0, 100, (2, 3, 600))
    lead = np.where(rng.permutation(200) < 100, 30.0, -worse)
    return compare(a + lead[people], b, people)


def test_better_for_half_and_worse_for_half_is_not_better() -> None:
    """What half of the people gain and the others lose is told apart in about one case of 20."""
    rng = np.random.default_rng(1)
    assert sum(half_case(rng, worse=30).is_real for _ in range(100)) <= 9


def test_better_for_half_and_equal_for_half_is_better() -> None:
    """What half of the people gain and nobody loses is found."""
    rng = np.random.default_rng(2)
    assert all(half_case(rng, worse=0).is_real for _ in range(20))


def test_a_pair_of_a_family_is_as_if_alone() -> None:
    """In a family, only the corrected p-value and the interval of a pair know of the others."""
    values, people = family_case()
    family = compare_all(values, people)
    board = measure_spread([table.mean(1) for table in values.values()])
    given = compare_all(values, people, board)
    for pair, one in family.comparisons.items():
        assert figures(given.comparisons[pair]) == pytest.approx(figures(one))
    for a, b in combinations(values, 2):
        alone = compare(values[a], values[b], people, board)
        together = family.between(a, b)
        assert together.adjusted >= together.p_value == pytest.approx(alone.adjusted)
        assert together.low < alone.low < alone.high < together.high
        assert family.between(b, a) == together.mirrored()
        assert of_the_pair(together) == pytest.approx(of_the_pair(alone))


def test_declared_pairs_are_as_in_the_family_of_all() -> None:
    """Comparing some pairs only changes what they are corrected for."""
    values, people = family_case()
    family = compare_all(values, people)
    pairs = [("third", "first"), ("second", "fourth")]
    some = compare_pairs(values, pairs, people)
    assert list(some.comparisons) == pairs
    assert some.means == family.means
    assert some.intervals == family.intervals
    for pair in pairs:
        declared, among_all = some.between(*pair), family.between(*pair)
        assert declared.p_value <= declared.adjusted <= among_all.adjusted
        assert among_all.low <= declared.low <= declared.high <= among_all.high
        assert of_the_pair(declared) == pytest.approx(of_the_pair(among_all))


def test_without_pairs_there_are_means_with_intervals() -> None:
    """A method alone has its mean and interval, and nothing to be compared with."""
    values, people = family_case()
    family = compare_all(values, people, BOARD)
    alone = compare_pairs({"first": values["first"]}, [], people, BOARD)
    assert alone.means == pytest.approx({"first": family.means["first"]})
    assert alone.intervals["first"] == pytest.approx(family.intervals["first"])
    assert alone.comparisons == {}
    with pytest.raises(KeyError):
        compare_pairs(values, [("first", "fifth")], people)


def mixed_case() -> tuple[dict[str, Floats], Any, list[tuple[str, str]]]:
    """Return methods of three seeds, of two and of one, people, and pairs that can be compared."""
    rng = np.random.default_rng(11)
    people = uneven(rng, 40, 150)
    seeds = {"a": 3, "x": 2, "s": 1, "b": 3, "t": 1, "y": 2, "c": 3}
    values = {name: rng.uniform(0, 100, (count, 150)) for name, count in seeds.items()}
    values["s"] = values["s"][0]
    pairs = ["xy", "ab", "st", "sx", "cb", "at", "ty", "sc"]
    return values, people, [(pair[0], pair[1]) for pair in pairs]


def test_methods_of_unequal_seeds_are_as_if_alone() -> None:
    """In pairs of three seeds, of two and of single runs, each pair is as compared on its own."""
    values, people, pairs = mixed_case()
    found = compare_pairs(values, pairs, people, BOARD)
    assert list(found.comparisons) == pairs
    assert list(found.means) == list(found.intervals) == list(found.runs) == list(values)
    assert found.runs == {"a": 3, "x": 2, "s": 1, "b": 3, "t": 1, "y": 2, "c": 3}
    for (a, b), one in found.comparisons.items():
        alone = compare(values[a], values[b], people, BOARD)
        assert of_the_pair(one) == pytest.approx(of_the_pair(alone), nan_ok=True)
        assert one.seeds == max(found.runs[a], found.runs[b])
        assert one.p_value <= one.adjusted
        assert one.is_real == (not one.low <= 0 <= one.high)
    for name, table in values.items():
        alone_means = compare_pairs({name: table}, [], people, BOARD)
        assert found.means[name] == pytest.approx(table.mean())
        assert found.intervals[name] == pytest.approx(alone_means.intervals[name])


def test_without_a_board_the_methods_of_most_seeds_tell_the_spread() -> None:
    """Where methods differ in their seeds and no board is given, those of most seeds are it."""
    values, people, pairs = mixed_case()
    board = measure_spread([values[name].mean(1) for name in "abc"])
    found, given = (compare_pairs(values, pairs, people, spread) for spread in (None, board))
    for pair, one in found.comparisons.items():
        expected = of_the_pair(given.comparisons[pair])
        assert of_the_pair(one) == pytest.approx(expected, nan_ok=True)


def test_pairs_of_unequal_seeds_are_corrected_together() -> None:
    """Pairs that share no method, of people in no relation, are as likely as two chances are."""
    rng = np.random.default_rng(12)
    values = {
        name: rng.normal(size=(seeds, 2000))
        for name, seeds in zip("abst", (3, 3, 1, 1), strict=True)
    }
    values["a"] += 0.03
    values["s"] += 0.05
    pairs = [("a", "b"), ("s", "t")]
    none = Spread(own=0.0, own_degrees=12, whole=0.0, whole_degrees=14)
    for one in compare_pairs(values, pairs, np.arange(2000), none).comparisons.values():
        assert 0.005 < one.p_value < 0.8
        check_close(one.adjusted, 1 - (1 - one.p_value) ** 2, 10_000)


def test_unequal_numbers_of_seeds_cannot_be_paired() -> None:
    """Two seeds beside three are an error that says so, though both stand beside single runs."""
    values, people, pairs = mixed_case()
    with pytest.raises(ValueError, match=r"has 3 seeds, 'x' has 2: comparisons are paired"):
        compare_pairs(values, [*pairs, ("x", "a")], people)


def test_a_family_ranks_its_methods() -> None:
    """Means lie in their intervals, and standings follow from them and the corrected p-values."""
    values, people = family_case()
    family = compare_all(values, people)
    for name, (low, high) in family.intervals.items():
        assert family.means[name] == pytest.approx(values[name].mean())
        assert low < family.means[name] < high
    places = [(one.name, one.rank, one.last_rank) for one in family.standings()]
    assert places[0][:2] == ("first", 1)
    assert places[-1] == ("fourth", 4, 4)
    assert family.undecided() == (("first", "third", "second"),)


def test_clustered_comparisons_keep_their_level() -> None:
    """Without a difference, comparisons by person fire in 2-7 % of cases, by query far more."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(200), 10)
    clustered, unclustered = [], []
    for _ in range(400):
        a, b = draw_hits(rng, (2, 1, 200, 10)).reshape(2, -1)
        clustered.append(compare(a, b, people).is_real)
        unclustered.append(compare(a, b, np.arange(2000)).is_real)
    rates = np.mean(clustered), np.mean(unclustered)
    assert 0.02 <= rates[0] <= 0.07, f"by person {rates[0]:.1%}, by query {rates[1]:.1%}"
    assert rates[1] > 0.09, f"by person {rates[0]:.1%}, by query {rates[1]:.1%}"


@pytest.mark.parametrize("spread", [0.0, 0.7, 2.0])
def test_intervals_cover_the_truth(spread: float) -> None:
    """Of three seeds that spread by up to 2 points, 92-98 % of intervals hold the truth.

    They do beside a board of six methods; two alone, which know less, may hold it more often.
    """
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(500), 4)
    alone, beside = [], []
    for _ in range(300):
        hits = draw_hits(rng, (6, 3, 500, 4), spread=spread).reshape(6, 3, -1)
        a, b = hits[:2]
        alone.append(not compare(a, b, people).is_real)
        beside.append(not compare(a, b, people, measure_spread(hits.mean(2))).is_real)
    assert 0.92 <= np.mean(beside) <= 0.98, f"{np.mean(beside):.1%}"
    assert np.mean(alone) >= 0.92, f"{np.mean(alone):.1%}"


def test_power_grows_with_the_difference() -> None:
    """The larger the true difference, the more often it is found, up to nearly always."""
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(200), 6)
    rates = []
    for lead in (0.0, 2.0, 4.0, 8.0):
        hits = [draw_hits(rng, (2, 1, 200, 6), lead=lead).reshape(2, -1) for _ in range(100)]
        rates.append(float(np.mean([compare(a, b, people).is_real for a, b in hits])))
    assert rates == sorted(rates), rates
    assert rates[0] < 0.12, rates
    assert rates[-1] > 0.9, rates


def test_a_board_finds_what_two_methods_alone_do_not() -> None:
    """How seeds spread, learnt from six methods, finds more of the same true differences."""
    rng = np.random.default_rng(6)
    people = np.repeat(np.arange(500), 4)
    alone, beside = [], []
    for _ in range(200):
        hits = draw_hits(rng, (6, 3, 500, 4), lead=8.0, spread=4.0).reshape(6, 3, -1)
        a, b = hits[:2]
        alone.append(compare(a, b, people).is_real)
        beside.append(compare(a, b, people, measure_spread(hits.mean(2))).is_real)
    assert sum(beside) > sum(alone) + 10, (sum(beside), sum(alone))


def test_comparing_needs_neither_torch_nor_pandas_nor_statistics_of_scipy() -> None:
    """Listings and pages must start at once: of SciPy, comparisons load the functions alone."""
    script = (
        "import sys; from harness.significance import compare_all;"
        "early = {'torch', 'pandas', 'scipy'} & set(sys.modules);"
        "compare_all({'a': [1, 2], 'b': [2, 4], 'c': [3, 1]}, [0, 1]);"
        "print(early, {'torch', 'pandas', 'scipy.stats'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set() set()\n"
