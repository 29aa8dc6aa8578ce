"""What is printed is on the side where the figure is."""

from __future__ import annotations

import pytest

from harness.significance import LEVEL, cut_probability, round_end


@pytest.mark.parametrize("decimals", [1, 2])
@pytest.mark.parametrize("value", [1e-7, 0.001, 0.0049, 0.04, 0.05, 0.26, 12.0])
def test_an_end_keeps_its_side_of_zero(value: float, decimals: int) -> None:
    """Printed, it is zero only if it is zero, and no further off than a unit of the last digit."""
    for end in (value, -value):
        printed = float(f"{round_end(end, decimals):.{decimals}f}")
        assert (printed > 0) == (end > 0)
        assert printed != 0
        assert abs(printed - end) <= 10.0**-decimals
    for zero in (0.0, -0.0):
        assert f"{round_end(zero, decimals):.1f}" == "0.0"


def test_a_p_value_keeps_its_side_of_the_level() -> None:
    """Whatever a family of 10,000 draws can give, print says what is below the level."""
    for reached in range(480, 520):
        p_value = reached / 10_001
        assert (float(f"{cut_probability(p_value):.4f}") < LEVEL) == (p_value < LEVEL)
