"""Means over seeds with their range, written and drawn on a scale that a column shares."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.results import METRICS
from leaderboard.records.load import Run
from leaderboard.typography import counted, fixed, spread_decimals
from leaderboard.views import Estimate, MetricColumn, Note, Whisker

PRIMARY = "r1"
Leaders = Mapping[str, Collection[int]]  # metric -> the rows than which no other is better
WHISKER_WIDTH = 52.0
_MARGIN = 1.0  # keeps the ends inside the drawing


@dataclass(frozen=True)
class Summary:
    """The mean and range of one metric over seeds, in percent."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Scale:
    """The ends of an axis, round numbers that hold every value."""

    low: float
    high: float

    def place(self, value: float, width: float = WHISKER_WIDTH, margin: float = _MARGIN) -> float:
        """Return where a value lies on a line of `width`."""
        return margin + (value - self.low) / (self.high - self.low) * (width - 2 * margin)


def summarize(runs: Sequence[Run], metric: str, evaluation: str | None = None) -> Summary | None:
    """Return mean and range over the finished runs that have the metric; None without any."""
    found = [run.metric(metric, evaluation) for run in runs if run.finished]
    values = [value for value in found if value is not None]
    return Summary(fmean(values), min(values), max(values), len(values)) if values else None


def summaries(runs: Sequence[Run], evaluation: str | None = None) -> dict[str, Summary | None]:
    """Return every metric of a table's row."""
    return {metric: summarize(runs, metric, evaluation) for metric in METRICS}


def round_scale(values: Sequence[float], steps: int = 4) -> Scale:
    """Return the tightest ends that are multiples of a 1-2-5 step and hold every value."""
    low, high = min(values), max(values)
    step = round_step((high - low) / steps or abs(high) / 10 or 1.0)
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(*ends) if ends[0] < ends[1] else Scale(ends[0] - step, ends[1] + step)


def round_step(size: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least `size`."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= size * (1 - 1e-9))


def write_table(
    rows: Sequence[Mapping[str, Summary | None]], leaders: Leaders | None = None
) -> tuple[tuple[MetricColumn, ...], tuple[tuple[Estimate | None, ...], ...]]:
    """Return the header and the cells of a table of means: one scale a column.

    Takes the rows, by metric, that are marked because no other is better.
    """
    decimals = spread_decimals([s.high - s.low for row in rows for s in row.values() if s])
    columns = [
        _column(name, [row[metric] for row in rows], decimals, (leaders or {}).get(metric, ()))
        for metric, name in METRICS.items()
    ]
    header = tuple(column for column, _ in columns)
    return header, tuple(zip(*(cells for _, cells in columns), strict=True))


def _column(
    name: str, found: Sequence[Summary | None], decimals: int, leaders: Collection[int]
) -> tuple[MetricColumn, list[Estimate | None]]:
    present = [summary for summary in found if summary]
    if not present:
        return MetricColumn(name, "%", "", ""), [None] * len(found)
    scale = round_scale([end for s in present for end in (s.low, s.high)])
    header = MetricColumn(name, "%", f"{scale.low:g}", f"{scale.high:g}")
    return header, [
        _estimate(summary, scale, decimals, row in leaders) if summary else None
        for row, summary in enumerate(found)
    ]


def _estimate(summary: Summary, scale: Scale, decimals: int, is_best: bool) -> Estimate:
    several = summary.count > 1
    return Estimate(
        text=fixed(summary.mean, decimals),
        low=fixed(summary.low, decimals) if several else "",
        high=fixed(summary.high, decimals) if several else "",
        whisker=Whisker(
            *(f"{scale.place(end):.1f}" for end in (summary.low, summary.mean, summary.high))
        ),
        is_best=is_best,
        order=repr(summary.mean),
    )


def missing_notes(row: Mapping[str, Summary | None], seeds: int) -> list[Note]:
    """Say which metrics of a row stand on fewer seeds than the row has."""
    counts = {name: summary.count if summary else 0 for name, summary in row.items()}
    return [
        Note(f"{METRICS[metric]} from {count} of {counted(seeds, 'seed')}")
        for metric, count in counts.items()
        if count < seeds
    ]
