"""The rows of a file of companions, Parquet or JSON lines: read, and checked each by itself."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.companions import By, Kind
from harness.errors import HarnessError
from harness.printable import printable

IMAGES = ("image_id", "image")  # by which a row names its image: one of them
KINDS: Mapping[str, Kind] = {  # of the columns with what a row holds: one of them
    "text": "texts",
    "texts": "texts",
    "label": "labels",
    "labels": "labels",
}
CAPTION = "caption"
FORMAT = (
    "A row has image_id, or image, its path in the annotation; caption, which of the image's "
    "captions it is of, from 0, or no such column, where it is of the image; and one of text, "
    "texts, label and labels."
)
LARGEST = 2**63 - 1  # of a whole number
NO_CHARACTERS = ("Cc", "Cs")  # Unicode's categories: control characters, halves of a character

Row = Mapping[str, Any]
Value = str | int | float


@dataclass(frozen=True)
class CompanionRows:
    """N rows of a file: what each is of, and what it holds."""

    file: Path
    key: str  # one of IMAGES
    names: Sequence[str]  # N, of images, as the key has them
    by: By
    captions: Sequence[Any]  # N, as the file has them: to be numbers from 0, where by caption
    kind: Kind
    values: Sequence[Sequence[Value]]  # N, all texts, all whole numbers or all floating ones

    def place(self, row: int) -> str:
        """Name a row, by its number from 0, as a reader of the file counts."""
        return _place(self.file, row)


def read_companion_rows(file: Path) -> CompanionRows:
    """Read a file of companions.

    Raises:
        HarnessError: it cannot be read, has other columns, or a row is not as it should be.
    """
    if file.suffix not in _READERS:
        raise HarnessError(f"{file}: companions are a .parquet or a .jsonl file. {FORMAT}")
    try:
        rows = _READERS[file.suffix](file)
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error}") from error
    if not rows:
        raise HarnessError(f"{file} has no row. {FORMAT}")
    columns = dict.fromkeys(column for row in rows for column in row)
    key, held = _columns(tuple(columns), file)
    for number, row in enumerate(rows):
        if lacking := [column for column in (key, held) if column not in row]:
            raise HarnessError(f"{_place(file, number)} has no {lacking[0]}. {FORMAT}")
    values = [_values(row[held], _place(file, number)) for number, row in enumerate(rows)]
    return CompanionRows(
        file=file,
        key=key,
        names=[str(row[key]) for row in rows],
        by="caption" if CAPTION in columns else "image",
        captions=[row.get(CAPTION) for row in rows],
        kind=KINDS[held],
        values=_of_one_type(values, KINDS[held], file),
    )


def _columns(columns: Sequence[Any], file: Path) -> tuple[str, str]:
    """Return which column names images, and which holds values; refuse others, and several."""
    keys = [column for column in IMAGES if column in columns]
    held = [column for column in KINDS if column in columns]
    strange = set(columns) - {*IMAGES, CAPTION, *KINDS}
    is_twice = len({*columns}) < len(columns)
    if strange or is_twice or len(keys) != 1 or len(held) != 1:
        told = printable(", ".join(map(str, columns)), 200)
        raise HarnessError(f"{file} has the columns {told}. {FORMAT}")
    return keys[0], held[0]


def _read_lines(file: Path) -> list[Row]:
    """Read JSON lines. Raises HarnessError: a line is no object, named by its number from 1."""
    rows: list[Row] = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=_object)
            except (ValueError, RecursionError) as error:
                told = printable(str(error), 100)
                raise HarnessError(f"{file}, line {number} is no JSON of a row: {told}") from error
            if not isinstance(row, dict):
                raise HarnessError(f"{file}, line {number} is no object. {FORMAT}")
            rows.append(row)
    return rows


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raises ValueError: a name is there twice; one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a name is there twice: {', '.join(name for name, _ in pairs)}")
    return found


def _read_parquet(file: Path) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        parquet = pyarrow.parquet.ParquetFile(file)
        names = parquet.schema_arrow.names
        if len({*names}) < len(names):
            _columns(names, file)  # of two columns of one name, rows would have the last
        return list(parquet.read().to_pylist())
    except (pyarrow.ArrowException, ValueError) as error:
        told = printable(str(error), 200)
        raise HarnessError(f"{file} is no Parquet file that can be read: {told}") from error


_READERS: Mapping[str, Callable[[Path], list[Row]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_lines,
}


def _place(file: Path, row: int) -> str:
    return f"{file}, row {row + 1}"


def _values(held: Any, place: str) -> list[Value]:
    """Return the texts or labels of a row. Raises HarnessError: they are something else."""
    return [_value(one, place) for one in (held if isinstance(held, list) else [held])]


def _value(held: Any, place: str) -> Value:
    if isinstance(held, str) and (text := " ".join(held.split())):
        if not text.isprintable() and any(unicodedata.category(c) in NO_CHARACTERS for c in text):
            raise HarnessError(
                f"{place} holds {printable(repr(held), 60)}: a control character, or half of one, "
                "is in no text."
            )
        return text
    if isinstance(held, int) and not isinstance(held, bool) and abs(held) <= LARGEST:
        return held
    if isinstance(held, float) and math.isfinite(held):
        return held
    raise HarnessError(
        f"{place} holds {printable(repr(held), 60)}: write texts that are not empty, or numbers "
        "that are finite; of a caption without any, no row or an empty list."
    )


def _of_one_type(
    lists: Sequence[Sequence[Value]], kind: Kind, file: Path
) -> Sequence[Sequence[Value]]:
    """Return values of one type, whole numbers among others as those. Raises HarnessError."""
    types = {type(one) for own in lists for one in own}
    if str in types and len(types) > 1:
        raise HarnessError(f"{file} holds texts and numbers: write one of both.")
    if not types:
        raise HarnessError(f"{file} holds nothing but empty lists.")
    if kind == "texts" and str not in types:
        raise HarnessError(f"{file} is to hold texts in text or texts; numbers are labels.")
    return [[float(one) for one in own] for own in lists] if len(types) > 1 else lists
