"""Of many alike, those that every run of the tests tries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

STEP = 5  # one of so many


def some(values: Sequence[object]) -> list[Any]:
    """Return parameters of a test: the first and every fifth; the others are exhaustive."""
    rare = pytest.mark.exhaustive
    return [
        pytest.param(value, marks=rare if position % STEP else ())
        for position, value in enumerate(values)
    ]
