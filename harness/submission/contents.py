"""The files of a bundle, each by itself: JSON and tables that can be read without harm.

What verifying reads it checks as well; here is what only pages read, and what is cheap to refuse
before anything is recomputed.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from harness.data.digest import GALLERY, QUERIES
from harness.printable import printable
from harness.results import HISTORY, SELECTION_AUDIT, TIED
from harness.results.crowd import CROWD, columns_of_crowd, sizes_of
from harness.results.crowd_index import INDEX, columns_of_index, sizes_of_index
from harness.results.query_table import COLUMNS, columns_of
from harness.submission.unpacking import Refused
from harness.tie_order import IN_ROWS

DEEPEST = 20
LARGEST = 1 << 63
LONGEST_TEXT = 20_000  # characters of a string in JSON
LONGEST_VALUE = 1 << 16  # bytes of a string or a thumbnail in a table
MOST_ROWS = 1 << 20
MOST_VALUES = 1 << 24  # of a table, in all columns
MOST_TEXT = 1 << 29  # bytes of all strings of a table
TURNS_AROUND = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_NUMBERS = (pyarrow.int64(), pyarrow.float64(), pyarrow.null())  # of a history
_TEXTS = (pyarrow.string(), pyarrow.binary())


def read_strict(file: Path) -> Any:
    """Read JSON without numbers that are none, names that stand twice, or unprintable text.

    Raises:
        Refused: it has any, or is no JSON at all.
    """
    try:
        values = json.loads(
            file.read_text(encoding="utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
        _refuse_values(values)
    except (ValueError, RecursionError) as error:
        told = str(error) or "it is nested too deep"
        raise Refused(f"{file.name} cannot be read: {printable(told)}") from error
    return values


def check_table(file: Path) -> None:
    """Refuse a table that has other columns than those of its name, or holds too much."""
    try:
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
            texts = _check_shape(parquet, file)
        for column in texts:
            _check_texts(file, column)
    except (OSError, ValueError, TypeError, KeyError, pyarrow.ArrowException) as error:
        raise Refused(f"it is no whole Parquet file: {printable(str(error))}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return values


def _refuse_values(values: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValueError("it is nested too deep")
    if isinstance(values, str):
        _refuse_text(values)
    elif isinstance(values, int) and abs(values) >= LARGEST:
        raise ValueError("a number is too large")
    elif isinstance(values, Mapping):
        for name, value in values.items():
            _refuse_text(name)
            _refuse_values(value, depth + 1)
    elif isinstance(values, list):
        for value in values:
            _refuse_values(value, depth + 1)


def _refuse_text(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"a text has {len(text):,} characters")
    if text.isprintable():
        return
    odd = (c for c in text if c in TURNS_AROUND or unicodedata.category(c) in ("Cc", "Cs"))
    if wrong := next((c for c in odd if c not in "\n\t"), None):
        raise ValueError(f"a text holds the control character U+{ord(wrong):04X}")


def _check_shape(parquet: Any, file: Path) -> list[str]:
    """Refuse columns and sizes that no such table has; return the columns of text."""
    found, metadata = parquet.schema_arrow, parquet.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    values = sum(group.column(n).num_values for group in groups for n in range(group.num_columns))
    if metadata.num_rows > MOST_ROWS or values > MOST_VALUES:
        raise Refused(f"it says that it has {metadata.num_rows:,} rows and {values:,} values")
    for flaw in _odd_columns(file, found):
        raise Refused(flaw)
    return [column.name for column in found if column.type in _TEXTS]


def _odd_columns(file: Path, found: Any) -> Iterator[str]:
    if file.name in (HISTORY, SELECTION_AUDIT):
        for column in found:
            _refuse_text(column.name)
            if column.type not in _NUMBERS:
                yield f"column {printable(column.name)} of {column.type} is no column of a history"
        return
    kinds = _columns_of(file, found.names)
    if sorted(found.names) != sorted(kinds):
        yield f"it has the columns {printable(', '.join(found.names))}, not {', '.join(kinds)}"
    for name in kinds:
        if name in found.names and found.field(name).type not in kinds[name]:
            yield f"column {name} is of {found.field(name).type}"


def _columns_of(file: Path, found: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    if file.name == CROWD:
        return columns_of_crowd(sizes_of(found))
    if file.name == INDEX:
        return columns_of_index(sizes_of_index(found))
    if file.parent.parent.name == "evaluations":  # verifying asks for those of the run's protocol
        return COLUMNS if TIED in found else columns_of(IN_ROWS)
    schema = QUERIES if file.name == "queries.parquet" else GALLERY
    return {column.name: (column.type, pyarrow.null()) for column in schema}


def _check_texts(file: Path, column: str) -> None:
    """Refuse texts that are long or many: equal ones take no room in a file, but in the memory."""
    parquet = pyarrow.parquet.ParquetFile(file, read_dictionary=[column], pre_buffer=False)
    with parquet:
        chunks = parquet.read(columns=[column]).column(0).chunks
    total = 0
    for chunk in chunks:
        lengths = pyarrow.compute.binary_length(chunk.dictionary)
        longest = pyarrow.compute.max(lengths).as_py() or 0
        if longest > LONGEST_VALUE:
            raise Refused(f"column {column} holds a value of {longest:,} bytes")
        total += pyarrow.compute.sum(lengths.take(chunk.indices)).as_py() or 0
    if total > MOST_TEXT:
        raise Refused(f"column {column} holds {total:,} bytes")
