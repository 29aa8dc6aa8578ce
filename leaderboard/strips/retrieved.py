"""What a run retrieved for each query, read from its table of queries.

Shapes: Q queries, K the first images of a query, ten of them unless a gallery is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute  # an attribute of pyarrow only once it is imported
import pyarrow.parquet
from numpy.typing import NDArray

from harness.results import (
    EVALUATIONS,
    PRIMARY_EVALUATION,
    QUERIES,
    StoredRun,
)
from harness.results.query_table import FIRST_IMAGES, read_queries

DEPTH = 10  # images of a strip
NOTHING = -1  # in place of a gallery row, where a gallery has fewer images

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Retrieved:
    """The first images of every query under one seed."""

    rows: Integers  # (Q, K) of the gallery, best first
    right: NDArray[np.bool_]  # (Q, K) whether an image shows the person
    first: Integers  # (Q,) rank of the first right image, from 1


def read_retrieved(run: StoredRun) -> Retrieved | None:
    """Read what a run retrieved; None where its table does not tell or contradicts itself."""
    table = _read(run, ["first_hit", "hit_ranks", "top_rows"])
    if table is None:
        return None
    try:
        rows = _padded(table["top_rows"])
        right = _right(table["hit_ranks"], rows.shape)
        first = table["first_hit"].to_numpy().astype(np.int64)
    except (ValueError, TypeError, pyarrow.ArrowException):  # values are missing, or too large
        return None
    retrieved = Retrieved(rows, right, first)
    return retrieved if _agrees(retrieved) else None


def lacks_lists(run: StoredRun) -> bool:
    """Tell whether a run was stored without its lists of first images, as most that ship are."""
    file = run.path / EVALUATIONS / PRIMARY_EVALUATION / QUERIES
    try:
        names = pyarrow.parquet.read_schema(file).names
    except (OSError, ValueError, pyarrow.ArrowException):
        return False
    return not {*FIRST_IMAGES} & {*names}


def _read(run: StoredRun, columns: list[str]) -> Any:
    try:
        return read_queries(run.path / EVALUATIONS / PRIMARY_EVALUATION / QUERIES, columns)
    except (OSError, ValueError):
        return None


def _agrees(retrieved: Retrieved) -> bool:
    """Say whether the first right image is where the table says that it is."""
    right, first = retrieved.right, retrieved.first
    if not right.size or (retrieved.rows < NOTHING).any():
        return False
    return bool(np.where(right.any(1), right.argmax(1) + 1 == first, first > right.shape[1]).all())


def _padded(lists: Any) -> Integers:
    """Return lists of a table as rows (Q, K)."""
    query, place, values = _spread(lists)
    kept = place < DEPTH
    width = int(place[kept].max(initial=-1)) + 1
    rows = np.full((len(lists), width), NOTHING, np.int64)
    rows[query[kept], place[kept]] = values[kept]
    return rows


def _right(hit_ranks: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    query, _, ranks = _spread(hit_ranks)
    kept = (ranks >= 1) & (ranks <= shape[1])
    right = np.zeros(shape, np.bool_)
    right[query[kept], ranks[kept] - 1] = True
    return right


def _spread(lists: Any) -> tuple[Integers, Integers, Integers]:
    """Return, for every item of a column of lists, its row, its place in the list and its value."""
    sizes = np.asarray(pyarrow.compute.list_value_length(lists).fill_null(0)).astype(np.int64)
    values = np.asarray(pyarrow.compute.list_flatten(lists)).astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    row = np.repeat(np.arange(len(sizes)), sizes)
    return row, np.arange(len(values)) - starts[row], values
