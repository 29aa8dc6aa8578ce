"""Whiskers on the scale of a column, which leaves out methods that are far from all others.

One baseline far below would squeeze the whiskers of all others to ticks. So a mean counts as far
where its distance from the median is both `FAR` times the typical one and `LONG` times the typical
interval. Its whisker is cut at the end of the scale and carries an arrow; its figures stand beside
it as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from leaderboard.records.estimates import Scale, round_scale, round_step
from leaderboard.typography import scale_end

WIDTH = 100.0  # of the drawing, whose height is 10
FAR, LONG = 5.0, 2.0
MOST_TICKS = 5
STEPS = 10  # of a scale, at least, so that its round ends lie close
_MARGIN = 1.0  # keeps the ends inside the drawing
_ARROWS = {-1: "M6 1L1 5l5 4", 1: "M94 1l5 4l-5 4"}
_STUB = 9.0  # of a whisker that lies beyond the scale as a whole


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    low: float
    mean: float
    high: float


def shared_scale(intervals: Sequence[Interval]) -> Scale:
    """Return round ends that hold zero, and the intervals of all that is not far from the others.

    A clear winner as the baseline is far from all others: its line has to be seen all the same.
    """
    means = [one.mean for one in intervals]
    centre = median(means)
    distance = median(abs(mean - centre) for mean in means)
    length = median(one.high - one.low for one in intervals)
    reach = max(FAR * distance, LONG * length)
    near = [one for one in intervals if abs(one.mean - centre) <= reach]
    return round_scale([0.0, *(end for one in near for end in (one.low, one.high))], STEPS)


def scale_ticks(scale: Scale) -> tuple[tuple[str, str], ...]:
    """Return where round values stand in percent of the width, and how they are written."""
    step = round_step((scale.high - scale.low) / MOST_TICKS)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    return tuple((f"{scale.place(one, WIDTH, _MARGIN):.1f}%", scale_end(one)) for one in values)


def is_cut(interval: Interval, scale: Scale) -> bool:
    """Say whether a part of the interval lies beyond the scale."""
    return interval.low < scale.low or interval.high > scale.high


def draw_span(interval: Interval, scale: Scale) -> str:
    """Return the path of the interval, with an arrow where it is cut."""
    left, right = (min(max(x, _MARGIN), WIDTH - _MARGIN) for x in _ends(interval, scale))
    if right <= _MARGIN:
        right = _MARGIN + _STUB
    if left >= WIDTH - _MARGIN:
        left = WIDTH - _MARGIN - _STUB
    arrows = [
        _ARROWS[side]
        for side, is_beyond in ((-1, interval.low < scale.low), (1, interval.high > scale.high))
        if is_beyond
    ]
    return "".join([f"M{left:.1f} 5H{right:.1f}", *arrows])


def draw_middle(interval: Interval, scale: Scale) -> str:
    """Return the path of the mean's mark; nothing where it lies beyond the scale."""
    if not scale.low <= interval.mean <= scale.high:
        return ""
    return f"M{scale.place(interval.mean, WIDTH, _MARGIN):.1f} 0v10"


def draw_dot(interval: Interval, scale: Scale) -> str:
    """Return the path of the mean as a point, which a round line end makes a dot."""
    return draw_middle(interval, scale).replace(" 0v10", " 5h0")


def _ends(interval: Interval, scale: Scale) -> tuple[float, float]:
    low, high = (scale.place(end, WIDTH, _MARGIN) for end in (interval.low, interval.high))
    return low, high
