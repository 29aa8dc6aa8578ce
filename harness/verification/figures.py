"""The figures of an evaluation, recomputed from the ranks of its hits.

Shapes: Q queries, H hits in all, T the length of the top lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from harness.results import TIED
from harness.results.query_table import (
    COLUMNS,
    FIRST_IMAGES,
    FOLLOWING,
    Columns,
    columns_there,
    follow,
)
from harness.verification.findings import Unreadable
from harness.verification.reading import read_table

# Figures are stored to the last bit. Sums of the same numbers may differ in it between processors
# and versions of numpy; over as many queries as there are, that stays below 1e-12.
TOLERANCE = 1e-9
CUTS = {"r1": 1, "r5": 5, "r10": 10}

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Top:
    """The first of the gallery for every query, best first."""

    rows: Integers  # (Q, T)
    scores: Floats  # (Q, T)


@dataclass(frozen=True)
class Queries:
    """What is stored of the queries of an evaluation; the ranks make sense, the rest may not."""

    query_id: NDArray[Any]  # (Q,) numbers of captions, or ids of images
    person_id: Integers  # (Q,)
    by_query: Mapping[str, NDArray[Any]]  # first_hit and so on, (Q,) each; none if compact
    hit_ranks: Integers  # (H,) query after query, strictly ascending in each
    hit_counts: Integers  # (Q,) at least one each
    top: Top | None  # None where the table has no such lists
    tied: NDArray[np.bool_] | None  # (Q,); None where the protocol did not tell

    @property
    def starts(self) -> Integers:
        """(Q,) where the hits of each query begin."""
        return np.cumsum(self.hit_counts) - self.hit_counts


def read_queries(file: Path, count: int | None = None, table_columns: Columns = COLUMNS) -> Queries:
    """Read the queries of an evaluation, `count` of them where that is known.

    Raises Unreadable for what is not a table of queries, and for ranks that none can have.
    """
    table = read_table(file, table_columns, count, columns_there)
    if not len(table):
        raise Unreadable("has no query")
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    ranks, counts = _lists(columns["hit_ranks"])
    _refuse_ranks(ranks, counts)
    plain = {
        name: column.to_numpy(zero_copy_only=False)
        for name, column in columns.items()
        if not pyarrow.types.is_list(column.type)
    }
    return Queries(
        query_id=plain["query_id"],
        person_id=plain["person_id"],
        by_query={name: plain[name] for name in FOLLOWING if name in plain},
        hit_ranks=ranks,
        hit_counts=counts,
        top=_read_top(columns) if FIRST_IMAGES[0] in columns else None,
        tied=plain.get("tied"),
    )


def recompute(queries: Queries) -> dict[str, NDArray[Any]]:
    """Return what follows from the ranks of every query, (Q,) each."""
    return follow(queries.hit_ranks, queries.hit_counts)


def average(
    by_query: Mapping[str, NDArray[Any]], tied: NDArray[np.bool_] | None
) -> dict[str, float]:
    """Return Rank-k, mAP, mINP and the tied queries in percent, of what `recompute` returns."""
    means = {name: by_query["first_hit"] <= cut for name, cut in CUTS.items()}
    means["map"] = by_query["average_precision"]
    means["minp"] = by_query["inverse_negative_penalty"]
    if tied is not None:
        means[TIED] = tied
    return {name: 100.0 * float(values.mean()) for name, values in means.items()}


def compare_queries(queries: Queries, found: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield what is wrong with the figures that are stored of each query."""
    for name, stored in queries.by_query.items():
        values = found[name]
        wrong = ~(np.abs(stored - values) <= TOLERANCE)  # NaN is wrong too
        if wrong.any():
            row = int(wrong.argmax())
            told = f"{name} is {stored[row]!s}, its ranks give {values[row]!s}"
            yield f"{told} ({which(wrong)})"


def compare_means(stored: Mapping[str, float], found: Mapping[str, float]) -> Iterator[str]:
    """Yield what is wrong with stored means, in percent."""
    for name, value in found.items():
        if name not in stored:
            yield f"{name} is missing, the ranks give {value}"
        elif not abs(stored[name] - value) <= TOLERANCE:
            yield f"{name} is {stored[name]}, the ranks give {value}"
    if strange := sorted(stored.keys() - found.keys()):
        yield f"has {len(strange)} figures that no evaluation has"


def which(wrong: NDArray[Any]) -> str:
    """Name the first of the queries for which something is wrong, and say how many there are."""
    more = int(wrong.sum()) - 1
    return f"query row {int(wrong.argmax())}" + (f" and {more} more" if more else "")


def _lists(column: Any) -> tuple[NDArray[Any], Integers]:
    """Return the values of all lists of a column, and how many each has."""
    values = column.flatten().to_numpy(zero_copy_only=False)
    return values, np.diff(column.offsets.to_numpy()).astype(np.int64)


def _read_top(columns: Mapping[str, Any]) -> Top:
    rows, scores = (_matrix(name, columns[name]) for name in FIRST_IMAGES)
    if rows.shape != scores.shape:
        raise Unreadable(f"has lists of {' and '.join(FIRST_IMAGES)} of unequal length")
    return Top(rows, scores)


def _matrix(name: str, column: Any) -> NDArray[Any]:
    values, counts = _lists(column)
    if (counts != counts[0]).any() or not counts[0]:
        raise Unreadable(f"has lists of {name} of unequal length, or empty ones")
    return values.reshape(len(counts), counts[0])  # (Q, T)


def _refuse_ranks(ranks: Integers, counts: Integers) -> None:
    """Refuse hits that nothing can be computed of."""
    if (counts < 1).any():
        raise Unreadable(f"has queries without hit_ranks ({which(counts < 1)})")
    row_of_hit = np.repeat(np.arange(len(counts)), counts)
    same_query = row_of_hit[1:] == row_of_hit[:-1]
    wrong = ranks < 1
    wrong[1:] |= same_query & (ranks[1:] <= ranks[:-1])
    if wrong.any():
        of_query = np.bincount(row_of_hit, wrong, len(counts)) > 0
        raise Unreadable(f"has hit_ranks that do not ascend from 1 on ({which(of_query)})")
