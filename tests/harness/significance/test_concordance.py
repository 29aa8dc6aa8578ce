from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.significance import compare_all, concordance_of, measure_order
from harness.significance.concordance import Order

from .cases import small_case, uneven

Values = Mapping[str, Any]


def drawn_methods(rng: np.random.Generator, count: int, seeds: int = 2) -> tuple[Values, Any]:
    """Return values of methods of which some are close together, and people."""
    people = uneven(rng, 20, 60)
    skills = rng.uniform(40, 60, count)
    values = rng.uniform(-30, 30, (count, seeds, 60)) + skills[:, None, None]
    return {f"method {place}": table for place, table in enumerate(values)}, people


def pairs_in(printed: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the pairs of which an order is printed, the one that is better in print first."""
    return [
        (a, b) if printed[a] > printed[b] else (b, a)
        for a, b in combinations(printed, 2)
        if printed[a] != printed[b]
    ]


def tau_of(values: Values, claims: Sequence[tuple[str, str]], people: Any) -> float | None:
    """Return tau as the harness computes it."""
    return concordance_of([measure_order(values, claims, people)]).tau


@pytest.mark.parametrize("number", range(20))
def test_with_every_pair_claimed_it_is_kendalls_tau(number: int) -> None:
    """Of any order in print, as scipy computes it of the printed figures and the means."""
    rng = np.random.default_rng(number)
    values, people = drawn_methods(rng, int(rng.integers(2, 9)))
    printed = dict(zip(values, rng.permutation(len(values)).astype(float), strict=True))
    means = [table.mean() for table in values.values()]
    expected = stats.kendalltau(list(printed.values()), means).statistic
    assert tau_of(values, pairs_in(printed), people) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("number", range(20))
def test_where_print_ties_in_groups_it_is_somers_d(number: int) -> None:
    """Ties in print are left out of both, equal means count in the divisor alone, as in scipy."""
    rng = np.random.default_rng(100 + number)
    values, people = drawn_methods(rng, 7)
    values = {**values, "method 6": values["method 0"], "method 5": values["method 1"]}
    printed = dict(zip(values, rng.integers(0, 4, 7).astype(float), strict=True))
    if len(set(printed.values())) < 2:
        printed["method 0"] += 1
    means = [table.mean() for table in values.values()]
    expected = stats.somersd(list(printed.values()), means).statistic
    assert tau_of(values, pairs_in(printed), people) == pytest.approx(expected, abs=1e-12)


def test_of_any_claims_it_is_the_share_that_stands_less_the_rest() -> None:
    """Being a tie does not pass on, so claims may be of any pairs: counted by a plain loop."""
    rng = np.random.default_rng(5)
    values, people = drawn_methods(rng, 6)
    claims = pairs_in(dict.fromkeys(values, 0.0) | {"method 2": 1.0})
    claims += [("method 0", "method 1"), ("method 4", "method 3")]
    balance = 0
    for a, b in claims:
        better = float(np.asarray(values[a]).mean()) > float(np.asarray(values[b]).mean())
        balance += 1 if better else -1
    assert tau_of(values, claims, people) == pytest.approx(balance / len(claims))


def test_means_vary_together_as_differences_do() -> None:
    """Of single runs, the variance of a difference that the covariance tells is its error's."""
    a, b, people = small_case(seeds=1)
    order = measure_order({"a": a, "b": b}, [("a", "b")], people)
    found = compare_all({"a": a, "b": b}, people).between("a", "b")
    spread = order.covariance
    assert spread[0, 0] + spread[1, 1] - 2 * spread[0, 1] == pytest.approx(found.error**2)
    assert order.differences == pytest.approx([found.difference])


def test_seeds_widen_the_interval_too() -> None:
    """Methods whose seeds spread far vary by that beside what people vary."""
    rng = np.random.default_rng(0)
    values, people = drawn_methods(rng, 4, seeds=3)
    steady = {name: np.repeat(table[:1], 3, axis=0) for name, table in values.items()}
    shaken = {name: table + 9 * rng.normal(size=(3, 1)) for name, table in steady.items()}
    calm, wild = (measure_order(one, [], people).covariance.diagonal() for one in (steady, shaken))
    assert (wild > calm).all()


PARTED = np.array(
    [[0.5, 0.2, 0.0, 0.0], [0.2, 0.5, 0.0, 0.0], [0.0, 0.0, 0.8, 0.3], [0.0, 0.0, 0.3, 0.4]]
)
SHARED = np.full((4, 4), 25.0) + 0.001 * np.eye(4)  # what all have in common moves no difference


@pytest.mark.parametrize(("covariance", "ends"), [(PARTED, (0.0, 1.0)), (SHARED, (1.0, 1.0))])
def test_the_interval_holds_the_middle_of_what_is_drawn(
    covariance: Any, ends: tuple[float, float]
) -> None:
    """As numpy draws means of the same covariance, one by one, and counts by a plain loop."""
    means = np.array([2.0, 1.0, 0.5, 0.0])
    claims = np.array(list(combinations(range(4), 2))).T
    order = Order(claims, means[claims[0]] - means[claims[1]], covariance)
    taus = []
    for one in np.random.default_rng(1).multivariate_normal(means, covariance, 20_000):
        signs = [1 if one[a] > one[b] else -1 for a, b in combinations(range(4), 2)]
        taus.append(sum(signs) / 6)
    expected = np.quantile(taus, 0.025, method="lower"), np.quantile(taus, 0.975, method="higher")
    found = concordance_of([order])
    assert found.tau == 1.0
    assert found.interval == pytest.approx(expected)
    assert expected == pytest.approx(ends)
    assert concordance_of([order]) == found  # the same draws


def test_without_doubt_the_interval_is_the_point() -> None:
    """Means that do not vary give one order alone."""
    rng = np.random.default_rng(2)
    people = uneven(rng, 10, 40)
    values = {name: np.full((1, 40), mean) for name, mean in (("a", 3.0), ("b", 2.0), ("c", 1.0))}
    found = concordance_of([measure_order(values, [("a", "b"), ("c", "a")], people)])
    assert found.tau == 0.0
    assert found.interval == (0.0, 0.0)


def test_boards_are_counted_together() -> None:
    """Tau of several boards is of all their claims; one without claims changes nothing."""
    rng = np.random.default_rng(3)
    values, people = drawn_methods(rng, 3)
    names = sorted(values, key=lambda name: -np.asarray(values[name]).mean())
    right = measure_order(values, [(names[0], names[1]), (names[0], names[2])], people)
    wrong = measure_order(values, [(names[2], names[0])], people)
    silent = measure_order(values, [], people)
    found = concordance_of([right, wrong, silent])
    assert found.tau == pytest.approx((2 - 1) / 3)
    assert found.interval is not None
    assert found.interval[0] <= found.tau <= found.interval[1]


def test_nothing_is_told_of_nothing() -> None:
    """Without a claim there is no tau, and of two methods no interval."""
    a, b, people = small_case()
    silent = concordance_of([measure_order({"a": a, "b": b}, [], people)])
    assert (silent.tau, silent.interval) == (None, None)
    two = concordance_of([measure_order({"a": a, "b": b}, [("b", "a")], people)])
    assert two.tau in (1.0, -1.0)
    assert two.interval is None


def test_a_claim_about_nobody_is_refused() -> None:
    """A method without values cannot be held against print."""
    a, b, people = small_case()
    with pytest.raises(KeyError):
        measure_order({"a": a, "b": b}, [("a", "c")], people)
