"""Which of many values come first."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.nearest import find_largest


@pytest.mark.parametrize("count", [1, 2, 10, 299, 300, 1_000])
@pytest.mark.parametrize("different", [1, 7, 300])
def test_the_largest_come_first(count: int, different: int) -> None:
    """They are those of a whole stable sort; ties go to the first, whatever their number."""
    values = np.random.default_rng(count).integers(0, different, 300).astype(np.float32) - 3
    whole = sorted(range(300), key=lambda place: (-values[place], place))
    assert find_largest(values, count).tolist() == whole[:count]
