"""Does it hold elsewhere: each method by R1 where it was trained and, beside it, on other data.

One chart for each other dataset. Both axes have scales of their own: what is asked is whether the
order stays, not how much is lost. A filled dot marks those than whom no other is better, by the
paired test on that axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.results import METRICS
from harness.significance import Family
from leaderboard.dataset_card import dataset_title
from leaderboard.drawing.axes import Plane, draw, label
from leaderboard.ranking.competitors import Board
from leaderboard.records.elsewhere import Elsewhere
from leaderboard.records.estimates import PRIMARY, Scale, round_scale
from leaderboard.records.ledger import family_name
from leaderboard.records.load import FULL
from leaderboard.typography import fixed, listed, shorten, spread_decimals

WIDTH, TOP, BOTTOM = 420, 40, 14
LEFT, RIGHT = 155, 265  # where the two axes stand
APART = 3  # between two intervals beside an axis
MOST_APART = 14  # intervals; more stand over one another
LEAST_HEIGHT, LINE = 260, 13  # of a chart, and of a label in it
MOST_LABELLED = 14  # methods; of more, those alone that lead on an axis
LONGEST_NAME = 18


@dataclass(frozen=True)
class End:
    """A method on one axis."""

    low: float  # 95 % interval of the mean
    mean: float
    high: float
    leads: bool  # none is better


@dataclass(frozen=True)
class Slope:
    """A method on both axes."""

    title: str
    here: End
    there: End

    @property
    def leads(self) -> bool:
        return self.here.leads or self.there.leads


@dataclass(frozen=True)
class SlopeChart:
    """What methods that were trained on a ground do on another dataset."""

    title: str  # of that dataset
    drawing: Markup
    words: str


def draw_slopes(board: Board) -> tuple[SlopeChart, ...]:
    """Draw a chart for each dataset on which two or more of the ranked methods were tested."""
    found = [(one, _slopes(board, one)) for one in board.elsewhere]
    return tuple(
        _chart(board, elsewhere.title, slopes, number)
        for number, (elsewhere, slopes) in enumerate(found, start=1)
        if len(slopes) > 1
    )


def spread_labels(wanted: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels apart by a line each, as little as may be, from top to bottom of a range."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    last = low - LINE
    for index in order:
        placed[index] = last = max(wanted[index], last + LINE)
    last = high + LINE
    for index in reversed(order):
        placed[index] = last = min(placed[index], last - LINE)
    return placed


def _slopes(board: Board, elsewhere: Elsewhere) -> list[Slope]:
    here = board.contest.family(PRIMARY)
    if here is None:
        return []
    there = elsewhere.family(PRIMARY)
    titles = board.site.addresses.titles
    methods = [one.method for one in board.ranked if one.method in elsewhere.answers]
    return [Slope(titles[one], _end(here, one), _end(there, one)) for one in methods]


def _end(family: Family, method: str) -> End:
    name = family_name((method, FULL))
    low, high = family.intervals[name]
    (standing,) = (one for one in family.standings() if one.name == name)
    return End(low, family.means[name], high, standing.rank == 1)


def _chart(board: Board, title: str, slopes: Sequence[Slope], number: int) -> SlopeChart:
    own = dataset_title(board.ground)
    height = max(LEAST_HEIGHT, TOP + BOTTOM + LINE * len(_labelled(slopes)))
    axes = [_axis(slopes, "here", own, LEFT, height), _axis(slopes, "there", title, RIGHT, height)]
    lines = [_line(slope, axes, place % MOST_APART) for place, slope in enumerate(slopes)]
    labels = [part for axis in axes for part in _labels(slopes, axis)]
    heads = [part for axis in axes for part in _head(axis)]
    words = _in_words(slopes, own, title)
    drawing = draw(
        Plane(axes[0].scale, axes[1].scale, WIDTH, height), f"{board.anchor}-slopes-{number}",
        f"{METRICS[PRIMARY]} on {own} and on {title}", words, [*heads, *lines, *labels],
    )  # fmt: skip
    return SlopeChart(title, drawing, words)


@dataclass(frozen=True)
class _Axis:
    """One of the two vertical axes."""

    side: str  # "here" or "there"
    title: str
    x: int
    scale: Scale
    height: int

    @property
    def outwards(self) -> int:
        """Return the direction in which its names stand."""
        return -1 if self.side == "here" else 1

    def y(self, value: float) -> float:
        tall = self.height - TOP - BOTTOM
        return self.height - BOTTOM - self.scale.place(value, tall, margin=0)

    def end(self, slope: Slope) -> End:
        found: End = getattr(slope, self.side)
        return found


def _axis(slopes: Sequence[Slope], side: str, title: str, x: int, height: int) -> _Axis:
    ends = [getattr(slope, side) for slope in slopes]
    return _Axis(side, title, x, round_scale([v for e in ends for v in (e.low, e.high)]), height)


def _head(axis: _Axis) -> list[Markup]:
    """Draw the axis, with the name of its dataset above."""
    text = Markup('<text class="axis" x="{}" y="13" text-anchor="middle">{}</text>')
    role = "trained and tested" if axis.side == "here" else "tested alone"
    small = Markup('<text x="{}" y="27" text-anchor="middle">{}</text>')
    line = Markup('<path class="base" d="M{} {}V{:.1f}"/>')
    return [
        text.format(axis.x, label(shorten(axis.title, 24))),
        small.format(axis.x, role),
        line.format(axis.x, TOP, axis.height - BOTTOM),
    ]


def _line(slope: Slope, axes: Sequence[_Axis], place: int) -> Markup:
    """Draw a method from axis to axis, with its interval beside each, apart from the others'."""
    places = [(axis.x, axis.y(axis.end(slope).mean)) for axis in axes]
    (x1, y1), (x2, y2) = places
    path = Markup('<path class="slope" d="M{} {:.1f}L{} {:.1f}"/>').format(x1, y1, x2, y2)
    spans = [
        Markup('<path class="reach" d="M{} {:.1f}V{:.1f}"/>').format(
            axis.x + axis.outwards * (6 + APART * place),
            axis.y(axis.end(slope).low),
            axis.y(axis.end(slope).high),
        )
        for axis in axes
    ]
    dots = [
        Markup('<circle class="{}" cx="{}" cy="{:.1f}" r="3.5"/>').format(
            "leads" if axis.end(slope).leads else "follows", axis.x, y
        )
        for axis, (_, y) in zip(axes, places, strict=True)
    ]
    css = "slopes leads" if slope.leads else "slopes"
    inner = Markup("").join([path, *spans, *dots])
    return Markup('<g class="{}"><title>{}</title>{}</g>').format(css, _said(slope), inner)


