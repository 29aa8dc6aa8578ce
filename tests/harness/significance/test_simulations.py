"""How often the tests fire, the intervals hold and the plans succeed, over many experiments."""

from __future__ import annotations

from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.significance import (
    detectable_difference,
    identities_needed,
    seeds_needed,
    variance_components,
)
from harness.significance.bootstrap import resample_means
from harness.significance.flips import flip_signs

NORMAL = NormalDist()


def draw_hits(
    rng: np.random.Generator,
    shape: tuple[int, int, int, int],
    own: float = 0.7,
    lead: float = 0.0,
    spread: float = 0.0,
) -> NDArray[np.float64]:
    """Return hits, 0 or 100, of K methods: (K, S, C, M) for M queries of each of C people.

    A query is as hard for all methods, but for what each makes of a person (`own`) and of a query.
    Method 0 is `lead` points better; the difference of two methods varies by `spread` points
    between seeds.
    """
    methods, seeds, people, queries = shape
    deviation = np.sqrt(3 + own**2)
    slope = 100 * NORMAL.pdf(0.5) / deviation  # points by which a shift of 1 moves the hits
    latent = 0.5 * deviation + rng.normal(size=(people, 1)) + rng.normal(size=(people, queries))
    latent = latent + own * rng.normal(size=(methods, 1, people, 1))
    latent = latent + np.sqrt(0.5) * rng.normal(size=(methods, 1, people, queries))
    latent = latent + np.sqrt(0.5) * rng.normal(size=shape)
    latent += spread / np.sqrt(2) / slope * rng.normal(size=(methods, seeds, 1, 1))
    latent[0] += lead / slope
    return 100.0 * (latent > 0)


