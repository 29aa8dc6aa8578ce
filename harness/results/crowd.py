"""What a run finds among a crowd: the table that is kept, and the figures that follow from it.

`crowd.parquet` holds a row a query, in the dataset's order: the cosine of its best match, and at
every size of the crowd the ranks of its matches, the cosine of the best image of anybody else, and
whether a match hangs on a tie. `crowd.json` holds what follows: R1, R5, R10 and mAP at every size,
and how often a person is detected and identified where false alarms are rare.

The open set (Phillips, Grother and Micheals, "Evaluation Methods in Face Recognition", in Li and
Jain (eds.), "Handbook of Face Recognition", Springer, 2005): a search ends in an alarm where its
best image scores above a threshold. Of searches for people who are not there, the share that does
is the false alarm rate (FAR); of searches for people who are, the share whose best image is of the
right person and scores above it is the detection and identification rate (DIR) at rank 1. Every
query is asked twice: with its person's images in the gallery, and with them taken out.

What a larger crowd would do is told from a smaller one (`CrowdTable.foretell`). The best of many
scores whose tail falls exponentially has Gumbel's distribution, at a place that rises with the
logarithm of their number (Gumbel, "Statistics of Extremes", Columbia University Press, 1958). So
the best of the strangers who are still to come exceeds the best of those who came by a logistic
variable, the difference of two of Gumbel's, and R1 at G images of others is foretold from g as

    mean over queries of [right among g] / (1 + (G / g - 1) exp(-d / beta))

where d is how far the best match scores above the best of the g, and beta, how much that best rises
with each e-fold of a gallery, is measured on the last tenfold of it. A crowd of 1,000 is too small:
the tail has not begun.

Shapes: Q queries, H matches of all queries, L sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from harness.files import write_table
from harness.results.query_table import Columns, follow, refuse_columns

CROWD, CURVE = "crowd.parquet", "crowd.json"
DEPTHS = {"r1": 1, "r5": 5, "r10": 10}
ALARMS = {"dir1": 0.01, "dir10": 0.1}  # by figure: the false alarm rate that is allowed
FIGURES = {
    "r1": "R1",
    "r5": "R5",
    "r10": "R10",
    "map": "mAP",
    "dir1": "DIR at FAR 1 %",
    "dir10": "DIR at FAR 10 %",
}

BASE = 10_000  # the crowd that larger ones are foretold from

_RANKS, _OTHER, _TIED = "hit_ranks_", "other_score_", "tied_"
_FIXED: Columns = {
    "query_id": (pyarrow.int64(),),
    "person_id": (pyarrow.int64(),),
    "hit_score": (pyarrow.float32(),),
}

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CrowdTable:
    """What each query found in the gallery alone and among crowds that grow."""

    sizes: tuple[int, ...]  # L, strangers in the gallery, ascending from 0
    people: Integers  # (Q,) of the queries
    hit_counts: Integers  # (Q,)
    hit_ranks: Integers  # (L, H) from 1, ascending in each query
    hit_scores: NDArray[np.float32]  # (Q,) cosine of the best match
    other_scores: NDArray[np.float32]  # (L, Q) of the best image of anybody else
    tied: NDArray[np.bool_]  # (L, Q)

    def level(self, size: int) -> int:
        """Return the place of a size. Raises ValueError: it was not scored."""
        return self.sizes.index(size)

    def by_query(self, level: int) -> dict[str, Floats]:
        """Return each of `FIGURES` at a size in percent, by query: (Q,)."""
        ranks = follow(self.hit_ranks[level], self.hit_counts)
        first = ranks["first_hit"]
        found: dict[str, NDArray[Any]] = {name: first <= depth for name, depth in DEPTHS.items()}
        found["map"] = ranks["average_precision"]
        for name, rate in ALARMS.items():
            found[name] = (first == 1) & (self.hit_scores > self.threshold(level, rate))
        return {name: 100.0 * values.astype(np.float64) for name, values in found.items()}

    def threshold(self, level: int, rate: float) -> float:
        """Return the lowest score above which no more than this share of false alarms lies."""
        allowed = int(rate * len(self.people) + 1e-9)
        return float(np.sort(self.other_scores[level])[-1 - allowed])

    def foretell(self, gallery: int, size: int) -> float | None:
        """Foretell R1 in percent among more than `BASE` strangers, from what was found among them.

        Takes how many images the gallery has alone. Returns None where `BASE` or a tenth of it was
        not scored, or nothing rises with it.
        """
        if BASE not in self.sizes or BASE // 10 not in self.sizes:
            return None
        level, before = self.sizes.index(BASE), self.sizes.index(BASE // 10)
        others = gallery - self.hit_counts  # (Q,)
        grown = (others + BASE) / (others + BASE // 10)
        scores = self.other_scores.astype(np.float64)
        beta = float(((scores[level] - scores[before]) / np.log(grown)).mean())
        if not 0 < beta < np.inf:
            return None
        ahead = np.maximum(self.hit_scores - scores[level], 0.0)
        more = (others + size) / (others + BASE) - 1
        stays = 1 / (1 + more * np.exp(-ahead / beta))
        is_right = self.by_query(level)["r1"] > 0
        return 100.0 * float(np.where(is_right, stays, 0.0).mean())

    def curve(self, gallery: int) -> list[dict[str, Any]]:
        """Return the figures at each size, with 95 % intervals for other people.

        Thresholds are taken as they are: an interval of DIR does not tell of those that other
        people would have set. Beside R1 stands what is foretold of it; `gallery` is as there.
        """
        points = [self._point(level) for level in range(len(self.sizes))]
        for size, point in zip(self.sizes, points, strict=True):
            point["r1_foretold"] = self.foretell(gallery, size) if size > BASE else None
        return points

    def _point(self, level: int) -> dict[str, Any]:
        from harness.significance import compare_pairs

        family = compare_pairs(self.by_query(level), [], self.people)
        return {
            "distractors": self.sizes[level],
            **family.means,
            "intervals": {name: list(ends) for name, ends in family.intervals.items()},
            "thresholds": {name: self.threshold(level, rate) for name, rate in ALARMS.items()},
            "tied": 100.0 * float(self.tied[level].mean()),
        }


def write_crowd(file: Path, table: CrowdTable) -> None:
    """Write a table as Parquet."""
    ends = np.cumsum(table.hit_counts)[:-1]
    columns: dict[str, Any] = {
        "query_id": np.arange(len(table.people)),
        "person_id": table.people,
        "hit_score": table.hit_scores,
    }
    for level, size in enumerate(table.sizes):
        columns[f"{_RANKS}{size}"] = np.split(table.hit_ranks[level], ends)
        columns[f"{_OTHER}{size}"] = table.other_scores[level]
        columns[f"{_TIED}{size}"] = table.tied[level]
    write_table(file, columns)


def read_crowd(file: Path) -> CrowdTable:
    """Read a table.

    Raises:
        ValueError: it is no such table, or holds ranks or scores that none can have.
        OSError: it cannot be read.
    """
    return _parse(*read_by_size(file, sizes_of, columns_of_crowd))


def read_by_size(
    file: Path,
    sizes_of: Callable[[Sequence[str]], tuple[int, ...]],
    columns_of: Callable[[tuple[int, ...]], Columns],
) -> tuple[Any, tuple[int, ...]]:
    """Read a table that has columns for every size of a crowd, and return it with the sizes.

    `sizes_of` and `columns_of` tell the sizes by the names of columns, and what columns they have.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    try:
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
            sizes = sizes_of(parquet.schema_arrow.names)
            refuse_columns(parquet.schema_arrow, columns_of(sizes))
            table = parquet.read().combine_chunks()
        table.validate(full=True)
    except pyarrow.ArrowException as error:
        raise ValueError(f"is no whole Parquet file: {error}") from error
    if not len(table) or not sizes:
        raise ValueError("has no query, or no size of a crowd")
    return table, sizes


