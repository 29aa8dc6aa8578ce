"""Standard errors and their degrees of freedom, against loops over people, seeds and queries."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
import pytest
import scipy.stats

from harness.significance import Spread, compare, measure_spread, standard_errors
from harness.significance.sample import group
from harness.significance.standard_errors import (
    StandardErrors,
    covariance,
    errors_of_differences,
    errors_of_means,
)

from .cases import Floats, figures, small_case, uneven

BOARD = Spread(own=0.4, own_degrees=12, whole=0.9, whole_degrees=14)


def reference(values: Any, people: Any, expected: float, degrees: int) -> tuple[float, float]:
    """Return the standard error of the mean of values (S, Q), and its degrees of freedom.

    Takes the variance between seeds that the board lets expect, and its degrees of freedom.
    """
    seeds, queries = np.shape(values)
    means = [sum(values[s]) / queries for s in range(seeds)]
    by_person: dict[Any, list[float]] = defaultdict(lambda: [0.0] * seeds)
    for s in range(seeds):
        for q in range(queries):
            by_person[people[q]][s] += (values[s][q] - means[s]) / queries
    count = len(by_person)
    averaged = [sum(one) / seeds for one in by_person.values()]
    of_people = count / (count - 1) * sum(one**2 for one in averaged)
    fourths = sum(one**4 for one in averaged)
    carrying = sum(one**2 for one in averaged) ** 2 / fourths if fourths else 1.0
    carrying = min(count - 1, max(carrying, 5.0))
    if seeds == 1:
        return sqrt(of_people), carrying

    both = 0.0
    for one in by_person.values():
        of_person = sum(one) / seeds
        both += sum((one[s] - of_person) ** 2 for s in range(seeds)) / (seeds - 1)
    both *= count / (count - 1)
    mean = sum(means) / seeds
    found = sum((one - mean) ** 2 for one in means) / (seeds - 1)
    weight = (seeds - 1) / (seeds + 1)
    of_seeds = (weight * found + (1 - weight) * expected) / seeds
    of_seeds_degrees = 1 / (weight**2 / (seeds - 1) + (1 - weight**2) / degrees)
    squared = max(0.0, of_people - both / seeds) + of_seeds
    found_degrees = squared**2 / (of_people**2 / carrying + of_seeds**2 / of_seeds_degrees)
    return sqrt(squared), max(found_degrees, min(carrying, of_seeds_degrees))


def check_errors(found: StandardErrors, place: int, expected: tuple[float, float]) -> None:
    """Compare one standard error and its degrees of freedom with the reference."""
    assert (found.errors[place], found.degrees[place]) == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("people", [2, 3, 30])
def test_errors_agree_with_loops(seeds: int, people: int) -> None:
    """Of means and differences, with people of unequal size, and methods with and without seeds."""
    rng = np.random.default_rng(10 * seeds + people)
    clusters = uneven(rng, people, 4 * people)
    values: dict[str, Floats] = {name: rng.uniform(0, 100, (seeds, 4 * people)) for name in "abc"}
    values |= {
        "hits": 100.0 * (values["a"] > 40),
        "fixed": values["a"][:1],
        "other": values["b"][0],
    }
    sample = group(values, clusters)
    seeded = [place < 4 and seeds > 1 for place in range(6)]
    tables = [np.broadcast_to(values[name], (seeds, 4 * people)) for name in sample.names]

    means = errors_of_means(sample, BOARD)
    for place, table in enumerate(tables):
        expected = BOARD.whole * seeded[place]
        check_errors(means, place, reference(table, clusters, expected, BOARD.whole_degrees))
    pairs = np.array(list(combinations(range(6), 2))).T
    differences = errors_of_differences(sample, pairs, BOARD)
    for place, (i, j) in enumerate(pairs.T):
        paired = seeded[i] and seeded[j]
        expected = 2 * BOARD.own if paired else BOARD.whole * (seeded[i] + seeded[j])
        degrees = BOARD.own_degrees if paired else BOARD.whole_degrees
        one = reference(tables[i] - tables[j], clusters, expected, degrees)
        check_errors(differences, place, one)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_without_a_board_the_pair_is_its_own(seeds: int) -> None:
    """The seeds of the two that are compared tell their spread, with S - 1 degrees of freedom."""
    a, b, people = small_case(seeds)
    own = 0.0
    if seeds > 1:
        own = float(np.var((a - b).mean(1), ddof=1))
    result = compare(a, b, people)
    expected = reference(a - b, people, own, max(1, seeds - 1))
    assert (result.error, result.degrees) == pytest.approx(expected)
    fixed = compare(a, b[0], people)  # of one with seeds beside one without
    if seeds > 1:
        own = float(np.var(a.mean(1), ddof=1))
    expected = reference(a - b[0], people, own, max(1, seeds - 1))
    assert (fixed.error, fixed.degrees) == pytest.approx(expected)


def test_of_methods_without_randomness_people_are_all() -> None:
    """Where seeds make no difference they add no error, whatever the board says."""
    a, b, people = small_case(1)
    single, repeated = (
        compare(a, b, people),
        compare(np.repeat(a, 3, 0), np.repeat(b, 3, 0), people),
    )
    beside = compare(np.repeat(a, 3, 0), np.repeat(b, 3, 0), people, BOARD)
    for one in (repeated, beside):
        assert (one.error, one.degrees) == pytest.approx((single.error, single.degrees))


def test_a_difference_is_carried_by_who_differs() -> None:
    """Where five of a thousand people differ by as much, they are the degrees of freedom."""
    a = np.zeros(1000)
    a[:5] = 100
    assert compare(a, np.zeros(1000), np.arange(1000)).degrees == pytest.approx(5, rel=0.02)
    rng = np.random.default_rng(0)
    assert compare(rng.normal(size=1000), a * 0, np.arange(1000)).degrees > 250
    assert compare([0.0, 100.0], [0.0, 0.0], [0, 1]).degrees == 1


def test_singleton_clusters_with_one_seed_agree_with_a_t_test() -> None:
    """Where every query is its own person, p is near that of scipy's t test, and never far below.

    The error is the same; degrees of freedom are those of the people that carry the difference.
    """
    rng = np.random.default_rng(0)
    people = np.arange(400)
    for lead in (0.0, 2.0, 4.0, 6.0):
        a, b = rng.uniform(0, 100, (2, 400)) + np.array([[lead], [0.0]])
        expected = scipy.stats.ttest_1samp(a - b, 0)
        result = compare(a, b, people)
        assert result.difference / result.error == pytest.approx(expected.statistic)
        assert result.p_value == pytest.approx(expected.pvalue, abs=0.003)
        assert result.p_value >= expected.pvalue


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_without_noise_of_people_seeds_are_a_paired_t_test(seeds: int) -> None:
    """Two methods that answer all queries alike give the paired t test of S - 1 degrees."""
    rng = np.random.default_rng(seeds)
    a, b = rng.uniform(50, 60, (2, seeds))
    ones = np.ones((1, 40))
    result = compare(a[:, None] * ones, b[:, None] * ones, uneven(rng, 10, 40))
    expected = scipy.stats.ttest_rel(a, b)
    assert result.p_value == pytest.approx(expected.pvalue)
    assert result.degrees == pytest.approx(seeds - 1)
    low, high = expected.confidence_interval(0.95)
    assert (result.low, result.high) == pytest.approx((low, high))


@pytest.mark.parametrize("people", [200, 1000])
def test_a_sparse_difference_is_as_careful_as_a_sign_test(people: int) -> None:
    """Of 3 to 28 queries that differ, however they split, real is what a sign test puts below 0.06.

    Where the exact sign test is below 0.05, the difference is real.
    """
    for won, lost in splits(28):
        result = split_case(won, lost, people)
        exact = scipy.stats.binomtest(won, won + lost).pvalue
        assert result.is_real == (exact < 0.05) or 0.05 <= exact < 0.06, (won, lost, exact)


@pytest.mark.parametrize("people", [30, 60, 200, 1000])
def test_a_sparse_difference_is_real_where_both_sign_tests_say_so(people: int) -> None:
    """With few people too, real is what the mid-p sign test calls so, and the exact one confirms.

    The mid-p test counts half of the ties with what was seen; the exact one is too careful.
    """
    for won, lost in splits(min(people - 1, 40)):
        result = split_case(won, lost, people)
        exact = scipy.stats.binomtest(won, won + lost).pvalue
        mid = exact - scipy.stats.binom.pmf(won, won + lost, 0.5) * (1 if won != lost else 0.5)
        assert result.is_real <= (mid < 0.05), (won, lost, mid)
        assert result.is_real >= (exact < 0.05), (won, lost, exact)


def splits(most: int) -> list[tuple[int, int]]:
    """Return how three to so many queries may split."""
    return [(n - lost, lost) for n in range(3, most + 1) for lost in range(n // 2 + 1)]


def split_case(won: int, lost: int, people: int) -> Any:
    """Compare two methods that differ at so many queries, of a person each."""
    a = np.zeros(people)
    a[:won], a[won : won + lost] = 100, -100
    return compare(a, np.zeros(people), np.arange(people))


def test_squared_errors_are_the_variance_of_the_difference() -> None:
    """On average over experiments, with and without the board's spread, at 2, 3 and 5 seeds."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 6, 40)
    people = np.repeat(np.arange(40), sizes)
    for seeds in (2, 3, 5):
        seen, alone, beside = [], [], []
        for _ in range(600):
            shape = (5, seeds)
            values = 3 * rng.normal(size=(5, 1, 40))[:, :, people]
            values = values + 0.6 * rng.normal(size=(*shape, 1))
            values = values + 2 * rng.normal(size=(*shape, 40))[:, :, people]
            values = values + 4 * rng.normal(size=(*shape, len(people)))
            spread = measure_spread(values.mean(2))
            seen.append((values[0] - values[1]).mean())
            alone.append(compare(values[0], values[1], people).error ** 2)
            beside.append(compare(values[0], values[1], people, spread).error ** 2)
        truth = float(np.var(seen))  # known to 6 %, one standard error
        assert np.mean(alone) == pytest.approx(truth, rel=0.15)
        assert np.mean(beside) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("seeds", [1, 3])
