"""Ours and a reference timed in turn, so that both meet the machine in the same state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import pytest


@dataclass(frozen=True)
class Paired:
    """Medians over rounds that timed ours, then the reference."""

    ratio: float  # taken round by round: a round on a slow machine is slow for both
    seconds: float
    reference_seconds: float


def paired_ratio(
    benchmark: Any,
    ours: Callable[[], object],
    reference: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = perf_counter,
) -> Paired:
    """Return how many times the reference ours takes; skip where nothing is to be timed."""
    if not benchmark.enabled:
        pytest.skip("nothing is timed: run with --benchmark-enable")
    pairs = [(seconds(ours, clock), seconds(reference, clock)) for _ in range(rounds)]
    benchmark.pedantic(ours, rounds=1)  # for the table of times
    paired = Paired(
        median(own / other for own, other in pairs),
        median(own for own, _ in pairs),
        median(other for _, other in pairs),
    )
    benchmark.extra_info["reference seconds"] = paired.reference_seconds
    return paired


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return how long a call takes."""
    began = clock()
    call()
    return clock() - began