def sizes_of(names: Sequence[str]) -> tuple[int, ...]:
    """Return the sizes that the columns of a table tell of, ascending."""
    return sizes_after(_RANKS, names)


def sizes_after(prefix: str, names: Sequence[str]) -> tuple[int, ...]:
    """Return the sizes that stand behind a prefix in names of columns, ascending."""
    told = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return tuple(sorted(int(size) for size in told if size.isdecimal() and len(size) < 13))


def values_of(table: Any, name: str) -> NDArray[Any]:
    """Return a column of a table. Raises ValueError: some of its values are missing."""
    column = table.column(name)
    if column.null_count:
        raise ValueError(f"column {name} has missing values")
    found: NDArray[Any] = column.to_numpy()
    return found


def columns_of_crowd(sizes: tuple[int, ...]) -> Columns:
    """Return the columns of a table, with their types."""
    columns = dict(_FIXED)
    for size in sizes:
        columns[f"{_RANKS}{size}"] = (pyarrow.list_(pyarrow.int64()),)
        columns[f"{_OTHER}{size}"] = (pyarrow.float32(),)
        columns[f"{_TIED}{size}"] = (pyarrow.bool_(),)
    return columns


def _parse(table: Any, sizes: tuple[int, ...]) -> CrowdTable:
    values = partial(values_of, table)

    def lists(size: int) -> tuple[Integers, Integers]:
        column = table.column(f"{_RANKS}{size}").combine_chunks()
        flat = column.flatten()
        if column.null_count or flat.null_count:
            raise ValueError(f"column {_RANKS}{size} has missing values")
        counts = np.diff(column.offsets.to_numpy()).astype(np.int64)
        return flat.to_numpy(zero_copy_only=False), counts

    ranks, counts = zip(*map(lists, sizes), strict=True)
    if any(not np.array_equal(counts[0], other) for other in counts) or (counts[0] < 1).any():
        raise ValueError("has queries without matches, or with more at one size than at another")
    found = CrowdTable(
        sizes,
        values("person_id"),
        counts[0],
        np.stack(ranks),
        values("hit_score"),
        np.stack([values(f"{_OTHER}{size}") for size in sizes]),
        np.stack([values(f"{_TIED}{size}") for size in sizes]),
    )
    _refuse_odd(found)
    return found


