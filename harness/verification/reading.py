"""Reading stored files whose content may be anything: values, or one line of what is wrong.

Nothing is executed or unpickled, no link is followed, and no path is made of what a file says.
"""

from __future__ import annotations

import json
import stat
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pyarrow
import pyarrow.parquet

from harness.printable import printable
from harness.results import SCHEMA_VERSION, EvaluationRecord, RunRecord
from harness.verification.findings import Unreadable

MOST_BYTES = 1 << 32  # of a table on disk
MOST_VALUES = 1 << 27  # of a table, in all columns: a small file can hold very many equal ones
MOST_TEXT = 1 << 26  # bytes of a JSON file
LARGEST = 1 << 63  # of a number


def read_json(file: Path) -> Any:
    """Read a JSON file. Raises Unreadable."""
    _refuse_size(file, MOST_TEXT)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {printable(str(error))}") from error


def read_run(file: Path) -> RunRecord:
    """Read a record of a run. Raises Unreadable."""
    values = read_json(file)
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise Unreadable(f"has schema version {_short(version)}; this harness reads 1")
    return RunRecord(**_checked(values, RunRecord))


def read_evaluation(file: Path) -> EvaluationRecord:
    """Read a record of a further evaluation. Raises Unreadable."""
    return EvaluationRecord(**_checked(read_json(file), EvaluationRecord))


def read_figures(file: Path) -> dict[str, float]:
    """Read a JSON mapping of names to finite numbers. Raises Unreadable."""
    values = read_json(file)
    if not _fits(values, Mapping[str, float]):
        raise Unreadable("does not hold finite numbers by name")
    return dict(values)


def read_table(file: Path, columns: Mapping[str, tuple[Any, ...]], rows: int | None = None) -> Any:
    """Read columns of a Parquet file, each of one of its types, without a value missing.

    Where `rows` is given, the table must have as many. Raises Unreadable.
    """
    _refuse_size(file, MOST_BYTES)
    try:
        # By default a whole column of images would be taken into memory.
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
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


def _refuse_shape(parquet: Any, columns: Mapping[str, tuple[Any, ...]], rows: int | None) -> None:
    found = parquet.schema_arrow
    for name, kinds in columns.items():
        if found.names.count(name) != 1 or found.field(name).type not in kinds:
            raise Unreadable(f"has no column {name} of {' or '.join(map(str, kinds))}")
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


def _refuse_size(file: Path, most: int) -> None:
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


def _checked(values: Any, kind: type[RunRecord] | type[EvaluationRecord]) -> dict[str, Any]:
    """Return the values of a record's fields, which must be of the declared types."""
    if not isinstance(values, dict):
        raise Unreadable("does not hold a record")
    hints = get_type_hints(kind)
    needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
    if missing := sorted(needed - values.keys()):
        raise Unreadable(f"lacks {', '.join(missing)}")
    known = {name: value for name, value in values.items() if name in hints}
    for name, value in known.items():
        if not _fits(value, hints[name]):
            raise Unreadable(f"says {name} = {_short(value)}, which is of another type")
    return {name: _frozen(value, hints[name]) for name, value in known.items()}


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value from JSON is what a type hint promises."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())
    if origin is tuple:
        kinds = [inner[0]] * len(value) if isinstance(value, list) and ... in inner else inner
        same = isinstance(value, list) and len(value) == len(kinds)
        return same and all(map(_fits, value, kinds))
    return _is_plain(value, hint)


def _is_plain(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint in (int, float):  # NaN is not below anything
        kinds = (int, float) if hint is float else (int,)
        return type(value) in kinds and -LARGEST < value < LARGEST
    return isinstance(value, hint)


def _frozen(value: Any, hint: Any) -> Any:
    if get_origin(hint) is not tuple:
        return value
    return tuple(tuple(one) if isinstance(one, list) else one for one in value)


def _short(value: Any) -> str:
    return printable(repr(value), 60) if isinstance(value, str | int | float) else str(type(value))