def _labels(slopes: Sequence[Slope], axis: _Axis) -> list[Markup]:
    """Write names and figures beside an axis, apart from one another."""
    shown = _labelled(slopes)
    wanted = [axis.y(axis.end(slope).mean) for slope in shown]
    places = spread_labels(wanted, TOP, axis.height - BOTTOM)
    anchor = "end" if axis.side == "here" else "start"
    offset = axis.outwards * (9 + APART * min(len(slopes), MOST_APART))
    decimals = _decimals(slopes)
    text = Markup('<text class="{}" x="{}" y="{:.1f}" dy="3.6" text-anchor="{}">{}</text>')
    return [
        text.format(
            "name" if axis.end(slope).leads else "",
            axis.x + offset,
            y,
            anchor,
            _label(slope, axis, decimals),
        )
        for slope, y in zip(shown, places, strict=True)
    ]


def _label(slope: Slope, axis: _Axis, decimals: int) -> Markup:
    name, figure = shorten(slope.title, LONGEST_NAME), fixed(axis.end(slope).mean, decimals)
    return label(f"{name} {figure}" if axis.side == "here" else f"{figure} {name}")


def _labelled(slopes: Sequence[Slope]) -> Sequence[Slope]:
    return slopes if len(slopes) <= MOST_LABELLED else [one for one in slopes if one.leads]


def _decimals(slopes: Sequence[Slope]) -> int:
    return spread_decimals([e.high - e.low for one in slopes for e in (one.here, one.there)])


def _said(slope: Slope) -> str:
    return f"{slope.title}: {fixed(slope.here.mean, 1)} %, there {fixed(slope.there.mean, 1)} %"


def _in_words(slopes: Sequence[Slope], own: str, other: str) -> str:
    """Say who leads on each axis."""
    leaders: Mapping[str, list[str]] = {
        title: [slope.title for slope in slopes if getattr(slope, side).leads]
        for side, title in (("here", own), ("there", other))
    }
    here, there = (listed(names) for names in leaders.values())
    if here == there:
        return f"On both, none is better than {here}."
    return f"On {own} none is better than {here}; on {other}, none is better than {there}."
