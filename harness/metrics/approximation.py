"""How near an index comes to a scan of all rows, and how long both take for a query.

Held against each other are cosines, not rows: what scores as high as the last of the exact nearest
is as good as that one, so ties count as found. Scores are those of the rows that either gave, in
double precision; what differs by less than single precision can tell counts as equal.

Shapes: Q queries, N rows of the gallery, D the width of an embedding, k images for each query.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.indexes import NEAREST, Floats, Index, Integers
from harness.metrics.nearest import find_largest
from harness.metrics.neighbours import UnitFeatures, cosine_chunks, top_rows

TOLERANCE = 1e-6  # of a cosine: what rounding to single precision moves it by
TIMED, REPEATS = 100, 5  # queries whose time is taken, and how often
CHUNK = 256  # queries whose rows are gathered at a time

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Scan:
    """What a scan of all rows finds for queries."""

    highest: Doubles  # (Q,) cosine of the nearest
    lowest: Doubles  # (Q,) cosine of the last of the nearest `NEAREST`
    milliseconds: float  # a query


@dataclass(frozen=True)
class Judged:
    """What an index finds for the same queries, and what it takes."""

    found: Integers  # (Q,) how many of the exact nearest
    nearest: NDArray[np.bool_]  # (Q,) whether the one that it puts first is an exact nearest
    first: Integers  # (Q,) the row that it puts first; -1: it gave none
    milliseconds: float  # a query
    build_seconds: float
    bytes: int


def scan_all(features: UnitFeatures) -> Scan:
    """Find the exact nearest of every query, and take the time of single queries in one thread."""
    queries, rows = features.queries, features.gallery
    count = min(NEAREST, rows.size)
    picked = np.empty((queries.size, count), np.int64)

    def pick(start: int, cosines: Floats) -> None:
        picked[start : start + len(cosines)] = top_rows(cosines, rows.size, count)

    for _ in cosine_chunks(queries, rows, pick):
        pass
    asked, gallery = queries.buffer[: queries.size], rows.buffer[: rows.size]
    scores = _scores(asked.numpy(), gallery.numpy(), picked)

    def ask(query: Floats) -> Any:
        return find_largest(torch.mv(gallery, torch.from_numpy(query[0])).numpy(), count)

    with _one_thread():
        milliseconds = _milliseconds(ask, asked.numpy())
    return Scan(scores.max(1), scores.min(1), milliseconds)


def judge(kind: str, queries: Floats, rows: Floats, scan: Scan) -> Judged:
    """Build an index of one of `harness.indexes.KINDS`, ask it, and hold it against a scan.

    Args:
        kind: of index.
        queries: (Q, D) of length one.
        rows: (N, D) of length one, those that were scanned in any order.
        scan: what was found of them.
    """
    began = time.perf_counter()
    index = Index.build(kind, rows)
    built = time.perf_counter() - began
    count = min(NEAREST, len(rows))
    _, picked = index.nearest(queries, count)
    scores = _scores(queries, rows, picked)
    milliseconds = _milliseconds(lambda query: index.nearest(query, count), queries)
    return Judged(
        found=(scores >= scan.lowest[:, None] - TOLERANCE).sum(1),
        nearest=scores[:, 0] >= scan.highest - TOLERANCE,
        first=picked[:, 0],
        milliseconds=milliseconds,
        build_seconds=built,
        bytes=index.bytes,
    )


def _scores(queries: Floats, rows: Floats, picked: Integers) -> Doubles:
    """Return cosines of (Q, k) rows; that of row -1 is minus infinity."""
    parts = [
        np.einsum(
            "qd,qkd->qk",
            queries[start : start + CHUNK].astype(np.float64),
            rows[picked[start : start + CHUNK]].astype(np.float64),
        )
        for start in range(0, len(queries), CHUNK)
    ]
    return np.where(picked >= 0, np.concatenate(parts), -np.inf)


def _milliseconds(ask: Callable[[Floats], Any], queries: Floats) -> float:
    """Return how long one query takes, asked alone: the median of repeats."""
    timed = np.linspace(0, len(queries) - 1, min(TIMED, len(queries))).astype(np.int64)
    ask(queries[:1])
    laps = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for row in timed:
            ask(queries[row : row + 1])
        laps.append((time.perf_counter() - began) / len(timed))
    return 1000 * median(laps)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
