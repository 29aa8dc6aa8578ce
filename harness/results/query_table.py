"""The table of an evaluation: one row a query, in the dataset's order, and what it found.

A compact table, as ships with the project, lacks what follows from the ranks of the hits, which is
computed again where it is read, and the lists of first images, which ranks do not need.

Shapes: Q queries, H hits in all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute  # an attribute of pyarrow only once it is imported
import pyarrow.parquet
from numpy.typing import NDArray

from harness.tie_order import IN_ROWS

_INTEGERS, _FLOATS = pyarrow.list_(pyarrow.int64()), pyarrow.list_(pyarrow.float32())
Columns = Mapping[str, tuple[Any, ...]]  # the types that a column may have
Integers = NDArray[np.int64]

COLUMNS: Columns = {
    "query_id": (pyarrow.int64(), pyarrow.string()),  # the number of a caption, or an image's id
    "person_id": (pyarrow.int64(),),
    "first_hit": (pyarrow.int64(),),  # the rank of the first right image, from 1
    "average_precision": (pyarrow.float64(),),
    "inverse_negative_penalty": (pyarrow.float64(),),
    "tied": (pyarrow.bool_(),),  # whether another order of what scores the same would change them
    "hit_ranks": (_INTEGERS,),  # of all right images, ascending
    "top_rows": (_INTEGERS,),  # of the gallery, best first
    "top_scores": (_FLOATS,),
}
HIT_RANKS = "hit_ranks"
FOLLOWING = ("first_hit", "average_precision", "inverse_negative_penalty")  # from the hit ranks
FIRST_IMAGES = ("top_rows", "top_scores")
MAY_LACK = (FOLLOWING, FIRST_IMAGES)  # of each, all columns are there or none


def columns_of(version: Any) -> Columns:
    """Return the columns of a table that was scored under a version of the protocol."""
    absent = ("tied",) if version == IN_ROWS else ()
    return {name: kinds for name, kinds in COLUMNS.items() if name not in absent}


def columns_there(columns: Columns, names: Collection[str]) -> Columns:
    """Return those of the columns that a table with some names must have: it may be compact."""
    absent = {name for group in MAY_LACK if not {*group} & {*names} for name in group}
    return {name: kinds for name, kinds in columns.items() if name not in absent}


def read_queries(file: Path, names: Sequence[str]) -> Any:
    """Read columns of the table of an evaluation; what a compact one lacks follows from its ranks.

    Raises:
        ValueError: it is no such table, or has no lists of first images where they are asked for.
        OSError: it cannot be read.
    """
    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:  # a third of the time of read_table
            there = columns_there(COLUMNS, parquet.schema_arrow.names)
            following = [name for name in names if name in FOLLOWING and name not in there]
            stored = [name for name in names if name not in following]
            read = dict.fromkeys((*stored, *([HIT_RANKS] if following else [])))
            refuse_columns(parquet.schema_arrow, {name: COLUMNS[name] for name in read})
            table = parquet.read(columns=list(read)).combine_chunks()
        return _with_following(table, names) if following else table
    except pyarrow.ArrowException as error:  # not all are one or the other
        raise ValueError(f"is no whole Parquet file: {error}") from error


def refuse_columns(schema: Any, columns: Columns) -> None:
    """Refuse a table that lacks columns or has them twice or of other types. Raises ValueError."""
    for name, kinds in columns.items():
        if schema.names.count(name) != 1 or schema.field(name).type not in kinds:
            raise ValueError(f"has no column {name} of {' or '.join(map(str, kinds))}")


def follow(ranks: Integers, counts: Integers) -> dict[str, NDArray[Any]]:
    """Return the rank of the first hit, AP and INP of every query, (Q,) each.

    AP is the mean over a query's hits of the precision at each; INP = hits / rank of the last one.

    Args:
        ranks: (H,) of the hits, query after query, ascending from 1 in each.
        counts: (Q,) of the hits, at least one each.
    """
    starts = np.cumsum(counts) - counts
    nth_hit = np.arange(1, len(ranks) + 1) - np.repeat(starts, counts)  # (H,)
    return {
        "first_hit": ranks[starts],
        "average_precision": np.add.reduceat(nth_hit / ranks, starts) / counts,
        "inverse_negative_penalty": counts / ranks[starts + counts - 1],
    }


def _with_following(table: Any, names: Sequence[str]) -> Any:
    """Return the columns that are asked for, those that follow from the ranks of the hits too."""
    lists = table[HIT_RANKS]
    counts = pyarrow.compute.list_value_length(lists).fill_null(0).to_numpy()
    values = pyarrow.compute.list_flatten(lists)
    ranks = values.fill_null(0).to_numpy()
    if (counts < 1).any() or (ranks < 1).any():
        raise ValueError(f"has {HIT_RANKS} from which nothing follows")
    following = follow(ranks, counts.astype(np.int64))
    columns = {**dict(zip(table.column_names, table.columns, strict=True)), **following}
    return pyarrow.table({name: columns[name] for name in names})
