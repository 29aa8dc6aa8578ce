"""Reading stored files whose content may be anything: values, or one line of what is wrong.

Nothing is executed or unpickled, no link is followed, and no path is made of what a file says.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from harness.printable import printable
from harness.results import EvaluationRecord, RunRecord
from harness.results.query_table import Columns, refuse_columns
from harness.results.record import parse_evaluation, parse_run
from harness.verification.findings import Unreadable

MOST_BYTES = 1 << 32  # of a table on disk
MOST_VALUES = 1 << 27  # of a table, in all columns: a small file can hold very many equal ones
MOST_TEXT = 1 << 26  # bytes of a JSON file
LARGEST = 1 << 63  # of a number

Choose = Callable[[Columns, Collection[str]], Columns]


def read_json(file: Path) -> Any:
    """Read a JSON file. Raises Unreadable."""
    refuse_size(file, MOST_TEXT)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {printable(str(error))}") from error


def read_run(file: Path) -> RunRecord:
    """Read a record of a run. Raises Unreadable."""
    try:
        record = parse_run(read_json(file))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    _refuse_numbers(vars(record))
    _refuse_numbers(record.metrics)
    return record


def read_evaluation(file: Path) -> EvaluationRecord:
    """Read a record of a further evaluation. Raises Unreadable."""
    try:
        record = parse_evaluation(read_json(file))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    _refuse_numbers(vars(record))
    return record


def read_figures(file: Path) -> dict[str, float]:
    """Read a JSON mapping of names to finite numbers. Raises Unreadable."""
    values = read_json(file)
    if not isinstance(values, dict) or any(
        type(one) not in (int, float) for one in values.values()
    ):
        raise Unreadable("does not hold numbers by name")
    _refuse_numbers(values)
    return values


def _refuse_numbers(values: Mapping[str, Any]) -> None:
    """Refuse numbers that are none, or larger than can be reckoned with."""
    for name, value in values.items():
        if isinstance(value, int | float) and not -LARGEST < value < LARGEST:  # nor is NaN
            told = f"{printable(name, 60)} = {printable(repr(value), 60)}"
            raise Unreadable(f"says {told}, which is no such number")


def read_table(
    file: Path,
    columns: Columns,
    rows: int | None = None,
    choose: Choose = lambda columns, names: columns,
) -> Any:
    """Read columns of a Parquet file, each of one of its types, without a value missing.

    Where `rows` is given, the table must have as many. `choose` tells which of the columns a table
    with some names must have. Raises Unreadable.
    """
    refuse_size(file, MOST_BYTES)
    try:
        # By default a whole column of images would be taken into memory.
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
            columns = choose(columns, parquet.schema_arrow.names)
            _refuse_shape(parquet, columns, rows)
            table = parquet.read(columns=list(columns))
        table.validate(full=True)
    except OSError as error:
        raise Unreadable(f"cannot be read: {printable(str(error))}") from error
    except (ValueError, TypeError, KeyError, MemoryError, pyarrow.ArrowException) as error:
        raise Unreadable(f"is not a whole Parquet file: {printable(str(error))}") from error
    for name in columns:
        if _has_gaps(table.column(name)):
            raise Unreadable(f"column {name} has missing values")
    return table


def _refuse_shape(parquet: Any, columns: Columns, rows: int | None) -> None:
    try:
        refuse_columns(parquet.schema_arrow, columns)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if rows is not None and parquet.metadata.num_rows != rows:
        raise Unreadable(f"has {parquet.metadata.num_rows} rows; the dataset asks for {rows}")
    groups = [parquet.metadata.row_group(n) for n in range(parquet.metadata.num_row_groups)]
    values = sum(group.column(n).num_values for group in groups for n in range(group.num_columns))
    if values > MOST_VALUES:
        raise Unreadable(f"says that it holds {values} values, which no table of a run does")


def _has_gaps(column: Any) -> bool:
    if pyarrow.types.is_list(column.type):
        return bool(column.null_count or column.combine_chunks().flatten().null_count)
    return bool(column.null_count)


def refuse_size(file: Path, most: int) -> None:
    """Refuse what is no plain file (a link, a pipe) or too large."""
    try:
        found = file.lstat()
    except FileNotFoundError as error:
        raise Unreadable("is missing") from error
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {printable(str(error))}") from error
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("is not a plain file")
    if found.st_size > most:
        raise Unreadable(f"has {found.st_size} bytes, more than such a file ever has")
