"""The nearest of one query, by a scan of all: what an index is held against.

Shapes: M values, k of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def find_largest(values: Floats, count: int) -> Integers:
    """Return the places of the `count` largest of (M,), best first; of equal ones the first."""
    count = min(count, len(values))
    least = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= least)  # (count or more,), where several are equal to it
    return places[np.argsort(-values[places], kind="stable")][:count]  # (count,)
