"""Data for the pages' scripts, as script files: `fetch` is blocked where a page is a local file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from leaderboard.typography import printable

FOLDER = "data"
# What could end a script, begin markup, or be a line's end to an old parser.
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def data_script(name: str, value: Any) -> str:
    """Return a script that hands a value to `leaderboardData(name, value)`.

    It belongs into the file that `data_file(name)` names. Texts are made printable; keys are for
    looking up, not for showing, and stay as they are. The value stands in a string for
    `JSON.parse`, because a key "__proto__" of an object literal would not be a key.

    Raises ValueError for NaN and infinity, TypeError for what JSON does not know.
    """
    text = json.dumps(_printable(value), allow_nan=False, separators=(",", ":"))
    quoted = json.dumps(text).translate(_ESCAPED)
    return f"leaderboardData({json.dumps(name).translate(_ESCAPED)}, JSON.parse({quoted}));\n"


def data_file(name: str) -> str:
    """Return the file, within the site, in which the page's script looks for data of a name."""
    return f"{FOLDER}/{name}.js"


def pack(values: ArrayLike, dtype: str) -> str:
    """Return numbers as base64 of little-endian bytes; `dtype` is "u1", "u2" or "u4".

    Raises ValueError where one does not fit.
    """
    numbers = np.asarray(values)
    limits = np.iinfo(dtype)
    if numbers.size and not (limits.min <= numbers.min() and numbers.max() <= limits.max):
        raise ValueError(f"numbers from {numbers.min()} to {numbers.max()} do not fit {dtype}")
    return base64.b64encode(numbers.astype(f"<{dtype}").tobytes()).decode("ascii")


def pack_flags(flags: ArrayLike) -> str:
    """Return truth values as base64 of bits, the first in the lowest bit of the first byte."""
    return pack(np.packbits(np.asarray(flags, dtype=bool), bitorder="little"), "u1")


def _printable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return printable(value)
