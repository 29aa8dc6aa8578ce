"""The table of an evaluation: one row a query, in the dataset's order, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from harness.tie_order import IN_ROWS

_INTEGERS, _FLOATS = pyarrow.list_(pyarrow.int64()), pyarrow.list_(pyarrow.float32())
Columns = Mapping[str, tuple[Any, ...]]  # the types that a column may have

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


def columns_of(version: Any) -> Columns:
    """Return the columns of a table that was scored under a version of the protocol."""
    absent = ("tied",) if version == IN_ROWS else ()
    return {name: kinds for name, kinds in COLUMNS.items() if name not in absent}


def read_queries(file: Path, names: Sequence[str]) -> Any:
    """Read columns of the table of an evaluation.

    Raises:
        ValueError: it is no such table.
        OSError: it cannot be read.
    """
    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:  # a third of the time of read_table
            refuse_columns(parquet.schema_arrow, {name: COLUMNS[name] for name in names})
            return parquet.read(columns=list(names)).combine_chunks()
    except pyarrow.ArrowException as error:  # not all are one or the other
        raise ValueError(f"is no whole Parquet file: {error}") from error


def refuse_columns(schema: Any, columns: Columns) -> None:
    """Refuse a table that lacks columns or has them twice or of other types. Raises ValueError."""
    for name, kinds in columns.items():
        if schema.names.count(name) != 1 or schema.field(name).type not in kinds:
            raise ValueError(f"has no column {name} of {' or '.join(map(str, kinds))}")
