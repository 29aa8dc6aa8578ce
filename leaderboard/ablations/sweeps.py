"""Ablations that vary one number: a curve of each metric against it, with a band of intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from harness.results import METRICS, RunRecord
from leaderboard.ablations.components import setting_of
from leaderboard.ablations.corrected import COMPARED
from leaderboard.ablations.section import Ablation, Row
from leaderboard.drawing.axes import Plane, Tick, draw, horizontal_axis, strokes, vertical_axis
from leaderboard.records.estimates import Scale, round_scale, summarize
from leaderboard.records.ledger import Ledger
from leaderboard.records.load import finite

LEAST = 3  # values that make a curve
WIDE = 30.0  # ratio of the largest to the smallest value beyond which the axis is logarithmic
APART = 26.0  # drawing units between the figures of an axis


@dataclass(frozen=True)
class Sweep:
    """An ablation whose rows give one setting one number each."""

    field: str
    rows: tuple[tuple[float, Row], ...]  # by value
    published: float | None  # the value in the method as published


@dataclass(frozen=True)
class Point:
    """A mean over seeds at a value, with its 95 % interval where there is one."""

    value: float
    mean: float
    low: float
    high: float
    has_interval: bool


def find_sweep(ablation: Ablation) -> Sweep | None:
    """Return the sweep that an ablation is; None where it is another kind of table.

    Every row changes the same single number, or nothing if it is the method as published.
    """
    fields = {tuple(row.record.changes) for row in ablation.rows if row.record.changes}
    if len(fields) != 1 or len(names := fields.pop()) != 1:
        return None
    rows = [*ablation.rows, *([ablation.reference] if ablation.reference else [])]
    values = {_number(row.record, names[0]): row for row in reversed(rows)}
    if None in values or len(values) < LEAST:
        return None
    by_value = sorted((value, row) for value, row in values.items() if value is not None)
    published = _number(ablation.full.record, names[0]) if ablation.full else None
    return Sweep(names[0], tuple(by_value), published)


def sweep_words(sweep: Sweep) -> str:
    """Say what the curves show."""
    words = (
        f"{sweep.field} is all that these variants change. Means over seeds, with a band of the"
        " 95 % interval of each mean, over people and seeds."
    )
    if sweep.published is None:
        return words
    return f"{words} The method as published has {sweep.published:g}."


def sweep_charts(sweep: Sweep, ledger: Ledger, identifier: str) -> tuple[Markup, ...]:
    """Draw a curve for each metric; nothing where fewer than two values have a figure."""
    charts = [
        _chart(sweep, metric, _points(sweep, ledger, metric), f"{identifier}-{metric}")
        for metric in COMPARED
    ]
    return tuple(chart for chart in charts if chart)


def _points(sweep: Sweep, ledger: Ledger, metric: str) -> list[Point]:
    points = []
    for value, row in sweep.rows:
        if summary := summarize(row.runs, metric):
            found = ledger.interval(row.entry, metric)
            ends = found or (summary.mean, summary.mean)
            points.append(Point(value, summary.mean, *ends, has_interval=found is not None))
    return points


def _chart(sweep: Sweep, metric: str, points: Sequence[Point], identifier: str) -> Markup:
    if len(points) < 2:
        return Markup("")
    name = METRICS[metric]
    is_wide = points[0].value > 0 and points[-1].value / points[0].value > WIDE
    place = math.log10 if is_wide else float
    places = [place(point.value) for point in points]
    margin = (places[-1] - places[0]) * 0.04
    plane = Plane(
        Scale(places[0] - margin, places[-1] + margin),
        round_scale([end for point in points for end in (point.low, point.mean, point.high)]),
    )
    parts = [
        *vertical_axis(plane, f"{name} (%)"),
        *horizontal_axis(plane, sweep.field, _ticks(plane, places, points)),
        *_bands(plane, places, points),
        *_published(plane, sweep, places, points),
        _line(plane, places, points),
    ]
    words = "; ".join(_in_words(point) for point in points)
    return draw(plane, identifier, f"{name} by {sweep.field}", f"{words}.", parts)


def _ticks(plane: Plane, places: Sequence[float], points: Sequence[Point]) -> list[Tick]:
    """Write the values that were run, but none so near to another that both are illegible."""
    ticks: list[Tick] = []
    for place, point in zip(places, points, strict=True):
        x = plane.at(place, plane.y.low)[0]
        if not ticks or x - plane.at(ticks[-1][0], plane.y.low)[0] >= APART:
            ticks.append((place, f"{point.value:g}"))
    return ticks


def _bands(plane: Plane, places: Sequence[float], points: Sequence[Point]) -> list[Markup]:
    """Draw a band through neighbours with intervals; there is none across a point without one."""
    pairs = zip(places, points, strict=True)
    groups = [list(found) for known, found in groupby(pairs, _has_interval) if known]
    return [_band(plane, group) for group in groups]


def _band(plane: Plane, points: Sequence[tuple[float, Point]]) -> Markup:
    outline = [(at, point.high) for at, point in points]
    outline += [(at, point.low) for at, point in reversed(points)]
    corners = " ".join("{:.1f},{:.1f}".format(*plane.at(*corner)) for corner in outline)
    return Markup('<polygon class="band" points="{}"/>').format(corners)


def _has_interval(place: tuple[float, Point]) -> bool:
    return place[1].has_interval


def _line(plane: Plane, places: Sequence[float], points: Sequence[Point]) -> Markup:
    middle = [(at, point.mean) for at, point in zip(places, points, strict=True)]
    dot = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.4"/>')
    dots = Markup("").join(dot.format(*plane.at(*at)) for at in middle)
    return Markup('<path class="line" d="{}"/>{}').format("".join(strokes(plane, middle)), dots)


def _published(
    plane: Plane, sweep: Sweep, places: Sequence[float], points: Sequence[Point]
) -> list[Markup]:
    """Mark the value of the method as published, if it is among those that were run."""
    mark = Markup(
        '<path class="stage" d="M{:.1f} {:d}V{:d}"/>'
        '<text x="{:.1f}" y="{:d}" text-anchor="{}">as published</text>'
    )
    found = [
        plane.at(place, plane.y.low)[0]
        for place, point in zip(places, points, strict=True)
        if point.value == sweep.published
    ]
    top, base = plane.top, plane.height - plane.bottom
    middle = (plane.left + plane.width - plane.right) / 2
    return [mark.format(x, top, base, x, top - 5, "end" if x > middle else "start") for x in found]


def _in_words(point: Point) -> str:
    interval = f", interval {point.low:.1f} to {point.high:.1f}" if point.has_interval else ""
    return f"{point.value:g}: {point.mean:.1f}{interval}"


def _number(record: RunRecord, name: str) -> float | None:
    value: Any = setting_of(record, name)
    return finite(value)
