"""Distributions of whole numbers, as bars and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from leaderboard.datasets.views import Figure
from leaderboard.drawing.axes import Plane, draw, horizontal_axis, number_ticks, vertical_axis
from leaderboard.records.estimates import Scale, round_step
from leaderboard.typography import fixed

MOST_BARS = 32
GAP = 0.12  # of a bar's width, left free on either side
LEAST_SPAN = 9  # numbers that an axis shows, so that a single bar does not fill the figure

Integers = NDArray[np.int64]


def histogram(identifier: str, title: str, counted: str, values: Integers) -> Figure:
    """Draw how often each of some numbers occurs; neighbours share a bar where they are many.

    Takes at least one value; `counted` names what they are one of, in the plural.
    """
    width = _bar_width(int(values.min()), int(values.max()))
    starts, heights = _bars(values, width)
    x = _axis(starts[0], starts[-1] + width)
    step = round_step(max(heights) / 4)
    y = Scale(0.0, step * math.ceil(max(heights) / step))
    plane = Plane(x, y, width=340, height=190, left=52)
    words = describe(values)
    ticks = number_ticks(x, 6, least=1.0)
    parts = [
        *vertical_axis(plane, counted),
        *(_bar(plane, s, width, h) for s, h in zip(starts, heights, strict=True)),
        *horizontal_axis(plane, title, ticks),
    ]
    return Figure(draw(plane, identifier, f"{counted} by {title}", words, parts), words)


def describe(values: Integers) -> str:
    """Say where numbers lie: "median 24, half from 20 to 28, all from 9 to 41"."""
    low, high = int(values.min()), int(values.max())
    if low == high:
        return f"always {low:,}"
    first, middle, third = np.quantile(values, (0.25, 0.5, 0.75))
    median = fixed(float(middle), 0 if middle == round(middle) else 1)
    return f"median {median}, half from {first:,.0f} to {third:,.0f}, all from {low:,} to {high:,}"


def _bar_width(low: int, high: int) -> int:
    return max(1, math.ceil(round_step((high - low + 1) / MOST_BARS)))


def _bars(values: Integers, width: int) -> tuple[list[int], list[int]]:
    """Return the first number of each bar and how many values it holds, from the least on."""
    first = int(values.min()) // width * width
    counts = np.bincount((values - first) // width)
    return [first + width * number for number in range(len(counts))], counts.tolist()


def _axis(first: int, end: int) -> Scale:
    """Return the scale of the numbers from the first up to the end, in its middle."""
    missing = max(0, LEAST_SPAN - (end - first))
    low = max(0, first - missing // 2)
    return Scale(low - 0.5, low + max(LEAST_SPAN, end - first) - 0.5)


def _bar(plane: Plane, start: int, width: int, height: int) -> Markup:
    if not height:
        return Markup("")
    room = GAP * width
    left, top = plane.at(start - 0.5 + room, height)
    right, base = plane.at(start - 0.5 + width - room, 0)
    says = f"{start:,}" if width == 1 else f"{start:,} to {start + width - 1:,}"
    return Markup(
        '<path class="bar" d="M{:.1f} {:.1f}H{:.1f}V{:.1f}H{:.1f}Z"><title>{}: {:,}</title></path>'
    ).format(left, top, right, base, left, says, height)


def count_by(values: Sequence[int] | Integers) -> Integers:
    """Return how often each value occurs, in no order that means anything."""
    counts: Integers = np.unique(np.asarray(values), return_counts=True)[1]
    return counts
