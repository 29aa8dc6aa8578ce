"""What an index finds among a crowd beside the exact scan: the table that is kept, and its figures.

`index.parquet` holds a row a query, in the dataset's order, and at every size of the crowd how many
of the exact nearest ten the index gave, whether the one that it put first is an exact nearest,
whether that one is of the right person, and whether the first of the exact scan is. `index.json`
holds what follows, recall@1, recall@10 and R1 both ways, and what cannot be computed again: time
and size. An image that scores as high as the tenth of the exact nearest counts as one of them.

Shapes: Q queries, L sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from harness.files import write_table
from harness.indexes import NEAREST
from harness.results.crowd import CrowdTable, read_by_size, sizes_after, values_of
from harness.results.query_table import Columns

INDEX, JUDGED = "index.parquet", "index.json"
FIGURES = {
    "recall1": "Recall@1",
    "recall10": "Recall@10",
    "r1": "R1",
    "r1_exact": "R1 exact",
}
COSTS = {
    "milliseconds": "ms a query",
    "scan_milliseconds": "ms exact",
    "build_seconds": "s to build",
    "bytes": "MB",
}
SMALLEST = 1000  # crowd that an index is held against, but for one that is smaller
TOLERANCE = 1e-9  # sums may differ in the last bit between processors

_FOUND, _NEAREST, _RIGHT, _EXACT = "found_", "nearest_", "right_", "exact_right_"
_FIXED: Columns = {"query_id": (pyarrow.int64(),), "person_id": (pyarrow.int64(),)}

Flags = NDArray[np.bool_]


def judged_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return those of a crowd's sizes at which an index is asked."""
    return tuple(size for size in sizes if size >= SMALLEST) or (sizes[-1],)


def first_is_right(table: CrowdTable, sizes: Sequence[int]) -> Flags:
    """Return whether an exact scan puts the right person first at some of its sizes: (L, Q)."""
    levels = [table.level(size) for size in sizes]
    starts = np.cumsum(table.hit_counts) - table.hit_counts
    first: Flags = table.hit_ranks[levels][:, starts] == 1
    return first


@dataclass(frozen=True)
class IndexTable:
    """What each query found through an index among crowds that grow."""

    sizes: tuple[int, ...]  # L, strangers in the gallery, ascending
    people: NDArray[np.int64]  # (Q,) of the queries
    found: NDArray[np.int8]  # (L, Q) of the exact nearest
    nearest: Flags  # (L, Q) whether the first is an exact nearest
    right: Flags  # (L, Q) whether the first is of the right person
    exact_right: Flags  # (L, Q) whether the first of the exact scan is

    def figures(self, gallery: int) -> list[dict[str, Any]]:
        """Return `FIGURES` at each size in percent; `gallery` images are no strangers."""
        asked = [min(NEAREST, gallery + size) for size in self.sizes]
        return [
            {
                "distractors": size,
                "recall1": 100.0 * float(self.nearest[level].mean()),
                "recall10": 100.0 * float(self.found[level].mean()) / asked[level],
                "r1": 100.0 * float(self.right[level].mean()),
                "r1_exact": 100.0 * float(self.exact_right[level].mean()),
            }
            for level, size in enumerate(self.sizes)
        ]


def write_index_table(file: Path, table: IndexTable) -> None:
    """Write a table as Parquet."""
    columns: dict[str, Any] = {
        "query_id": np.arange(len(table.people)),
        "person_id": table.people,
    }
    for level, size in enumerate(table.sizes):
        columns[f"{_FOUND}{size}"] = table.found[level]
        columns[f"{_NEAREST}{size}"] = table.nearest[level]
        columns[f"{_RIGHT}{size}"] = table.right[level]
        columns[f"{_EXACT}{size}"] = table.exact_right[level]
    write_table(file, columns)


def read_index_table(file: Path) -> IndexTable:
    """Read a table.

    Raises:
        ValueError: it is no such table, or holds what no index gives.
        OSError: it cannot be read.
    """
    return _parse(*read_by_size(file, sizes_of_index, columns_of_index))


def sizes_of_index(names: Sequence[str]) -> tuple[int, ...]:
    """Return the sizes that the columns of a table tell of, ascending."""
    return sizes_after(_FOUND, names)


def columns_of_index(sizes: Sequence[int]) -> Columns:
    """Return the columns of a table, with their types."""
    columns = dict(_FIXED)
    for size in sizes:
        columns[f"{_FOUND}{size}"] = (pyarrow.int8(),)
        columns |= {f"{name}{size}": (pyarrow.bool_(),) for name in (_NEAREST, _RIGHT, _EXACT)}
    return columns


def _parse(table: Any, sizes: tuple[int, ...]) -> IndexTable:
    def stacked(name: str) -> NDArray[Any]:
        return np.stack([values_of(table, f"{name}{size}") for size in sizes])

    found = IndexTable(
        sizes, values_of(table, "person_id"), *map(stacked, (_FOUND, _NEAREST, _RIGHT, _EXACT))
    )
    if (found.found < 0).any() or (found.found > NEAREST).any():
        raise ValueError(f"has queries that found fewer than none or more than {NEAREST}")
    if (found.nearest & (found.found < 1)).any():
        raise ValueError("has queries that found the nearest, and none of the nearest")
    return found


def refused_points(stored: Any, table: IndexTable) -> str | None:
    """Say what is wrong with what is stored beside a table; None: nothing."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("points"), list):
        return "holds no points"
    found = table.figures(stored["gallery"])  # a number of images, as who asks has seen
    if len(stored["points"]) != len(found):
        return f"has {len(stored['points'])} sizes, its table has {len(found)}"
    for told, point in zip(stored["points"], found, strict=True):
        if not isinstance(told, Mapping) or told.keys() != {*point, *COSTS, "settings"}:
            return "has other figures than those of an index"
        if wrong := next((name for name in point if not _is(told[name], point[name])), None):
            size = f"{point['distractors']:,} distractors"
            return f"{wrong} at {size} is {told[wrong]}, the table gives {point[wrong]}"
        if wrong := next((name for name in COSTS if not _is_cost(told[name])), None):
            return f"{wrong} is {told[wrong]}, which nothing costs"
        if not isinstance(told["settings"], str):
            return "has settings that are no text"
    return None


def _is(told: Any, value: float) -> bool:
    return type(told) in (int, float) and abs(told - value) <= TOLERANCE


def _is_cost(told: Any) -> bool:
    return type(told) in (int, float) and math.isfinite(told) and told >= 0
