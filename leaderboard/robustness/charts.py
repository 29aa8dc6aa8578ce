"""Curves over a number that was chosen, as the rate of noise, with a range at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.drawing.axes import Plane, draw, horizontal_axis, label, strokes, vertical_axis
from leaderboard.drawing.figures import DASHES
from leaderboard.records.estimates import Scale, Summary, round_scale


@dataclass(frozen=True)
class Across:
    """What stands on the horizontal axis."""

    name: str
    by: str  # in the title of a chart
    unit: str  # behind a figure in words
    margin: float  # left and right of the first and the last value


NOISE = Across("wrong pairs (%)", "noise", " %", 3.0)


@dataclass(frozen=True)
class Curve:
    """Means by the number that was chosen."""

    label: str
    points: tuple[tuple[float, Summary], ...]


def rate_chart(
    identifier: str, title: str, curves: Sequence[Curve], across: Across = NOISE
) -> Markup:
    """Draw curves of a percentage; nothing where there is no point."""
    points = [point for curve in curves for point in curve.points]
    if not points:
        return Markup("")
    rates = sorted({rate for rate, _ in points})
    ends = [end for _, found in points for end in (found.low, found.high)]
    plane = Plane(Scale(rates[0] - across.margin, rates[-1] + across.margin), round_scale(ends))
    parts = [
        *vertical_axis(plane, f"{title} (%)"),
        *horizontal_axis(plane, across.name, [(rate, f"{rate:.3g}") for rate in rates]),
        *(
            _curve(plane, curve, number % DASHES)
            for number, curve in enumerate(curves)
            if curve.points
        ),
    ]
    words = " ".join(_in_words(curve, across) for curve in curves if curve.points)
    return draw(plane, identifier, f"{title} by {across.by}", words, parts)


def _curve(plane: Plane, curve: Curve, dashes: int) -> Markup:
    middle = [(rate, found.mean) for rate, found in curve.points]
    line = Markup('<path class="line line-{}" d="{}"><title>{}</title></path>').format(
        dashes, "".join(strokes(plane, middle)), label(curve.label)
    )
    return Markup("").join([line, *(_point(plane, *point) for point in curve.points)])


def _point(plane: Plane, rate: float, found: Summary) -> Markup:
    x, y = plane.at(rate, found.mean)
    (_, low), (_, high) = plane.at(rate, found.low), plane.at(rate, found.high)
    return Markup(
        '<path class="line" d="M{:.1f} {:.1f}V{:.1f}"/>'
        '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.4"/>'
    ).format(x, low, high, x, y)


def _in_words(curve: Curve, across: Across) -> str:
    told = (
        f"{found.mean:.1f}" + (f" ({found.low:.1f} to {found.high:.1f})" * (found.low < found.high))
        for _, found in curve.points
    )
    rates = (f"{rate:.3g}{across.unit}" for rate, _ in curve.points)
    figures = ", ".join(f"{figure} at {rate}" for figure, rate in zip(told, rates, strict=True))
    return f"{curve.label}: {figures}."
