"""Tables of one's own, as CSV, TSV, JSON, JSON Lines or Parquet: their rows, or what is wrong.

Rows are those that the formats define, and nothing is guessed: a row with more or fewer fields than
its header, a name that stands twice, or quotes that do not close are faults, each by the line at
which an editor shows it.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.printable import printable

Reader = Callable[[Path, Sequence[str]], Iterator["Row | Fault"]]

NAMED = 10  # faults that are told
LONGEST_FIELD = 1 << 24  # characters


@dataclass(frozen=True)
class Row:
    """A row with its place, as "people.csv, line 3"."""

    place: str
    values: Mapping[str, Any]


class Fault(HarnessError):
    """A row, or the rest of a table, is not as it has to be, with what may help against it."""

    def __init__(self, told: str, advice: str = "") -> None:
        super().__init__(f"{told} {advice}".rstrip())
        self.told = told
        self.advice = advice


def read_rows(file: Path, needed: Sequence[str]) -> Iterator[Row | Fault]:
    """Yield the rows of a table, and what is wrong with a row in its place.

    Raises:
        HarnessError: the file cannot be read at all, is of no known kind or lacks a needed column.
    """
    kind = file.suffix.lower()
    if kind not in READERS:
        raise HarnessError(f"{file} is of no known kind: a table is one of {', '.join(READERS)}.")
    yield from READERS[kind](file, needed)


def refuse_faults(file: Path, faults: Sequence[HarnessError]) -> None:
    """Refuse a table with faults: ten are named, all are counted, and advice is given once."""
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    told = "; ".join(_without_advice(fault).rstrip(".") for fault in faults[:NAMED])
    more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    advice = dict.fromkeys(fault.advice for fault in faults if isinstance(fault, Fault))
    ending = " ".join(filter(None, [f"{told}{more}.", *advice]))
    raise HarnessError(f"{file.name} has {len(faults)} faults: {ending}")


def _without_advice(fault: HarnessError) -> str:
    return fault.told if isinstance(fault, Fault) else str(fault)


def read_text(file: Path) -> str:
    """Return a text in UTF-8, with or without a mark at its start."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise HarnessError(
            f"{file} is not UTF-8: byte {error.start}, in line {line}. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error.strerror}.") from error


def parse_json(text: str, where: str) -> Any:
    """Read JSON; a name that stands twice in one object, and numbers that are none, are faults."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise Fault(f"{where} is not JSON: {error}.") from error


def _separated(delimiter: str) -> Reader:
    def read(file: Path, needed: Sequence[str]) -> Iterator[Row | Fault]:
        csv.field_size_limit(LONGEST_FIELD)
        # Rows end at CR and LF alone: what else Unicode calls the end of a line is text.
        lines = io.StringIO(read_text(file), newline="")
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            place = f"{file.name}, line {reader.line_num + 1}"
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield Fault(f"{place}: {error}, up to line {reader.line_num}.")
                return  # where the next row begins cannot be known
            if fields is None:
                break
            if header is None:
                header = fields
                _refuse_header(header, needed, file)
            elif fields:  # not an empty line
                yield _row(header, fields, place)
        if header is None:
            raise HarnessError(f"{file} is empty: its first line has to name the columns.")

    return read


def _row(header: Sequence[str], fields: Sequence[str], place: str) -> Row | Fault:
    if len(fields) == len(header):
        return Row(place, dict(zip(header, fields, strict=True)))
    advice = "A field with a comma or a line break stands in quotes." if fields[1:] else ""
    count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    return Fault(f"{place}: {count} where the first line names {len(header)} columns.", advice)


def _refuse_header(header: Sequence[str], needed: Sequence[str], file: Path) -> None:
    if twice := _twice(header):
        name = printable(min(twice)) or "without a name"
        raise HarnessError(f"{file}: column {name} stands twice.")
    if missing := [name for name in needed if name not in header]:
        there = printable(", ".join(header), 300) or "none"
        raise HarnessError(f"{file} has no column {', '.join(missing)}; its columns are {there}.")


def _json(file: Path, needed: Sequence[str]) -> Iterator[Row | Fault]:
    text = read_text(file)
    values = parse_json(text, str(file))
    if not isinstance(values, list):
        raise HarnessError(f"{file} has to be a list of rows, it is {kind_of(values)}.")
    for line, value in zip(_lines_of(text), values, strict=True):
        yield _object_row(value, f"{file.name}, line {line}")


def _lines_of(text: str) -> Iterator[int]:
    """Yield the line at which each item of a list begins, in JSON that is known to be whole."""
    decoder, place, line, counted = json.JSONDecoder(), text.index("[") + 1, 1, 0
    while True:
        while text[place] in " \t\r\n,":
            place += 1
        if text[place] == "]":
            return
        line += text.count("\n", counted, place)
        counted = place
        yield line
        _, place = decoder.raw_decode(text, place)


def _json_lines(file: Path, needed: Sequence[str]) -> Iterator[Row | Fault]:
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file.name}, line {number}"
        try:
            value = parse_json(line, place)
        except Fault as fault:
            yield fault
        else:
            yield _object_row(value, place)


def _parquet(file: Path, needed: Sequence[str]) -> Iterator[Row | Fault]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file).read()
        rows = table.to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise HarnessError(f"{file} is no whole Parquet file: {printable(str(error))}.") from error
    _refuse_header(table.column_names, needed, file)
    for number, values in enumerate(rows):
        yield Row(f"{file.name}, row {number} (from 0)", values)


READERS: Mapping[str, Reader] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}


def kind_of(value: Any) -> str:
    """Say what a value from JSON is."""
    names = {dict: "an object", list: "a list", str: "a text", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")


def _object_row(value: Any, place: str) -> Row | Fault:
    if not isinstance(value, dict):
        return Fault(f"{place} has to be an object, it is {kind_of(value)}.")
    return Row(place, value)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        name = printable(_twice(name for name, _ in pairs)[0], 60)
        raise ValueError(f"{name!r} stands twice in one object")
    return values


def _twice(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, in the order in which they first do."""
    return [name for name, times in Counter(names).items() if times > 1]


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
