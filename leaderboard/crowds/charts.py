"""Curves over the size of a gallery, on a logarithmic axis, with an interval at each size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.drawing.axes import (
    Plane,
    Tick,
    draw,
    horizontal_axis,
    label,
    strokes,
    vertical_axis,
)
from leaderboard.drawing.figures import DASHES
from leaderboard.records.estimates import Scale, round_scale

MARGIN = 0.06  # of a tenfold, left and right of the first and the last size
WORDS = {3: "1k", 4: "10k", 5: "100k", 6: "1M", 7: "10M", 8: "100M"}


@dataclass(frozen=True)
class Point:
    """A mean with its interval, in percent."""

    images: int  # of the gallery
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A method as its gallery grows."""

    label: str
    points: tuple[Point, ...]


def gallery_chart(identifier: str, title: str, curves: Sequence[Curve]) -> Markup:
    """Draw curves of a percentage over the images of the gallery."""
    points = [point for curve in curves for point in curve.points]
    places = [math.log10(point.images) for point in points]
    ends = [end for point in points for end in (point.low, point.high)]
    plane = Plane(Scale(min(places) - MARGIN, max(places) + MARGIN), round_scale(ends))
    parts = [
        *vertical_axis(plane, f"{title} (%)"),
        *horizontal_axis(plane, "images in the gallery", _ticks(min(places), max(places))),
        *(_curve(plane, curve, number % DASHES) for number, curve in enumerate(curves)),
    ]
    words = " ".join(map(_in_words, curves))
    return draw(plane, identifier, f"{title} by size of the gallery", words, parts)


def _ticks(low: float, high: float) -> list[Tick]:
    """Return the powers of ten on the axis; where there is none, its ends."""
    whole = range(math.ceil(low - MARGIN), math.floor(high + MARGIN) + 1)
    if not whole:
        return [(low, f"{10**low:,.0f}"), (high, f"{10**high:,.0f}")]
    return [(float(power), WORDS.get(power, f"{10**power:,}")) for power in whole]


def _curve(plane: Plane, curve: Curve, dashes: int) -> Markup:
    middle = [(math.log10(point.images), point.mean) for point in curve.points]
    line = Markup('<path class="line line-{}" d="{}"><title>{}</title></path>').format(
        dashes, "".join(strokes(plane, middle)), label(curve.label)
    )
    return Markup("").join([line, *(_point(plane, point) for point in curve.points)])


def _point(plane: Plane, point: Point) -> Markup:
    place = math.log10(point.images)
    x, y = plane.at(place, point.mean)
    (_, low), (_, high) = plane.at(place, point.low), plane.at(place, point.high)
    return Markup(
        '<path class="line" d="M{:.1f} {:.1f}V{:.1f}"/>'
        '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.4"/>'
    ).format(x, low, high, x, y)


def _in_words(curve: Curve) -> str:
    told = ", ".join(f"{point.mean:.1f} of {point.images:,}" for point in curve.points)
    return f"{curve.label}: {told}."
