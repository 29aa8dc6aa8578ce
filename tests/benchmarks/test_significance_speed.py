"""What comparisons cost at the size of CUHK-PEDES, beside scipy's permutation test."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from harness.significance import compare, compare_all

QUERIES, PEOPLE, METHODS, SEEDS, FLIPS = 6_156, 1_000, 5, 3, 10_000
ROUNDS = 5
LARGEST_RATIO = 0.2  # of the time of scipy's test, which takes queries for independent
LARGEST_FAMILY_RATIO = 0.5
CLAIM = 2.0  # seconds for a family; printed, since machines differ


@pytest.fixture(scope="module")
def case() -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Return hits, 0 or 100, of five methods by three seeds, and the person of each query."""
    rng = np.random.default_rng(0)
    others = rng.integers(PEOPLE, size=QUERIES - PEOPLE)
    people = rng.permutation(np.concatenate([np.arange(PEOPLE), others]))
    ease = rng.normal(0.7, 1, QUERIES) + rng.normal(size=PEOPLE)[people]
    hits = 100.0 * (ease + rng.normal(size=(METHODS, SEEDS, QUERIES)) > 0)
    return {f"method {number}": one for number, one in enumerate(hits)}, people


@pytest.fixture(scope="module")
def scipy_seconds(case: tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]) -> float:
    """Return how long scipy takes for the p-value of one pair on single queries."""
    a, b = list(case[0].values())[:2]
    start = perf_counter()
    scipy.stats.permutation_test(
        ((a - b).mean(0),),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        n_resamples=FLIPS,
        vectorized=True,
        batch=500,  # all at once would take 500 MB
        rng=np.random.default_rng(0),
    )
    return perf_counter() - start


def report(benchmark: Any, what: str, scipy_seconds: float) -> float:
    """Note the time beside scipy's and return its ratio to that."""
    seconds = benchmark.stats.stats.median
    ratio = float(seconds / scipy_seconds)
    benchmark.extra_info |= {"scipy_one_pair": scipy_seconds, "ratio_to_scipy": ratio}
    print(f"{what}: {seconds:.2f} s, {ratio:.3f} of scipy's {scipy_seconds:.2f} s for one pair")
    return ratio


@pytest.mark.benchmark
def test_a_pair_is_much_faster_than_scipy(benchmark: Any, case: Any, scipy_seconds: float) -> None:
    """One pair, p-value and interval, takes at most a fifth of scipy's time for the p-value."""
    if not benchmark.enabled:
        pytest.skip("nothing is timed: run with --benchmark-enable")
    values, people = case
    a, b = list(values.values())[:2]
    benchmark.pedantic(lambda: compare(a, b, people, FLIPS), rounds=ROUNDS, warmup_rounds=1)
    assert report(benchmark, "one pair", scipy_seconds) <= LARGEST_RATIO


@pytest.mark.benchmark
def test_a_family_is_faster_than_one_pair_by_scipy(
    benchmark: Any, case: Any, scipy_seconds: float
) -> None:
    """All ten pairs of five methods by three seeds take at most half of scipy's time for one."""
    if not benchmark.enabled:
        pytest.skip("nothing is timed: run with --benchmark-enable")
    benchmark.pedantic(lambda: compare_all(*case, FLIPS), rounds=ROUNDS, warmup_rounds=1)
    ratio = report(benchmark, "ten pairs", scipy_seconds)
    benchmark.extra_info["under_two_seconds"] = benchmark.stats.stats.median < CLAIM
    assert ratio <= LARGEST_FAMILY_RATIO
