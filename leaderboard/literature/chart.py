"""Draws a timeline: a mark for each method, and the best figure so far as steps.

A gain within the spread of seeds is grey, and a square instead of a disc, so that it is told apart
without colours; what was no gain is a ring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from leaderboard.drawing.axes import Plane, draw, horizontal_axis, label, vertical_axis
from leaderboard.literature.timeline import Point, Step, best_by_year
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.typography import signed

WIDTH, HEIGHT = 340, 230
RADIUS = 2.6
SHARE = 0.62  # of a year's width over which its methods stand side by side
MOST_YEARS = 10  # that are written below the axis
MARKS = {Step.FIRST: "gain", Step.GAIN: "gain", Step.WITHIN: "within", Step.NONE: "behind"}
LEGEND = {
    "gain": "a gain over all earlier years",
    "within": "a gain, but within the spread of seeds",
    "behind": "no gain",
}


def draw_timeline(identifier: str, dataset: str, points: Sequence[Point]) -> Markup:
    """Draw the methods of a dataset, of which there is one at least; points are by year."""
    years = range(points[0].year, points[-1].year + 1)
    values = [float(point.value) for point in points]
    plane = Plane(Scale(years[0] - 0.5, years[-1] + 0.5), round_scale(values), WIDTH, HEIGHT)
    stride = -(-len(years) // MOST_YEARS)
    ticks = [(float(year), str(year)) for year in years[::stride]]
    parts = [
        *vertical_axis(plane, "R1 (%)"),
        *horizontal_axis(plane, "year of publication; within a year by R1, not by date", ticks),
        *_steps(plane, points),
        *(_mark(plane, point, x) for point, x in _side_by_side(points)),
    ]
    title = f"R1 on {dataset} as papers print it, by year of publication"
    return draw(plane, identifier, title, _in_words(points), parts)


def timeline_legend() -> Markup:
    """Draw each kind of mark beside what it means."""
    item = Markup(
        '<li><svg class="sample mark-sample" viewBox="0 0 12 10" aria-hidden="true">{}</svg>{}</li>'
    )
    return Markup("").join(item.format(_shape(kind, 6, 5, ""), say) for kind, say in LEGEND.items())


def _side_by_side(points: Sequence[Point]) -> Iterator[tuple[Point, float]]:
    """Yield each point with where it stands: those of one year beside each other, the best last."""
    counts = Counter(point.year for point in points)
    placed: Counter[int] = Counter()
    for point in points:
        placed[point.year] += 1
        rank = counts[point.year] - placed[point.year] + 0.5
        yield point, point.year + SHARE * (rank / counts[point.year] - 0.5)


def _steps(plane: Plane, points: Sequence[Point]) -> Iterator[Markup]:
    """Yield the best so far: on from year to year, and up where one was better."""
    path = Markup('<path class="best{}" d="{}"/>')
    best = best_by_year(points)
    ends = [*(point.year - 0.5 for point in best[1:]), plane.x.high]
    before = None
    for point, end in zip(best, ends, strict=True):
        start, height = plane.at(point.year - 0.5, float(point.value))
        if before is not None:
            kind = " within" if point.step is Step.WITHIN else ""
            yield path.format(kind, f"M{start:.1f} {before:.1f}V{height:.1f}")
        yield path.format("", f"M{start:.1f} {height:.1f}H{plane.at(end, 0)[0]:.1f}")
        before = height


def _mark(plane: Plane, point: Point, x: float) -> Markup:
    across, height = plane.at(x, float(point.value))
    over = "" if point.over is None else f", {signed(float(point.over), 2)} points"
    says = f"{point.method.name}, {point.year}: {point.value:f} %{over}, {point.step}"
    return _shape(MARKS[point.step], across, height, says)


def _shape(kind: str, x: float, y: float, says: str) -> Markup:
    title = Markup("<title>{}</title>").format(label(says)) if says else Markup("")
    if kind == "within":
        square = '<rect class="mark within" x="{:.1f}" y="{:.1f}" width="{}" height="{}">{}</rect>'
        return Markup(square).format(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, title)
    return Markup('<circle class="mark {}" cx="{:.1f}" cy="{:.1f}" r="{}">{}</circle>').format(
        kind, x, y, RADIUS, title
    )


def _in_words(points: Sequence[Point]) -> str:
    """Say who was the best so far, year by year; the table beside the chart has all."""
    said = [
        f"{point.year}: {point.method.name} {point.value:f} ({point.step})"
        for point in best_by_year(points)
    ]
    return f"Best so far: {'; '.join(said)}."
