"""What comparisons cost at the size of CUHK-PEDES, beside scipy's permutation test."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from harness.significance import compare, compare_all

from .bounds import Bound
from .paired import paired_ratio

QUERIES, PEOPLE, METHODS, SEEDS, PERMUTATIONS = 6_156, 1_000, 5, 3, 10_000
ROUNDS = 5
LARGEST_RATIO = 0.2  # of the time of scipy's test, which takes queries for independent
LARGEST_FAMILY_RATIO = 0.5
MANY = 60  # methods of a large board
LARGEST_BOARD_RATIO = 2.0  # of scipy's time for one pair, for all 1,770
LARGEST_BOARD = 400e6  # bytes at once, beside the values
CLAIM = 2.0  # seconds for a family; noted only, since machines differ

Case = tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]


def draw_case(methods: int) -> Case:
    """Return hits, 0 or 100, of methods by three seeds, and the person of each query."""
    rng = np.random.default_rng(0)
    others = rng.integers(PEOPLE, size=QUERIES - PEOPLE)
    people = rng.permutation(np.concatenate([np.arange(PEOPLE), others]))
    ease = rng.normal(0.7, 1, QUERIES) + rng.normal(size=PEOPLE)[people]
    hits = 100.0 * (ease + rng.normal(size=(methods, SEEDS, QUERIES)) > 0)
    return {f"method {number}": one for number, one in enumerate(hits)}, people


@pytest.fixture(scope="module")
def case() -> Case:
    """Five methods."""
    return draw_case(METHODS)


def ask_scipy(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    """Compute scipy's p-value of one pair on single queries."""
    scipy.stats.permutation_test(
        ((a - b).mean(0),),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        n_resamples=PERMUTATIONS,
        vectorized=True,
        batch=500,  # all at once would take 500 MB
        rng=np.random.default_rng(0),
    )


@pytest.mark.benchmark
def test_a_pair_is_much_faster_than_scipy(benchmark: Any, bound: Bound, case: Case) -> None:
    """One pair, p-value and interval, takes at most a fifth of scipy's time for the p-value."""
    values, people = case
    a, b = list(values.values())[:2]
    paired = paired_ratio(benchmark, lambda: compare(a, b, people), lambda: ask_scipy(a, b), ROUNDS)
    bound(paired.ratio, LARGEST_RATIO, of="times scipy's one pair")


@pytest.mark.benchmark
def test_a_family_is_faster_than_one_pair_by_scipy(
    benchmark: Any, bound: Bound, case: Case
) -> None:
    """All ten pairs of five methods by three seeds take at most half of scipy's time for one."""
    a, b = list(case[0].values())[:2]
    paired = paired_ratio(benchmark, lambda: compare_all(*case), lambda: ask_scipy(a, b), ROUNDS)
    benchmark.extra_info["under_two_seconds"] = paired.seconds < CLAIM
    bound(paired.ratio, LARGEST_FAMILY_RATIO, of="times scipy's one pair")


@pytest.mark.benchmark
def test_a_large_board_takes_little_time(benchmark: Any, bound: Bound) -> None:
    """All 1,770 pairs of 60 methods by three seeds take at most twice scipy's time for one."""
    case = draw_case(MANY)
    a, b = list(case[0].values())[:2]
    paired = paired_ratio(benchmark, lambda: compare_all(*case), lambda: ask_scipy(a, b), ROUNDS)
    bound(paired.ratio, LARGEST_BOARD_RATIO, of="times scipy's one pair")


@pytest.mark.benchmark
def test_a_large_board_takes_little_memory(bound: Bound) -> None:
    """It is compared in pieces: beside the values, at most 400 MB at once."""
    case = draw_case(MANY)
    tracemalloc.start()
    compare_all(*case)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bound(most, LARGEST_BOARD, of="bytes")
