"""Rounding that keeps sides: print holds zero, or passes a level, where the figure does.

Terminal and pages write figures in their own ways, but round them here.
"""

from __future__ import annotations

import math

ARITHMETIC = 9  # decimals; what comes after them is left of arithmetic


def round_end(value: float, decimals: int) -> float:
    """Return the end of an interval to be printed: zero only if it is zero.

    What would be printed as zero is rounded away from it, to one unit of the last decimal. Zero has
    no sign.
    """
    least = 10.0**-decimals
    is_lost = value != 0 and round(abs(value), ARITHMETIC) < least / 2
    return math.copysign(least, value) if is_lost else value + 0.0


def negated(value: float) -> float:
    """Return a figure with the other sign; zero has none."""
    return 0.0 - value


def cut_probability(p_value: float) -> float:
    """Return a p-value cut after four decimals, so that one below a level stays below in print."""
    return math.floor(p_value * 1e4 + 10.0**-ARITHMETIC) / 1e4
