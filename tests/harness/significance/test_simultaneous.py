"""Families of pairs judged at once, against draws by plain loops and the studentized range."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
import scipy.stats

from harness.significance import Family, compare_all, measure_spread, simultaneous, standard_errors
from harness.significance.simultaneous import judge
from harness.significance.standard_errors import StandardErrors

from .cases import Floats, check_close, draw_hits, family_case, figures, some_family


def all_pairs(methods: int) -> np.ndarray:
    """Return the places of all pairs: (2, P)."""
    return np.array(list(combinations(range(methods), 2))).T


def draw_largest(covariance: Floats, draws: int) -> list[float]:
    """Draw the largest score of all pairs by plain loops, from another generator."""
    rng = np.random.RandomState(7)
    root = np.linalg.cholesky(covariance)
    methods = range(len(covariance))
    largest = []
    for _ in range(draws):
        normal = [rng.standard_normal() for _ in methods]
        means = [sum(root[k][j] * normal[j] for j in range(k + 1)) for k in methods]
        scores = []
        for i, j in combinations(methods, 2):
            error = sqrt(covariance[i][i] + covariance[j][j] - 2 * covariance[i][j])
            scores.append(abs(means[i] - means[j]) / error)
        largest.append(max(scores))
    return largest


@pytest.mark.parametrize("methods", [3, 6])
def test_corrected_p_values_agree_with_plain_draws(methods: int) -> None:
    """For correlated means of unequal variance, and errors of unlike degrees of freedom."""
    rng = np.random.default_rng(methods)
    factors = rng.normal(size=(methods, 3))
    covariance = 9 + factors @ factors.T + np.diag(rng.uniform(0.1, 2, methods))  # people: 9
    pairs = all_pairs(methods)
    errors = np.sqrt(
        [covariance[i, i] + covariance[j, j] - 2 * covariance[i, j] for i, j in pairs.T]
    )
    degrees = rng.choice([2.0, 3.7, 20.0, 1000.0], len(errors))
    differences = errors * rng.uniform(-5, 5, len(errors))
    found = judge(differences, StandardErrors(errors, degrees), covariance, pairs, 10_000, 0)

    largest = np.array(draw_largest(covariance, 4000))
    for pair, (difference, error, freedom) in enumerate(
        zip(differences, errors, degrees, strict=True)
    ):
        p_value = 2 * scipy.stats.t.sf(abs(difference) / error, freedom)
        assert found.p_values[pair] == pytest.approx(p_value)
        score = scipy.stats.norm.isf(p_value / 2)
        check_close(found.adjusted[pair], float(np.mean(largest >= score)), 4000)
        own = found.reach[pair] / error  # the threshold again, from how far the interval reaches
        again = scipy.stats.norm.isf(scipy.stats.t.sf(own, freedom))
        check_close(0.05, float(np.mean(largest >= again)), 4000)


def test_equal_variances_agree_with_the_studentized_range() -> None:
    """Of independent methods with one seed and many people, p is that of Tukey's range test."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(6, 3000)) + np.array([0, 0, 0.03, 0.06, 0.08, 0.1])[:, None]
    people = np.arange(3000)
    family = compare_all({str(k): one for k, one in enumerate(values)}, people)
    seen = []
    for one in family.comparisons.values():
        ratio = abs(one.difference) / one.error
        tukey = float(scipy.stats.studentized_range.sf(sqrt(2) * ratio, 6, 1e6))
        assert one.adjusted == pytest.approx(tukey, abs=0.015)
        seen.append(tukey)
        reach = (one.high - one.low) / 2 / one.error
        range_ = scipy.stats.studentized_range.ppf(0.95, 6, 1e6)
        assert reach == pytest.approx(range_ / sqrt(2), abs=0.04)
    assert min(seen) < 0.05 < 0.2 < max(seen)


def test_pairs_are_compared_in_their_own_errors() -> None:
    """A sure but small difference is found beside a pair whose differences are large and noisy."""
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(4, 100)) * np.array([1, 1, 1000, 1000])[:, None]
    values = dict(zip("abcd", noise + np.array([1, 0, 0, 0])[:, None], strict=True))
    assert compare_all(values, np.arange(100), draws=2000).comparisons["a", "b"].adjusted < 0.01


@pytest.mark.parametrize("number", range(60))
def test_p_values_intervals_and_verdicts_agree(number: int) -> None:
    """A pair is real exactly where its corrected p is below 0.05 and its interval without zero."""
    values, people = some_family(number)
    draws = (20, 39, 99, 1000)[number % 4]
    family = compare_all(values, people, draws=draws)
    for (a, b), one in family.comparisons.items():
        assert one.is_real == (one.adjusted < 0.05) == (not one.low <= 0 <= one.high)
        assert one.low <= one.difference <= one.high
        assert one.p_value <= one.adjusted <= 1
        back = family.between(b, a)
        assert back == one.mirrored()
        assert back.mirrored() == one
        assert (back.low, back.high) == (-one.high, -one.low)