def _refuse_odd(table: CrowdTable) -> None:
    """Refuse what no crowd gives: ranks that fall, or rise by more than the crowd grows."""
    row_of_hit = np.repeat(np.arange(len(table.hit_counts)), table.hit_counts)
    within = row_of_hit[1:] == row_of_hit[:-1]
    if (table.hit_ranks < 1).any() or ((np.diff(table.hit_ranks) <= 0) & within).any():
        raise ValueError("has ranks that do not ascend from 1 on")
    grown, risen = np.diff(table.sizes), np.diff(table.hit_ranks, axis=0)
    if (grown <= 0).any() or (risen < 0).any() or (risen > grown[:, None]).any():
        raise ValueError("has ranks that do not rise as the crowd does")
    if table.sizes[0] or (np.diff(table.other_scores, axis=0) < 0).any():
        raise ValueError("does not begin with the gallery alone, or has best scores that fall")
    if not np.isfinite(table.hit_scores).all() or np.isnan(table.other_scores).any():
        raise ValueError("has scores that are no numbers")


def refused_figures(stored: Any, found: list[dict[str, Any]]) -> str | None:
    """Say what is wrong with a stored curve beside the one that its table gives; None: nothing."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("curve"), list):
        return "holds no curve"
    if len(stored["curve"]) != len(found):
        return f"has {len(stored['curve'])} sizes, its table has {len(found)}"
    for told, point in zip(stored["curve"], found, strict=True):
        if wrong := _differing(told, point):
            name, value, right = wrong
            size = point["distractors"]
            return f"{name} at {size:,} distractors is {value}, the table gives {right}"
    return None


TOLERANCE = 1e-9  # sums may differ in the last bit between processors


def _differing(told: Any, point: Any, name: str = "curve") -> tuple[str, Any, Any] | None:
    """Return the first value that is another one, with its name and both."""
    if isinstance(point, Mapping):
        if not isinstance(told, Mapping) or told.keys() != point.keys():
            return name, "of other figures", "what every curve has"
        pairs = [(key, told[key], point[key]) for key in point]
    elif isinstance(point, list):
        if not isinstance(told, list) or len(told) != len(point):
            return name, told, point
        pairs = [(name, one, other) for one, other in zip(told, point, strict=True)]
    elif point is None:
        return None if told is None else (name, told, "nothing")
    else:
        is_number = type(told) in (int, float)
        return None if is_number and _is_near(told, point) else (name, told, point)
    return next(
        (wrong for key, one, other in pairs if (wrong := _differing(one, other, key))), None
    )


def _is_near(told: float, value: float) -> bool:
    return told == value or abs(told - value) <= TOLERANCE
