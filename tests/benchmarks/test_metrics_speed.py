"""What scoring costs at the size of ICFG-PEDES, beside the bare product of the same features."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness.metrics import score_queries

from .bounds import Bound
from .paired import paired_ratio

ROWS, WIDTH, PEOPLE = 19_848, 512, 1_000
BLOCK = 1024  # queries in one bare product, where it is fastest
ROUNDS = 3
LARGEST_RATIO = 1.25  # of the time of the bare product
LARGEST_MEMORY = 400  # MB above the features

MEMORY_SCRIPT = f"""
import torch
from pathlib import Path
from harness.metrics import score_queries

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

torch.set_num_threads(2)
queries, gallery = (torch.empty({ROWS}, {WIDTH}).normal_() for _ in range(2))
ids = torch.arange({ROWS}) % {PEOPLE}
before = kilobytes("VmRSS")
score_queries(queries, gallery, ids, ids, top=10)
print((kilobytes("VmHWM") - before) / 1024)
"""


@pytest.fixture(scope="module")
def features() -> tuple[Tensor, Tensor, Tensor]:
    """Return query features, gallery features and ids, with people who are told apart in part."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.arange(ROWS) % PEOPLE
    person = 0.3 * torch.randn(PEOPLE, WIDTH, generator=generator)[ids]
    queries, gallery = (
        person + torch.randn(ROWS, WIDTH, generator=generator) for _ in ("queries", "gallery")
    )
    return queries, gallery, ids


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch use two threads for one test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def bare_product(queries: Tensor, gallery: Tensor) -> Callable[[], None]:
    """Return the product of normalised features, in blocks into one buffer and nothing else."""
    queries, gallery = functional.normalize(queries), functional.normalize(gallery)
    buffer = torch.empty(BLOCK, len(gallery))

    def multiply() -> None:
        for start in range(0, len(queries), BLOCK):
            rows = queries[start : start + BLOCK]
            torch.mm(rows, gallery.T, out=buffer[: len(rows)])

    return multiply


@pytest.mark.benchmark
@pytest.mark.parametrize("top", [0, 10])
def test_scoring_costs_little_more_than_the_product(
    benchmark: Any,
    bound: Bound,
    features: tuple[Tensor, Tensor, Tensor],
    two_threads: None,
    top: int,
) -> None:
    """On two threads, exact metrics of every query take at most 1.25 times the bare product."""
    queries, gallery, ids = features
    product = bare_product(queries, gallery)
    score_queries(queries[:BLOCK], gallery[:BLOCK], ids[:BLOCK], ids[:BLOCK], top=top)  # compiles
    paired = paired_ratio(
        benchmark, lambda: score_queries(queries, gallery, ids, ids, top=top), product, ROUNDS
    )
    bound(paired.ratio, LARGEST_RATIO, of="times the bare product")


@pytest.mark.benchmark
def test_scoring_needs_little_memory(benchmark: Any, bound: Bound) -> None:
    """A fresh process peaks at less than 400 MB above what it held before the call."""
    command = [sys.executable, "-c", MEMORY_SCRIPT]
    finished = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True), rounds=1
    )
    bound(float(finished.stdout), LARGEST_MEMORY, of="MB above the features")
