"""What comparisons cost at the size of CUHK-PEDES, beside scipy's permutation test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from harness.significance import compare, compare_all

from .bounds import Bound
from .paired import paired_ratio

QUERIES, PEOPLE, METHODS, SEEDS, FLIPS = 6_156, 1_000, 5, 3, 10_000
ROUNDS = 5
LARGEST_RATIO = 0.2  # of the time of scipy's test, which takes queries for independent
LARGEST_FAMILY_RATIO = 0.5
CLAIM = 2.0  # seconds for a family; noted only, since machines differ


@pytest.fixture(scope="module")
def case() -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Return hits, 0 or 100, of five methods by three seeds, and the person of each query."""
    rng = np.random.default_rng(0)
    others = rng.integers(PEOPLE, size=QUERIES - PEOPLE)
    people = rng.permutation(np.concatenate([np.arange(PEOPLE), others]))
    ease = rng.normal(0.7, 1, QUERIES) + rng.normal(size=PEOPLE)[people]
    hits = 100.0 * (ease + rng.normal(size=(METHODS, SEEDS, QUERIES)) > 0)
    return {f"method {number}": one for number, one in enumerate(hits)}, people


def ask_scipy(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    """Compute scipy's p-value of one pair on single queries."""
    scipy.stats.permutation_test(
        ((a - b).mean(0),),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        n_resamples=FLIPS,
        vectorized=True,
        batch=500,  # all at once would take 500 MB
        rng=np.random.default_rng(0),
    )


@pytest.mark.benchmark
def test_a_pair_is_much_faster_than_scipy(benchmark: Any, bound: Bound, case: Any) -> None:
    """One pair, p-value and interval, takes at most a fifth of scipy's time for the p-value."""
    values, people = case
    a, b = list(values.values())[:2]
    paired = paired_ratio(
        benchmark, lambda: compare(a, b, people, FLIPS), lambda: ask_scipy(a, b), ROUNDS
    )
    bound(paired.ratio, LARGEST_RATIO, of="times scipy's one pair")


@pytest.mark.benchmark
def test_a_family_is_faster_than_one_pair_by_scipy(benchmark: Any, bound: Bound, case: Any) -> None:
    """All ten pairs of five methods by three seeds take at most half of scipy's time for one."""
    a, b = list(case[0].values())[:2]
    paired = paired_ratio(
        benchmark, lambda: compare_all(*case, FLIPS), lambda: ask_scipy(a, b), ROUNDS
    )
    benchmark.extra_info["under_two_seconds"] = paired.seconds < CLAIM
    bound(paired.ratio, LARGEST_FAMILY_RATIO, of="times scipy's one pair")