def test_covariances_agree_with_loops(seeds: int) -> None:
    """People are shared by all methods, over samples of different seeds too; seeds by none."""
    rng = np.random.default_rng(2)
    clusters = uneven(rng, 20, 60)
    tables = [rng.uniform(0, 100, (seeds, 60)) for _ in range(2)]
    tables += [rng.uniform(0, 100, (2, 60)), tables[0][:1].repeat(2, 0)]
    samples = [
        group({"a": tables[0], "b": tables[1]}, clusters),
        group({"c": tables[2], "d": tables[3]}, clusters),
    ]
    board = Spread(own=30.0, own_degrees=12, whole=40.0, whole_degrees=14)
    found = covariance(samples, board)
    averaged = []
    for table in tables:
        values = table.mean(0)
        rows = [np.flatnonzero(clusters == person) for person in range(20)]
        averaged.append([sum(values[q] - values.mean() for q in one) / 60 for one in rows])
    for i in range(4):
        for j in range(4):
            expected = 20 / 19 * sum(averaged[i][c] * averaged[j][c] for c in range(20))
            if i == j and len(tables[i]) > 1 and i != 3:
                runs = len(tables[i])
                both = 0.0
                for of_person in (np.flatnonzero(clusters == person) for person in range(20)):
                    by_seed = [
                        sum(one[q] - one.mean() for q in of_person) / 60 for one in tables[i]
                    ]
                    both += 20 / 19 * float(np.var(by_seed, ddof=1))
                expected += max(0.0, board.own - both) / runs
            assert found[i, j] == pytest.approx(expected)


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs in chunks of any size have the same errors, also where a chunk has no seeds at all."""
    rng = np.random.default_rng(4)
    clusters = uneven(rng, 20, 60)
    values = {name: rng.uniform(0, 100, (3, 60)) for name in "abc"}
    values |= {name: rng.uniform(0, 100, 60) for name in "def"}
    sample = group(values, clusters)
    pairs = np.array(list(combinations(range(6), 2))).T
    first = errors_of_differences(sample, pairs, BOARD)
    for cells in (1, 3 * 20, 3 * 20 * 4, 3 * 20 * 15):
        monkeypatch.setattr(standard_errors, "CELLS", cells)
        found = errors_of_differences(sample, pairs, BOARD)
        assert found.errors == pytest.approx(first.errors)
        assert found.degrees == pytest.approx(first.degrees)


def test_order_and_names_of_people_are_free() -> None:
    """Queries in another order, and people named by words, change nothing."""
    a, b, people = small_case()
    expected = figures(compare(a, b, people))
    order = np.random.default_rng(0).permutation(120)
    words = [f"person {person:02d}" for person in people[order]]
    assert figures(compare(a[:, order], b[:, order], words)) == pytest.approx(expected)
    unnamed = [f"{person * 7 % 30}" for person in people]  # in another order of names
    assert figures(compare(a, b, unnamed)) == pytest.approx(expected)
