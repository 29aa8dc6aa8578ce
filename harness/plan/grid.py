"""Grids of settings, as --grid gives them: lists of values by name, and all their combinations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.plan.values import read_list, write_value

EXAMPLE = "--grid learning_rate=1e-3,3e-4"


def read_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each setting, by name, of texts as in learning_rate=1e-3,3e-4.

    Raises:
        HarnessError: there is no text, one is not so written, or a name or a value stands twice.
    """
    if not texts:
        raise HarnessError(f"Say which settings to try, for example {EXAMPLE}.")
    grid: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name:
            raise HarnessError(f"--grid {text}: write name=value,value, for example {EXAMPLE}.")
        if name in grid:
            raise HarnessError(f"--grid {name} is given twice: write all its values behind one.")
        grid[name] = _read_values(text, values)
    return grid


def _read_values(text: str, values: str) -> list[Any]:
    try:
        found = read_list(values)
    except ValueError as error:
        raise HarnessError(
            f"--grid {text}: {values!r} is no list of values: {error}. Write them as in {EXAMPLE}."
        ) from error
    for number, value in enumerate(found):
        if value in found[:number]:
            raise HarnessError(f"--grid {text}: the value {write_value(value)} stands twice.")
    return found


def cross(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the values of a grid; the last name changes fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
