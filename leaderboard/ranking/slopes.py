"""Does it hold elsewhere: each method by R1 where it was trained and, beside it, on other data.

One chart for each other dataset. Both axes have scales of their own: what is asked is whether the
order stays, not how much is lost. A filled dot marks those than whom no other is better, by the
paired test on that axis. Intervals stand beside an axis, apart from one another, the best furthest
out; a line leads from each name through the mean of its interval to its dot.
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

WIDTH, TOP, BOTTOM = 450, 40, 14
LEFT, RIGHT = 180, 270  # where the two axes stand
NEAR, APART = 8.0, 7.0  # from an axis to the first interval, and from each to the next
ROOM = 42.0  # for all intervals of an axis; where it is short they stand closer
FAN = 12.0  # from the last interval to the names
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
    named = _named(slopes)
    height = max(LEAST_HEIGHT, TOP + BOTTOM + LINE * len(named))
    axes = [_axis(slopes, "here", own, LEFT, height), _axis(slopes, "there", title, RIGHT, height)]
    places = [_places(axis, slopes, named) for axis in axes]
    decimals = _decimals(slopes)
    drawn = [
        _group(slope, axes, [of_axis.get(index) for of_axis in places], decimals)
        for index, slope in enumerate(slopes)
    ]
    heads = [part for axis in axes for part in _head(axis)]
    words = _in_words(slopes, own, title)
    if len(named) < len(slopes):
        words += " They alone are named, with their intervals."
    drawing = draw(
        Plane(axes[0].scale, axes[1].scale, WIDTH, height), f"{board.anchor}-slopes-{number}",
        f"{METRICS[PRIMARY]} on {own} and on {title}", words, [*heads, *drawn],
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

    @property
    def anchor(self) -> str:
        """Return by which end its texts are placed."""
        return "end" if self.side == "here" else "start"

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
    """Draw the axis, with the name of its dataset above, which goes on outwards."""
    text = Markup('<text class="axis" x="{}" y="13" text-anchor="{}">{}</text>')
    small = Markup('<text x="{}" y="27" text-anchor="{}">{}</text>')
    role = "trained and tested" if axis.side == "here" else "tested alone"
    at = axis.x - 20 * axis.outwards, axis.anchor
    line = Markup('<path class="base" d="M{} {}V{:.1f}"/>')
    return [
        text.format(*at, label(shorten(axis.title, 24))),
        small.format(*at, role),
        line.format(axis.x, TOP, axis.height - BOTTOM),
    ]


@dataclass(frozen=True)
class _Place:
    """Where the interval and the name of a method stand beside an axis."""

    x: float  # of the interval
    name_x: float
    name_y: float


def _places(axis: _Axis, slopes: Sequence[Slope], named: Sequence[int]) -> dict[int, _Place]:
    """Place the intervals and names of some methods, the best furthest out and on top."""
    order = sorted(named, key=lambda index: -axis.end(slopes[index]).mean)
    wanted = [axis.y(axis.end(slopes[index]).mean) for index in order]
    apart = min(APART, ROOM / max(1, len(order) - 1))
    far = NEAR + apart * (len(order) - 1)
    return {
        index: _Place(
            x=axis.x + axis.outwards * (far - apart * place),
            name_x=axis.x + axis.outwards * (far + FAN),
            name_y=name_y,
        )
        for place, (index, name_y) in enumerate(
            zip(order, spread_labels(wanted, TOP, axis.height - BOTTOM), strict=True)
        )
    }


def _group(
    slope: Slope, axes: Sequence[_Axis], places: Sequence[_Place | None], decimals: int
) -> Markup:
    """Draw a method from axis to axis, with its interval and its name beside each."""
    (x1, y1), (x2, y2) = ((axis.x, axis.y(axis.end(slope).mean)) for axis in axes)
    path = Markup('<path class="slope" d="M{} {:.1f}L{} {:.1f}"/>').format(x1, y1, x2, y2)
    beside = [
        _beside(slope, axis, place, decimals)
        for axis, place in zip(axes, places, strict=True)
        if place
    ]
    dots = [
        Markup('<circle class="{}" cx="{}" cy="{:.1f}" r="3.5"/>').format(
            "leads" if axis.end(slope).leads else "follows", axis.x, axis.y(axis.end(slope).mean)
        )
        for axis in axes
    ]
    css = "slopes leads" if slope.leads else "slopes"
    inner = Markup("").join([path, *beside, *dots])
    return Markup('<g class="{}"><title>{}</title>{}</g>').format(css, _said(slope), inner)


def _beside(slope: Slope, axis: _Axis, place: _Place, decimals: int) -> Markup:
    end = axis.end(slope)
    mean = axis.y(end.mean)
    return Markup(
        '<path class="leader" d="M{:.1f} {:.1f}L{:.1f} {:.1f}H{}"/>'
        '<path class="reach" d="M{:.1f} {:.1f}V{:.1f}"/><path class="middle" d="M{:.1f} {:.1f}h0"/>'
        '<text class="{}" x="{:.1f}" y="{:.1f}" dy="3.6" text-anchor="{}">{}</text>'
    ).format(
        place.name_x - 2 * axis.outwards, place.name_y, place.x, mean, axis.x,
        place.x, axis.y(end.low), axis.y(end.high), place.x, mean,
        "name" if end.leads else "", place.name_x, place.name_y,
        axis.anchor, _label(slope, axis, decimals),
    )  # fmt: skip


def _label(slope: Slope, axis: _Axis, decimals: int) -> Markup:
    name, figure = shorten(slope.title, LONGEST_NAME), fixed(axis.end(slope).mean, decimals)
    return label(f"{name} {figure}" if axis.side == "here" else f"{figure} {name}")


def _named(slopes: Sequence[Slope]) -> list[int]:
    everyone = range(len(slopes))
    few = len(slopes) <= MOST_LABELLED
    return [index for index in everyone if few or slopes[index].leads]


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
