"""Line charts over epochs as inline SVG: one line a seed, told apart by its dashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.drawing.axes import (
    Plane,
    draw,
    horizontal_axis,
    label,
    number_ticks,
    strokes,
    vertical_axis,
)
from leaderboard.records.estimates import Scale, round_scale

DASHES = 4  # patterns that the style sheet defines


@dataclass(frozen=True)
class Line:
    """A curve over epochs; a value of None leaves a gap."""

    label: str
    points: tuple[tuple[int, float | None], ...]
    selected: int | None = None  # the epoch to mark


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
    ticks = number_ticks(plane.x, 6, least=1.0)
    parts = [
        *vertical_axis(plane, f"{title} ({unit})" if unit else title),
        *horizontal_axis(plane, "epoch", [tick for tick in ticks if tick[0] == round(tick[0])]),
        *_stage_marks(plane, stages),
        *(_curve(plane, line, lines.index(line)) for line in drawn),
        *(_mark(plane, line) for line in drawn),
    ]
    words = " ".join(_in_words(line) for line in drawn)
    return draw(plane, identifier, f"{title} by epoch", words, parts)


def legend(labels: Sequence[str], mark: str = "selected epoch, chosen on val") -> Markup:
    """Draw the dashes of each line beside its label, and what marks an epoch, if anything does."""
    sample = Markup(
        '<li><svg class="sample" viewBox="0 0 34 10" aria-hidden="true">'
        '<path class="line line-{}" d="M1 5H33"/></svg>{}</li>'
    )
    marked = Markup(
        '<li><svg class="sample" viewBox="0 0 34 10" aria-hidden="true">'
        '<circle class="selected" cx="17" cy="5" r="3.5"/></svg>{}</li>'
    )
    lines = [sample.format(i % DASHES, label(text)) for i, text in enumerate(labels)]
    return Markup("").join([*lines, *([marked.format(mark)] if mark else [])])


def _epoch_scale(epochs: Sequence[int]) -> Scale:
    low, high = min(epochs), max(epochs)
    return Scale(low, high) if low < high else Scale(low - 0.5, high + 0.5)


def _stage_marks(plane: Plane, stages: Iterable[int]) -> list[Markup]:
    mark = Markup(
        '<path class="stage" d="M{:.1f} {:d}V{:d}"/>'
        '<text x="{:.1f}" y="{:d}" text-anchor="middle">stage {}</text>'
    )
    places = [plane.at(epoch - 0.5, plane.y.low)[0] for epoch in stages]
    return [
        mark.format(x, plane.top, plane.height - plane.bottom, x, plane.top - 5, number)
        for number, x in enumerate(places, start=2)
    ]


def _curve(plane: Plane, line: Line, index: int) -> Markup:
    return Markup('<path class="line line-{}" d="{}"><title>{}</title></path>').format(
        index % DASHES, "".join(strokes(plane, line.points)), label(line.label)
    )


def _mark(plane: Plane, line: Line) -> Markup:
    value = dict(line.points).get(line.selected or 0)
    if line.selected is None or value is None:
        return Markup("")
    x, y = plane.at(line.selected, value)
    return Markup(
        '<circle class="selected" cx="{:.1f}" cy="{:.1f}" r="3.5">'
        "<title>{}: selected epoch {}</title></circle>"
    ).format(x, y, label(line.label), line.selected)


def _in_words(line: Line) -> str:
    """Say what a reader would see of a curve."""
    known = [(epoch, value) for epoch, value in line.points if value is not None]
    (first, start), (last, end) = known[0], known[-1]
    course = f"{line.label}: {start:.4g} at epoch {first}, {end:.4g} at epoch {last}"
    chosen = f"; epoch {line.selected} was selected" if line.selected is not None else ""
    return f"{course}{chosen}."


def _values(line: Line) -> list[float]:
    return [value for _, value in line.points if value is not None]