def test_clustered_tests_keep_their_level() -> None:
    """Without a difference, tests by person fire in 2-7 % of cases, those by query far more."""
    rng = np.random.default_rng(0)
    people, queries = 200, 10
    hits = [draw_hits(rng, (2, 1, people, queries))[:, 0] for _ in range(400)]
    differences = np.array([a - b for a, b in hits])  # (400, C, M)
    clustered = flip_signs(differences.sum(2), 500, 0).p_values
    unclustered = flip_signs(differences.reshape(400, -1), 500, 0).p_values
    rates = (clustered <= 0.05).mean(), (unclustered <= 0.05).mean()
    assert 0.02 <= rates[0] <= 0.07, f"by person {rates[0]:.1%}, by query {rates[1]:.1%}"
    assert rates[1] > 0.09, f"by person {rates[0]:.1%}, by query {rates[1]:.1%}"


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.7])
def test_intervals_cover_the_truth(spread: float) -> None:
    """Of three seeds that spread by up to 0.7 points, 92-98 % of intervals hold the truth."""
    rng = np.random.default_rng(4)
    people, queries = 1000, 4
    sums = np.empty((300, 3, people))
    for row in range(300):
        a, b = draw_hits(rng, (2, 3, people, queries), spread=spread)
        sums[row] = (a - b).sum(2)
    draws = resample_means(sums, np.full(people, float(queries)), 600, 0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    coverage = np.mean((low <= 0) & (high >= 0))
    assert 0.92 <= coverage <= 0.98, f"{coverage:.1%}"


def test_power_grows_with_the_difference() -> None:
    """The larger the true difference, the more often it is found, up to nearly always."""
    rng = np.random.default_rng(5)
    rates = []
    for lead in (0.0, 2.0, 4.0, 8.0):
        hits = np.array([draw_hits(rng, (2, 1, 200, 6), lead=lead) for _ in range(100)])
        sums = (hits[:, 0] - hits[:, 1])[:, 0].sum(2)
        rates.append(float((flip_signs(sums, 400, 0).p_values <= 0.05).mean()))
    assert rates == sorted(rates), rates
    assert rates[0] < 0.12, rates
    assert rates[-1] > 0.9, rates


def test_maxt_controls_the_error_of_a_family() -> None:
    """Of families of five equal methods, 1-8 % show a difference by MaxT, far more without."""
    rng = np.random.default_rng(6)
    pairs = list(combinations(range(5), 2))
    noise = np.array([1, 1, 2, 4, 8])[:, None]  # one method unlike the others must not matter
    tests = []
    for row in range(300):
        scores = noise * rng.normal(size=(5, 100))
        tests.append(flip_signs(np.array([scores[i] - scores[j] for i, j in pairs]), 400, row))
    by_maxt = np.mean([test.adjusted.min() <= 0.05 for test in tests])
    plain = np.mean([test.p_values.min() <= 0.05 for test in tests])
    assert 0.01 <= by_maxt <= 0.08, f"MaxT {by_maxt:.1%}, unadjusted {plain:.1%}"
    assert plain > 0.15, f"MaxT {by_maxt:.1%}, unadjusted {plain:.1%}"


def simulate_differences(
    rng: np.random.Generator, people: int, seeds: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return differences by query (S, Q) around zero, of known variances, and people (Q,)."""
    clusters = np.repeat(np.arange(people), 5)
    values = 4 * rng.normal(size=people)[clusters] + 0.4 * rng.normal(size=(seeds, 1))
    values = values + 2 * rng.normal(size=(seeds, people))[:, clusters]
    return values + 5 * rng.normal(size=(seeds, 5 * people)), clusters


def test_variance_components_are_found() -> None:
    """On average over experiments, the estimated variances are those that were drawn from."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(200):
        values, people = simulate_differences(rng, 100, 4)
        one = variance_components(values, np.zeros_like(values), people)
        found.append((one.identity, one.seed, one.both))
    identity, seed, both = np.mean(found, 0)
    assert (identity, both) == pytest.approx((16, 4 + 25 / 5), rel=0.05)
    assert seed == pytest.approx(0.16, rel=0.2)


def test_a_constant_difference_is_no_variance() -> None:
    """Where people differ in their queries, adding a constant to one method changes no variance."""
    rng = np.random.default_rng(13)
    people = rng.integers(40, size=300)
    a, b = rng.normal(size=(2, 3, 300))
    first, second = variance_components(a, b, people), variance_components(a + 50, b, people)
    assert list(vars(second).values()) == pytest.approx(list(vars(first).values()))


def test_the_planned_difference_is_found_in_four_of_five_cases() -> None:
    """Experiments as planned find the detectable difference with the promised power of 80 %."""
    rng = np.random.default_rng(9)
    values, people = simulate_differences(rng, 5000, 60)
    components = variance_components(values, np.zeros_like(values), people)
    wanted = detectable_difference(components, clusters=200, seeds=3)
    error = wanted / (NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8))
    means = [wanted + simulate_differences(rng, 200, 3)[0].mean() for _ in range(1000)]
    power = np.mean(np.array(means) > NORMAL.inv_cdf(0.975) * error)
    assert 0.75 <= power <= 0.85, f"{power:.1%} where 80 % were planned"


def test_the_planned_difference_is_found_by_sign_flips() -> None:
    """With one seed, sign flips find the detectable difference in about 80 % of cases."""
    rng = np.random.default_rng(10)
    a, b = draw_hits(rng, (2, 1, 4000, 5), lead=5.0)
    people = np.repeat(np.arange(4000), 5)
    components = variance_components(a.reshape(1, -1), b.reshape(1, -1), people)
    wanted = detectable_difference(components, clusters=200)
    hits = np.array([draw_hits(rng, (2, 1, 200, 5)) for _ in range(400)])
    sums = (hits[:, 0] - hits[:, 1])[:, 0].sum(2) + 5 * wanted
    power = (flip_signs(sums, 500, 0).p_values <= 0.05).mean()
    assert 0.72 <= power <= 0.88, f"{power:.1%} where 80 % were planned"


def test_plans_invert_each_other() -> None:
    """So many people or seeds show the difference; one fewer do not."""
    values, people = simulate_differences(np.random.default_rng(11), 300, 5)
    components = variance_components(values, np.zeros_like(values), people)
    wanted = 1.2
    needed = identities_needed(components, wanted)
    assert needed
    assert detectable_difference(components, clusters=needed) <= wanted
    assert detectable_difference(components, clusters=needed - 1) > wanted
    seeds = seeds_needed(components, wanted, clusters=200)
    assert seeds
    assert detectable_difference(components, clusters=200, seeds=seeds) <= wanted
    assert detectable_difference(components, clusters=200, seeds=seeds - 1) > wanted


def test_plans_say_where_no_number_suffices() -> None:
    """People cannot make up for seeds, nor seeds for people, and one seed tells of no others."""
    values, people = simulate_differences(np.random.default_rng(12), 300, 5)
    components = variance_components(values, np.zeros_like(values), people)
    assert identities_needed(components, 0.1) is None
    assert seeds_needed(components, 0.1) is None
    single = variance_components(values[0], np.zeros(1500), people)
    for ask in (
        lambda: seeds_needed(single, 1.0),
        lambda: detectable_difference(single, seeds=3),
        lambda: identities_needed(single, 1.0, seeds=3),
    ):
        with pytest.raises(ValueError, match="one seed says nothing"):
            ask()
    with pytest.raises(ValueError, match="must be positive"):
        identities_needed(components, 0.0)
