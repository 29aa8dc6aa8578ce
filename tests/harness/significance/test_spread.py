"""How far seeds spread, against loops over methods and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from harness.significance import measure_spread
from harness.significance.spread import moderate

from .cases import Floats


def drawn(methods: int, seeds: int) -> Floats:
    """Return means of methods under seeds."""
    return np.random.default_rng(methods).normal(60, 5, (methods, seeds))


@pytest.mark.parametrize(("methods", "seeds"), [(2, 2), (2, 5), (3, 3), (7, 3), (20, 5)])
def test_spread_agrees_with_loops(methods: int, seeds: int) -> None:
    """The variance of a two-way layout's residuals, and of all that moves between seeds."""
    table = drawn(methods, seeds)
    grand = sum(table[k][s] for k in range(methods) for s in range(seeds)) / (methods * seeds)
    own = whole = 0.0
    for k in range(methods):
        of_method = sum(table[k]) / seeds
        for s in range(seeds):
            of_seed = sum(table[other][s] for other in range(methods)) / methods
            own += (table[k][s] - of_method - of_seed + grand) ** 2
            whole += (table[k][s] - of_method) ** 2
    found = measure_spread(table)
    assert found is not None
    assert found.own == pytest.approx(own / ((methods - 1) * (seeds - 1)))
    assert found.whole == pytest.approx(whole / (methods * (seeds - 1)))
    assert found.own_degrees == (methods - 1) * (seeds - 1)
    assert found.whole_degrees == methods * (seeds - 1)


def test_a_shift_of_a_seed_is_not_a_methods_own() -> None:
    """What a seed gives to all methods alike changes the whole spread and not that of their own."""
    table = drawn(7, 3)
    found, shifted = measure_spread(table), measure_spread(table + np.array([3.0, -1.0, 0.5]))
    assert found is not None
    assert shifted is not None
    assert shifted.own == pytest.approx(found.own)
    assert shifted.whole > 1.01 * found.whole


def test_variances_are_found_on_average() -> None:
    """Over many boards, the variances are those that were drawn from."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(2000):
        board = 0.7 * rng.normal(size=(7, 3)) + 0.5 * rng.normal(size=3)
        spread = measure_spread(board)
        assert spread is not None
        found.append((spread.own, spread.whole))
    assert np.mean(found, 0) == pytest.approx([0.49, 0.49 + 0.25], rel=0.05)


def test_methods_without_randomness_tell_nothing() -> None:
    """A method that is the same under every seed does not dilute the spread of the others."""
    table = drawn(3, 3)
    assert measure_spread([[5.0] * 3, *table, [7.0] * 3]) == measure_spread(table)
    assert measure_spread([[5.0] * 3, [7.0] * 3]) is None
    assert measure_spread([[5.0], [7.0]]) is None
    assert measure_spread([]) is None


def test_one_method_has_no_other_to_share_a_shift_with() -> None:
    """Of one method alone, all that moves between seeds is its own."""
    found = measure_spread([[60.0, 61.0, 65.0]])
    assert found is not None
    assert found.own == found.whole == pytest.approx(7.0)
    assert found.own_degrees == found.whole_degrees == 2


@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_variances_are_drawn_half_way_at_three_seeds(seeds: int) -> None:
    """The board counts for two degrees of freedom beside the S - 1 of the seeds themselves."""
    found = moderate(np.array([0.0, 3.0, 9.0]), np.array([3.0, 3.0, 1.0]), seeds, 12)
    expected = [
        ((seeds - 1) * own + 2 * board) / (seeds - 1 + 2)
        for own, board in ((0.0, 3.0), (3.0, 3.0), (9.0, 1.0))
    ]
    assert found.variances == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_moderated_variances_vary_as_their_degrees_say(seeds: int) -> None:
    """The variance of a moderated variance is 2 / degrees of its square, in simulated boards."""
    rng = np.random.default_rng(1)
    methods = 7
    found, degrees = [], 0.0
    for _ in range(4000):
        board = rng.normal(size=(methods, seeds))
        spread = measure_spread(board)
        assert spread is not None
        by_seed = board[0] - board[1]
        one = moderate(
            by_seed.var(ddof=1, keepdims=True),
            np.array([2 * spread.own]),
            seeds,
            spread.own_degrees,
        )
        found.append(one.variances[0])
        degrees = one.degrees
    assert np.mean(found) == pytest.approx(2, rel=0.05)
    assert 2 * np.mean(found) ** 2 / np.var(found) == pytest.approx(degrees, rel=0.12)


def test_a_board_that_is_the_pair_adds_nothing() -> None:
    """Of two methods alone the moderated variance is their own, with S - 1 degrees of freedom."""
    a, b = drawn(2, 4)
    spread = measure_spread([a, b])
    assert spread is not None
    found = (a - b).var(ddof=1, keepdims=True)
    one = moderate(found, np.array([2 * spread.own]), 4, spread.own_degrees)
    assert one.variances == pytest.approx(found)
    assert one.degrees == pytest.approx(3)
