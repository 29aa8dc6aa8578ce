"""The rows of a table in LaTeX: figures, bold where no other row is better, and their seeds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.results import METRICS
from leaderboard.downloads.latex import bold, escape_tex
from leaderboard.records.estimates import Leaders, Summary
from leaderboard.records.load import Ground, Run
from leaderboard.typography import fixed, listed, plain

Interval = tuple[float, float]


@dataclass(frozen=True)
class TexRow:
    """The figures of a row by metric, the 95 % intervals of their means, and the seeds."""

    figures: Mapping[str, Summary | None]
    intervals: Mapping[str, Interval | None]
    seeds: tuple[int, ...]  # none where nothing was finished


def tex_figures(rows: Sequence[TexRow], decimals: int, leaders: Leaders) -> list[tuple[str, ...]]:
    """Return the cells of each row, one a metric; a dash where there is no figure."""
    columns = [_column(rows, metric, decimals, leaders.get(metric, ())) for metric in METRICS]
    return list(zip(*columns, strict=True))


def have_seeds_of_their_own(rows: Sequence[TexRow]) -> bool:
    """Say whether rows differ in their seeds, which then have a column."""
    return len({row.seeds for row in rows}) > 1


def tex_seeds(rows: Sequence[TexRow]) -> list[str]:
    """Return the seeds of each row, "0-2" where they follow one another."""
    return [_numbers(row.seeds) if row.seeds else "--" for row in rows]


def tex_caption(
    ground: Ground, runs: Sequence[Run], rows: Sequence[TexRow], title: str = ""
) -> str:
    """Say what a table stands on, so that it can be read away from its page."""
    finished = [run.record for run in runs if run.finished]
    data = finished[-1].data if finished else {}
    dataset = plain(data.get("title") or ground.dataset)
    scales = listed(sorted({record.scale for record in finished}))
    drawn = " Every person in this dataset is drawn by a program." if data.get("drawn") else ""
    return escape_tex(
        f"{title}{'. ' if title else ''}Text-to-image person retrieval on {dataset}"
        f" ({ground.suite}, scale {scales}), in percent: {_over(rows)}."
        f"{drawn} Bold: no other row is better."
    )


def _over(rows: Sequence[TexRow]) -> str:
    if have_seeds_of_their_own(rows):
        return "means over the seeds of each row"
    seeds = [str(seed) for seed in rows[0].seeds] if rows else []
    if len(seeds) < 2:
        return f"one run with seed {listed(seeds)}" if seeds else "no run was finished"
    return f"means over seeds {listed(seeds)}"


def _numbers(seeds: Sequence[int]) -> str:
    """Write seeds as short as they can be."""
    follow = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    if follow and len(seeds) > 2:
        return f"{seeds[0]}--{seeds[-1]}"
    return ", ".join(map(str, seeds))


def _column(
    rows: Sequence[TexRow], metric: str, decimals: int, leaders: Collection[int]
) -> list[str]:
    return [
        _cell(summary, row.intervals.get(metric), decimals, place in leaders)
        if (summary := row.figures[metric])
        else "--"
        for place, row in enumerate(rows)
    ]


def _cell(summary: Summary, interval: Interval | None, decimals: int, is_best: bool) -> str:
    text = escape_tex(fixed(summary.mean, decimals))
    figure = bold(text) if is_best else text
    if interval is None:
        return figure
    low, high = (escape_tex(fixed(end, decimals)) for end in interval)
    return rf"{figure}\interval{{{low}}}{{{high}}}"
