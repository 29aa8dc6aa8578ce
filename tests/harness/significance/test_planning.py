"""Plans promise what experiments keep, and variances are those that were drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.significance import (
    Spread,
    compare,
    detectable_difference,
    identities_needed,
    seeds_needed,
    variance_components,
)

from .cases import NORMAL, draw_hits, small_case


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


def test_the_planned_difference_is_found_by_a_comparison() -> None:
    """With one seed, `compare` finds the detectable difference in about 80 % of cases."""
    rng = np.random.default_rng(10)
    a, b = draw_hits(rng, (2, 1, 4000, 5), lead=5.0)
    people = np.repeat(np.arange(4000), 5)
    components = variance_components(a.reshape(1, -1), b.reshape(1, -1), people)
    wanted = detectable_difference(components, clusters=200)
    found = []
    for _ in range(400):
        a, b = draw_hits(rng, (2, 1, 200, 5))
        found.append(compare(a.reshape(1, -1) + wanted, b.reshape(1, -1), people[:1000]).is_real)
    assert 0.72 <= np.mean(found) <= 0.88, f"{np.mean(found):.1%} where 80 % were planned"


def reference(values: Any, people: Any, expected: float, degrees: float) -> list[float]:
    """Return the three variances by loops over people and seeds, of values (S, Q) by S seeds.

    Takes the variance between seeds that the board lets expect, and how much it counts for.
    """
    seeds, queries = np.shape(values)
    names = sorted(set(people))
    grand = sum(sum(one) for one in values) / (seeds * queries)
    parts = [
        [
            sum(values[s][q] - grand for q in range(queries) if people[q] == name)
            * len(names)
            / queries
            for name in names
        ]
        for s in range(seeds)
    ]
    by_seed = [sum(one) / len(names) for one in parts]
    by_person = [sum(parts[s][c] for s in range(seeds)) / seeds for c in range(len(names))]
    rest = both = 0.0
    for s in range(seeds):
        for c in range(len(names)):
            rest += (parts[s][c] - by_seed[s] - by_person[c]) ** 2
    if seeds > 1:
        both = rest / ((seeds - 1) * (len(names) - 1))
    identity = sum(one**2 for one in by_person) / (len(names) - 1) - both / seeds
    between = 0.0
    if seeds > 1:
        found = sum(one**2 for one in by_seed) / (seeds - 1)
        between = ((seeds - 1) * found + degrees * expected) / (seeds - 1 + degrees)
    return [max(0.0, identity), max(0.0, between - both / len(names)), both]


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_variances_agree_with_loops(seeds: int) -> None:
    """With the board's spread the variance of a seed is drawn towards it, as in `compare`."""
    a, b, people = small_case(seeds)
    board = Spread(own=30.0, own_degrees=12, whole=40.0, whole_degrees=14)
    cases: list[tuple[Any, Spread | None, float]] = [
        (b, None, 0),
        (b, board, 60),
        (b[0], board, 40),  # a seed's shift of all methods is in it
    ]
    for other, spread, expected in cases:
        found = variance_components(a, other, people, spread)
        wanted = reference(a - other, people, expected, 2 if spread else 0)
        assert [found.identity, found.seed, found.both] == pytest.approx(wanted)
        assert (found.seeds, found.clusters) == (seeds, 30)


def test_a_plan_knows_the_error_of_the_comparison() -> None:
    """With people of one size, what is planned for the same people and seeds has its error."""
    rng = np.random.default_rng(14)
    values, people = simulate_differences(rng, 200, 3)
    board = Spread(own=0.5, own_degrees=12, whole=0.7, whole_degrees=14)
    for spread in (None, board):
        components = variance_components(values, np.zeros_like(values), people, spread)
        error = compare(values, np.zeros_like(values), people, spread).error
        multiple = NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8)
        assert detectable_difference(components) == pytest.approx(multiple * error)


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
