"""The plane that charts are drawn on, with its grid and labels, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup, escape

from leaderboard.records.estimates import Scale, round_step
from leaderboard.typography import MINUS, printable

Tick = tuple[float, str]  # where it stands, and what is written there
Points = Iterable[tuple[float, float | None]]  # a value of None leaves a gap

ALONE = 2  # half the length of a line through one point


@dataclass(frozen=True)
class Plane:
    """The axes: data in, drawing units out. The margins leave room for what is written."""

    x: Scale
    y: Scale
    width: int = 340
    height: int = 216
    left: int = 46
    right: int = 12
    top: int = 32
    bottom: int = 38

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a value stands, with y pointing up."""
        across = self.left + self.x.place(x, self.width - self.left - self.right, margin=0)
        tall = self.height - self.top - self.bottom
        return across, self.height - self.bottom - self.y.place(y, tall, margin=0)


def draw(plane: Plane, identifier: str, title: str, words: str, parts: Sequence[Markup]) -> Markup:
    """Return a chart as one image, named by its title and described in words."""
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(
        plane.width, plane.height, *[identifier] * 3, label(title), identifier, label(words),
        Markup("").join(parts),
    )  # fmt: skip


def vertical_axis(plane: Plane, name: str) -> list[Markup]:
    """Draw the grid with its figures, and the name above."""
    end = plane.width - plane.right
    grid = Markup('<path class="grid" d="M{:d} {:.1f}H{:d}"/>')
    tick = Markup('<text x="{:d}" y="{:.1f}" text-anchor="end">{}</text>')
    ticks = [(plane.at(plane.x.low, value)[1], text) for value, text in number_ticks(plane.y, 5)]
    return [
        Markup('<text class="axis" x="0" y="13">{}</text>').format(label(name)),
        *(grid.format(plane.left, y, end) for y, _ in ticks),
        *(tick.format(plane.left - 7, y + 3.6, text) for y, text in ticks),
    ]


def horizontal_axis(plane: Plane, name: str, ticks: Sequence[Tick]) -> list[Markup]:
    """Draw the base line with its figures, and the name below."""
    base, end = plane.height - plane.bottom, plane.width - plane.right
    tick = Markup('<text x="{:.1f}" y="{:d}" text-anchor="middle">{}</text>')
    return [
        Markup('<path class="base" d="M{:d} {:d}H{:d}"/>').format(plane.left, base, end),
        *(tick.format(plane.at(value, plane.y.low)[0], base + 15, text) for value, text in ticks),
        Markup('<text class="axis" x="{:d}" y="{:d}" text-anchor="end">{}</text>').format(
            end, plane.height - 4, label(name)
        ),
    ]


def number_ticks(scale: Scale, wanted: int, least: float = 0.0) -> list[Tick]:
    """Return about so many round numbers on a scale, `least` or more apart."""
    step = max(least, round_step((scale.high - scale.low) / wanted))
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [(n * step, _written(n * step, step)) for n in range(first, last + 1)]


def strokes(plane: Plane, points: Points) -> Iterable[str]:
    """Yield path commands of a line through points; one that stands alone becomes a short dash."""
    for is_known, found in groupby(points, key=lambda point: point[1] is not None):
        if not is_known:
            continue
        (x, y), *others = [plane.at(at, value) for at, value in found if value is not None]
        yield f"M{x:.1f} {y:.1f}" if others else f"M{x - ALONE:.1f} {y:.1f}h{2 * ALONE}"
        yield from (f"L{x:.1f} {y:.1f}" for x, y in others)


def label(text: str) -> Markup:
    """Return a text as a drawing may hold it."""
    return escape(printable(text))


def _written(value: float, step: float) -> str:
    if abs(value) >= 1e5 or step < 1e-4:
        return f"{value:.3g}"
    decimals = 0 if step >= 1 else len(f"{step:.6f}".rstrip("0").split(".")[1])
    return f"{value:.{decimals}f}".replace("-", MINUS)
