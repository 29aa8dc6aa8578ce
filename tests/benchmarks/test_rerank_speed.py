"""What re-ranking costs beside the bare products that it needs, and how much memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness.rerank import parse_reranking

from .bounds import Bound
from .paired import paired_ratio

QUERIES, GALLERY, WIDTH, PEOPLE = 6_156, 3_074, 512, 1_000  # CUHK-PEDES
BLOCK = 1024  # rows in one bare product, where it is fastest
ROUNDS = 3
LARGEST_RATIO = 1.5  # of the time of the bare products

ROWS, NARROW = 12_000, 64  # of queries and of gallery, narrow so that products take seconds
LARGEST_MEMORY = 400  # MB above the features; all scores would be 576, of all pairs of rows 2,304

MEMORY_SCRIPT = f"""
import sys
import torch
from pathlib import Path
from harness.rerank import parse_reranking

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

torch.set_num_threads(2)
queries, gallery = (torch.empty({ROWS}, {NARROW}).normal_() for _ in range(2))
before = kilobytes("VmRSS")
for chunk in parse_reranking(sys.argv[1])(queries, gallery):
    pass
print((kilobytes("VmHWM") - before) / 1024)
"""


@pytest.fixture(scope="module")
def features() -> tuple[Tensor, Tensor]:
    """Return features of queries and gallery, with people who are told apart in part."""
    generator = torch.Generator().manual_seed(0)
    people = 0.3 * torch.randn(PEOPLE, WIDTH, generator=generator)
    queries, gallery = (
        people[torch.arange(rows) % PEOPLE] + torch.randn(rows, WIDTH, generator=generator)
        for rows in (QUERIES, GALLERY)
    )
    return queries, gallery


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch use two threads for one test."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def bare_product(rows: Tensor, columns: Tensor) -> Callable[[], None]:
    """Return the product of normalised features, in blocks into one buffer and nothing else."""
    rows, columns = functional.normalize(rows), functional.normalize(columns)
    buffer = torch.empty(BLOCK, len(columns))

    def multiply() -> None:
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            torch.mm(block, columns.T, out=buffer[: len(block)])

    return multiply


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["k-reciprocal", "visual-neighbours"])
def test_reranking_costs_little_more_than_its_products(
    benchmark: Any, bound: Bound, features: tuple[Tensor, Tensor], two_threads: None, name: str
) -> None:
    """On two threads, re-ranking takes at most 1.5 times its two bare products.

    One finds neighbours, among queries and gallery or in the gallery alone; the other scores.
    """
    queries, gallery = features
    searched = torch.cat(features) if name == "k-reciprocal" else gallery
    finds, scores = bare_product(searched, searched), bare_product(queries, gallery)
    reranking = parse_reranking(name)
    list(reranking(queries[:64], gallery[:64]))  # compiles
    paired = paired_ratio(
        benchmark,
        lambda: [None for _ in reranking(queries, gallery)],
        lambda: (finds(), scores()),
        ROUNDS,
    )
    bound(paired.ratio, LARGEST_RATIO, of="times the bare products")


@pytest.mark.benchmark
@pytest.mark.parametrize("name", ["k-reciprocal", "visual-neighbours"])
def test_reranking_needs_little_memory(benchmark: Any, bound: Bound, name: str) -> None:
    """A fresh process peaks at less than 400 MB above what it held before the call."""
    command = [sys.executable, "-c", MEMORY_SCRIPT, name]
    finished = benchmark.pedantic(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True), rounds=1
    )
    bound(float(finished.stdout), LARGEST_MEMORY, of="MB above the features")