def test_of_one_pair_the_corrected_p_is_its_own() -> None:
    """Two methods are a family that has nothing to be corrected for."""
    for number in range(40):
        values, people = some_family(number)
        two = dict(list(values.items())[:2])
        (one,) = compare_all(two, people).comparisons.values()
        assert one.adjusted == one.p_value


def test_verdicts_agree_at_the_limit() -> None:
    """Just beyond the reach p is below 0.05 and just within it is not, of any number of draws."""
    covariance = np.diag([1.0, 1.0, 1.0])
    pairs = all_pairs(3)
    found = StandardErrors(np.full(3, sqrt(2)), np.full(3, 7.0))
    for draws in (20, 59, 99, 139, 999, 1000):
        reach = judge(np.zeros(3), found, covariance, pairs, draws, 0).reach[0]
        above, below = (
            judge(np.full(3, side * reach), found, covariance, pairs, draws, 0)
            for side in (1 + 1e-9, 1 - 1e-9)
        )
        assert above.adjusted[0] < 0.05 <= below.adjusted[0]


def test_figures_repeat_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed gives the same figures again and in chunks of any size; another seed others."""
    values, people = family_case()
    first = compare_all(values, people)
    assert compare_all(values, people) == first
    other = compare_all(values, people, seed=1)
    assert [one.p_value for one in other.comparisons.values()] == [
        one.p_value for one in first.comparisons.values()
    ]
    assert adjusted(other) != adjusted(first)
    for cells in (1, 6 * 7, 6 * 9999):
        monkeypatch.setattr(simultaneous, "CELLS", max(6 * 100, cells))
        monkeypatch.setattr(standard_errors, "CELLS", cells)
        again = compare_all(values, people)
        for pair, one in first.comparisons.items():
            assert figures(again.comparisons[pair]) == pytest.approx(figures(one), abs=1e-9)


def adjusted(family: Family) -> list[float]:
    """Return the corrected p-values of a family."""
    return [one.adjusted for one in family.comparisons.values()]


def test_a_family_that_does_not_differ_is_not_told_apart() -> None:
    """Methods that answer alike have p 1 and intervals of nothing, however many there are."""
    for seeds in (1, 3):
        table = np.tile([100.0, 0.0, 100.0, 0.0], (seeds, 1))
        family = compare_all(dict.fromkeys("abc", table), [0, 0, 1, 2])
        for one in family.comparisons.values():
            assert (one.p_value, one.adjusted, one.low, one.high) == (1, 1, 0, 0)
        assert family.undecided() == (("a", "b", "c"),)


def test_one_that_does_not_differ_changes_nothing_for_others() -> None:
    """A method that answers as another does adds no chance of a large difference."""
    values, people = family_case()
    values = {name: table[0] for name, table in values.items()}
    alone = compare_all(values, people)
    beside = compare_all(values | {"again": values["first"]}, people)
    assert beside.comparisons["first", "again"].adjusted == 1
    for pair, one in alone.comparisons.items():
        check_close(beside.comparisons[pair].adjusted, one.adjusted, 10_000)


def equal_families(count: int, seeds: int) -> int:
    """Return how many of so many families of 60 equal methods tell any two of them apart."""
    rng = np.random.default_rng(60 + seeds)
    people = np.repeat(np.arange(150), 3)
    fooled = 0
    for _ in range(count):
        hits = draw_hits(rng, (60, seeds, 150, 3), spread=0.7 * (seeds > 1)).reshape(60, seeds, -1)
        values = {str(number): table for number, table in enumerate(hits)}
        family = compare_all(values, people, measure_spread(hits.mean(2)), draws=2000)
        real = [pair for pair, one in family.comparisons.items() if one.is_real]
        fooled += bool(real)
        if not real:
            assert {one.rank for one in family.standings()} == {1}
            (group,) = family.undecided()
            assert len(group) == 60
    return fooled


@pytest.mark.parametrize("seeds", [1, 3])
def test_sixty_equal_methods_share_rank_one(seeds: int) -> None:
    """Of eight families at most two, where 0.4 are expected, tell any of 1770 pairs apart."""
    assert equal_families(8, seeds) <= 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("seeds", [1, 3])
def test_sixty_equal_methods_are_told_apart_in_one_family_of_twenty(seeds: int) -> None:
    """Of 200 families at most 17, ten expected and two standard errors more, name a difference."""
    assert equal_families(200, seeds) <= 17


def test_a_family_of_methods_unlike_each_other_keeps_its_level() -> None:
    """Of families of five equal methods, 1-8 % show a difference as corrected, far more without."""
    rng = np.random.default_rng(6)
    noise = np.array([1, 1, 2, 4, 8])[:, None]  # one method unlike the others must not matter
    corrected, plain = [], []
    for _ in range(300):
        values = dict(zip("abcde", noise * rng.normal(size=(5, 100)), strict=True))
        pairs = compare_all(values, np.arange(100), draws=400).comparisons.values()
        corrected.append(any(one.is_real for one in pairs))
        plain.append(any(one.p_value < 0.05 for one in pairs))
    assert 0.01 <= np.mean(corrected) <= 0.08, f"{np.mean(corrected):.1%}"
    assert np.mean(plain) > 0.15, f"{np.mean(plain):.1%}"
