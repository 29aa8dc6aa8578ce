"""Accuracy against cost, one panel a cost: what each method costs and who gives most for it.

A panel is laid out once for every metric, so that the page's script moves what is drawn and
computes nothing. The cost is on a log scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.results import METRICS
from leaderboard.drawing.axes import Plane, number_ticks
from leaderboard.ranking.labels import Label, place_labels
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.typography import fixed, listed, magnitude_decimals

WIDTH, HEIGHT = 420, 262
LEFT, RIGHT, TOP, BOTTOM = 34, 14, 30, 40  # room for the axes
ROUND = (1, 2, 5)  # times powers of ten: where a log scale begins, ends and is marked
MOST_TICKS = 7
MOST_NAMED = 6  # methods that are left out of a panel


@dataclass(frozen=True)
class Point:
    """A method with its cost and, by metric, the mean."""

    key: str
    name: str
    href: str
    cost: float  # 0 where it was not measured
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Dot:
    """A method's place across."""

    key: str
    name: str
    href: str
    x: str


@dataclass(frozen=True)
class DotPlace:
    """A method's place up, by one metric."""

    y: str
    title: str
    label: Label | None
    is_front: bool  # no method is as cheap and better


@dataclass(frozen=True)
class Layout:
    """Everything in a panel that depends on the metric."""

    ticks: tuple[tuple[str, str], ...]  # y, text
    front: str  # the path along the best methods for their cost
    dots: tuple[DotPlace, ...]


@dataclass(frozen=True)
class Panel:
    """A drawing `WIDTH` by `HEIGHT`."""

    identifier: str
    cost: str  # "Parameters, M"
    ticks: tuple[tuple[str, str], ...]  # x, text
    dots: tuple[Dot, ...]
    layouts: Mapping[str, Layout]
    left_out: str  # who is not drawn, and why


@dataclass(frozen=True)
class Cost:
    """What methods cost: a panel's axis across."""

    identifier: str  # of the panel, in the page
    name: str
    unit: str
    points: Sequence[Point]


def draw_panels(costs: Sequence[Cost]) -> tuple[Panel, ...]:
    """Lay out a panel for each cost that two or more methods have.

    Panels stand side by side, so all have one scale up: a method is as high in each of them.
    """
    shown = {cost.identifier: drawn for cost in costs if len(drawn := _drawn(cost.points)) > 1}
    if not shown:
        return ()
    everyone = [point for drawn in shown.values() for point in drawn]
    up = {metric: round_scale([point.scores[metric] for point in everyone]) for metric in METRICS}
    return tuple(
        _panel(cost, shown[cost.identifier], up) for cost in costs if cost.identifier in shown
    )


def _drawn(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if point.cost > 0]


def _panel(cost: Cost, drawn: Sequence[Point], up: Mapping[str, Scale]) -> Panel:
    across, marks = _log_scale([point.cost for point in drawn])
    return Panel(
        identifier=cost.identifier,
        cost=f"{cost.name}, {cost.unit}",
        ticks=tuple((_at_x(across, mark), f"{mark:,g}") for mark in marks),
        dots=tuple(
            Dot(point.key, point.name, point.href, _at_x(across, point.cost)) for point in drawn
        ),
        layouts={
            metric: _layout(drawn, metric, cost.unit, _plane(across, up[metric]))
            for metric in METRICS
        },
        left_out=_left_out([point.name for point in cost.points if point.cost <= 0]),
    )


def pareto_front(costs: Sequence[float], means: Sequence[float]) -> list[int]:
    """Return which are better than all that cost as little or less, the cheapest first."""
    best, front = -math.inf, []
    for index in sorted(range(len(costs)), key=lambda i: (costs[i], -means[i])):
        if means[index] > best:
            front.append(index)
            best = means[index]
    return front


def _layout(points: Sequence[Point], metric: str, unit: str, plane: Plane) -> Layout:
    scores = [point.scores[metric] for point in points]
    dots = [plane.at(math.log10(p.cost), s) for p, s in zip(points, scores, strict=True)]
    front = pareto_front([point.cost for point in points], scores)
    names = {index: points[index].name for index in front}
    labels = place_labels(names, dots, (LEFT, TOP, WIDTH - 2, HEIGHT - BOTTOM))
    titles = _titles(points, metric, unit)
    return Layout(
        ticks=tuple(
            (f"{plane.at(plane.x.low, value)[1]:.1f}", text)
            for value, text in number_ticks(plane.y, 5)
        ),
        front=_steps([dots[index] for index in front]),
        dots=tuple(
            DotPlace(f"{y:.1f}", titles[index], labels.get(index), index in front)
            for index, (_, y) in enumerate(dots)
        ),
    )


def _titles(points: Sequence[Point], metric: str, unit: str) -> list[str]:
    decimals = magnitude_decimals([point.cost for point in points])
    return [
        f"{point.name}: {METRICS[metric]} {fixed(point.scores[metric], 1)} %,"
        f" {fixed(point.cost, decimals)} {unit}"
        for point in points
    ]


def _steps(corners: Sequence[tuple[float, float]]) -> str:
    """Return a path that rises where a dearer method is better, to the right end."""
    first, *others = corners
    rises = "".join(f"H{x:.1f}V{y:.1f}" for x, y in others)
    return f"M{first[0]:.1f} {first[1]:.1f}{rises}H{WIDTH - RIGHT}"


def _log_scale(costs: Sequence[float]) -> tuple[Scale, list[float]]:
    """Return the scale of the logarithms between round costs, and the costs to mark."""
    start = math.floor(math.log10(min(costs))) - 1
    marks = [factor * 10.0**power for power in range(start, start + 14) for factor in ROUND]
    first = max(i for i, mark in enumerate(marks) if mark <= min(costs) * (1 + 1e-9))
    last = min(
        (i for i, mark in enumerate(marks) if mark >= max(costs) * (1 - 1e-9)),
        default=len(marks) - 1,
    )
    held = marks[first : max(last, first + 1) + 1]
    return Scale(math.log10(held[0]), math.log10(held[-1])), _thin(held)


def _thin(held: Sequence[float]) -> list[float]:
    """Return which round costs to mark: not too many, and on a short scale those between too."""
    if len(held) > 3:
        return list(held[:: -(-len(held) // MOST_TICKS)])
    unit = 10.0 ** math.floor(math.log10(held[0]) + 1e-9)
    first, last = round(held[0] / unit), round(held[-1] / unit)
    return [n * unit for n in range(first, last + 1) if n <= 10 or n % 10 == 0]


def _plane(across: Scale, up: Scale) -> Plane:
    return Plane(across, up, WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM)


def _at_x(across: Scale, cost: float) -> str:
    return f"{_plane(across, Scale(0, 1)).at(math.log10(cost), 0)[0]:.1f}"


def _left_out(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = [
        *names[:MOST_NAMED],
        *([f"{len(names) - MOST_NAMED} more"] if names[MOST_NAMED:] else []),
    ]
    return f"Without this cost, so not drawn: {listed(shown)}."
