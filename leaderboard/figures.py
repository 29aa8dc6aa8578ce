"""Line charts as inline SVG: one line a seed, told apart by its dashes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from leaderboard.estimates import Scale, round_scale, round_step
from leaderboard.typography import MINUS, printable

WIDTH, HEIGHT = 340, 216
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 32, 38  # room for the axes
DASHES = 4  # patterns that the style sheet defines


@dataclass(frozen=True)
class Line:
    """A curve over epochs; a value of None leaves a gap."""

    label: str
    points: tuple[tuple[int, float | None], ...]
    selected: int | None = None  # the epoch to mark


@dataclass(frozen=True)
class Plane:
    """The axes: data in, drawing units out."""

    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a value stands, with y pointing up."""
        across = LEFT + self.x.place(x, WIDTH - LEFT - RIGHT, margin=0)
        up = HEIGHT - BOTTOM - self.y.place(y, HEIGHT - TOP - BOTTOM, margin=0)
        return across, up


def line_chart(
    identifier: str, title: str, unit: str, lines: Sequence[Line], stages: Sequence[int] = ()
) -> Markup:
    """Draw curves over epochs; `stages` are the epochs at which a further stage begins.

    Returns nothing where no line has a value.
    """
    drawn = [line for line in lines if _values(line)]
    if not drawn:
        return Markup("")
    epochs = [epoch for line in drawn for epoch, _ in line.points]
    plane = Plane(_epoch_scale(epochs), round_scale([v for line in drawn for v in _values(line)]))
    parts = [
        *_vertical_axis(plane, f"{title} ({unit})" if unit else title),
        *_horizontal_axis(plane),
        *_stage_marks(plane, stages),
        *(_curve(plane, line, lines.index(line)) for line in drawn),
        *(_mark(plane, line) for line in drawn),
    ]
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(
        WIDTH, HEIGHT, *[identifier] * 3, _text(f"{title} by epoch"), identifier,
        _text(" ".join(_in_words(line) for line in drawn)), Markup("").join(parts),
    )  # fmt: skip


def legend(labels: Sequence[str]) -> Markup:
    """Draw the dashes of each line beside its label, and the mark of the selected epoch."""
    sample = Markup(
        '<li><svg class="sample" viewBox="0 0 34 10" aria-hidden="true">'
        '<path class="line line-{}" d="M1 5H33"/></svg>{}</li>'
    )
    marked = Markup(
        '<li><svg class="sample" viewBox="0 0 34 10" aria-hidden="true">'
        '<circle class="selected" cx="17" cy="5" r="3.5"/></svg>selected epoch, chosen on val</li>'
    )
    lines = [sample.format(i % DASHES, _text(label)) for i, label in enumerate(labels)]
    return Markup("").join([*lines, marked])


def _epoch_scale(epochs: Sequence[int]) -> Scale:
    low, high = min(epochs), max(epochs)
    return Scale(low, high) if low < high else Scale(low - 0.5, high + 0.5)


def _vertical_axis(plane: Plane, label: str) -> list[Markup]:
    step = round_step((plane.y.high - plane.y.low) / 5)
    grid = Markup('<path class="grid" d="M{:d} {:.1f}H{:d}"/>')
    tick = Markup('<text x="{:d}" y="{:.1f}" text-anchor="end">{}</text>')
    ticks = [(value, plane.at(plane.x.low, value)[1]) for value in _ticks(plane.y, step)]
    return [
        Markup('<text class="axis" x="0" y="13">{}</text>').format(_text(label)),
        *(grid.format(LEFT, y, WIDTH - RIGHT) for _, y in ticks),
        *(tick.format(LEFT - 7, y + 3.6, _tick_text(value, step)) for value, y in ticks),
    ]


def _horizontal_axis(plane: Plane) -> list[Markup]:
    base = HEIGHT - BOTTOM
    step = max(1.0, round_step((plane.x.high - plane.x.low) / 6))
    tick = Markup('<text x="{:.1f}" y="{:d}" text-anchor="middle">{}</text>')
    values = [value for value in _ticks(plane.x, step) if value == round(value)]
    return [
        Markup('<path class="base" d="M{:d} {:d}H{:d}"/>').format(LEFT, base, WIDTH - RIGHT),
        *(tick.format(plane.at(v, plane.y.low)[0], base + 15, f"{v:.0f}") for v in values),
        Markup('<text class="axis" x="{:d}" y="{:d}" text-anchor="end">epoch</text>').format(
            WIDTH - RIGHT, HEIGHT - 4
        ),
    ]


def _stage_marks(plane: Plane, stages: Iterable[int]) -> list[Markup]:
    mark = Markup(
        '<path class="stage" d="M{:.1f} {:d}V{:d}"/>'
        '<text x="{:.1f}" y="{:d}" text-anchor="middle">stage {}</text>'
    )
    places = [plane.at(epoch - 0.5, plane.y.low)[0] for epoch in stages]
    return [
        mark.format(x, TOP, HEIGHT - BOTTOM, x, TOP - 5, number)
        for number, x in enumerate(places, start=2)
    ]


def _curve(plane: Plane, line: Line, index: int) -> Markup:
    return Markup('<path class="line line-{}" d="{}"><title>{}</title></path>').format(
        index % DASHES, "".join(_strokes(plane, line)), _text(line.label)
    )


def _strokes(plane: Plane, line: Line) -> Iterable[str]:
    """Yield path commands; a point that stands alone becomes a dot."""
    pen_down = False
    for epoch, value in line.points:
        if value is not None:
            x, y = plane.at(epoch, value)
            yield f"L{x:.1f} {y:.1f}" if pen_down else f"M{x:.1f} {y:.1f}h0"
        pen_down = value is not None


def _mark(plane: Plane, line: Line) -> Markup:
    value = dict(line.points).get(line.selected or 0)
    if line.selected is None or value is None:
        return Markup("")
    x, y = plane.at(line.selected, value)
    return Markup(
        '<circle class="selected" cx="{:.1f}" cy="{:.1f}" r="3.5">'
        "<title>{}: selected epoch {}</title></circle>"
    ).format(x, y, _text(line.label), line.selected)


def _in_words(line: Line) -> str:
    """Say what a reader would see of a curve."""
    known = [(epoch, value) for epoch, value in line.points if value is not None]
    (first, start), (last, end) = known[0], known[-1]
    course = f"{line.label}: {start:.4g} at epoch {first}, {end:.4g} at epoch {last}"
    chosen = f"; epoch {line.selected} was selected" if line.selected is not None else ""
    return f"{course}{chosen}."


def _values(line: Line) -> list[float]:
    return [value for _, value in line.points if value is not None]


def _ticks(scale: Scale, step: float) -> list[float]:
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _tick_text(value: float, step: float) -> str:
    if abs(value) >= 1e5 or step < 1e-4:
        return f"{value:.3g}"
    decimals = 0 if step >= 1 else len(f"{step:.6f}".rstrip("0").split(".")[1])
    return f"{value:.{decimals}f}".replace("-", MINUS)


def _text(text: str) -> Markup:
    return escape(printable(text))
