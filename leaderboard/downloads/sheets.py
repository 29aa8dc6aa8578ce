"""Tables as data in full precision, written as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from leaderboard.typography import printable

Value = Any  # None, a truth value, a number, a text, or a sequence or mapping of these
Record = Mapping[str, Value]

# What makes a spreadsheet take a text for a formula, half as wide and as wide as a letter.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(records: Sequence[Record]) -> str:
    """Write one line a record, below the names of all fields that any record has.

    Sequences become words apart by spaces, mappings JSON. A text that a spreadsheet would take for
    a formula gets an apostrophe before it; numbers, negative ones too, stay as they are.
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_guarded(name) for name in names])
    writer.writerows([_cell(record.get(name)) for name in names] for record in records)
    return text.getvalue()


def json_text(records: Sequence[Record]) -> str:
    """Write a list of records, one a line, as JSON that any reader takes.

    There is no NaN in it, no lone surrogate and nothing unprintable.
    """
    lines = [json.dumps(_plain(one), allow_nan=False, ensure_ascii=False) for one in records]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _guarded(value)
    if isinstance(value, bool | Mapping):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, list | tuple):
        return _guarded(" ".join(_cell(item) for item in value))
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else ""
    return str(value)


def _guarded(text: str) -> str:
    shown = str(printable(text))
    is_formula = shown.lstrip().startswith(_FORMULA) or shown.startswith("\t")
    return f"'{shown}" if is_formula else shown


def _plain(value: Value) -> Value:
    """Return what JSON knows; numbers that are not finite are left out as None."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(printable(str(key))): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
