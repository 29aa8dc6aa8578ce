"""R1 as papers print it, by the year in which each method was published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from leaderboard.literature.methods import ReportedMethod
from leaderboard.records.estimates import PRIMARY


class Step(StrEnum):
    """What a method adds to the best of all earlier years."""

    FIRST = "of the first year"
    GAIN = "gain"
    WITHIN = "within the spread of seeds"
    NONE = "no gain"


@dataclass(frozen=True)
class Point:
    """A method on the timeline of a dataset."""

    method: ReportedMethod
    year: int
    value: Decimal
    over: Decimal | None  # points above the best of all earlier years; None in the first year
    step: Step


def find_points(methods: Iterable[ReportedMethod], dataset: str, reach: float) -> tuple[Point, ...]:
    """Return the methods that have a year and an R1 there, by year, the best of a year first.

    Baselines that each paper trains for itself are of no year. `reach` is the difference in points
    below which a gain may be one of seeds.
    """
    dated = [
        (year, value, method)
        for method in methods
        if not method.is_baseline
        and (year := method.year)
        and (value := method.value(dataset, PRIMARY)) is not None
    ]
    dated.sort(key=lambda one: (one[0], -one[1]))
    return tuple(
        Point(method, year, value, *_judge(value, [v for y, v, _ in dated if y < year], reach))
        for year, value, method in dated
    )


def find_undated(methods: Iterable[ReportedMethod], dataset: str) -> list[ReportedMethod]:
    """Return the methods with an R1 there and no year, baselines left aside."""
    return [
        method
        for method in methods
        if not method.is_baseline
        and method.year is None
        and method.value(dataset, PRIMARY) is not None
    ]


def best_by_year(points: Sequence[Point]) -> list[Point]:
    """Return the methods that were above all of earlier years and the best of their own."""
    best: dict[int, Point] = {}
    for point in points:  # the best of a year comes first
        best.setdefault(point.year, point)
    return [point for point in best.values() if point.over is None or point.over > 0]


def _judge(value: Decimal, earlier: Sequence[Decimal], reach: float) -> tuple[Decimal | None, Step]:
    if not earlier:
        return None, Step.FIRST
    over = value - max(earlier)
    if over <= 0:
        return over, Step.NONE
    return over, Step.GAIN if float(over) >= reach else Step.WITHIN
