"""The figures of a table in LaTeX: the best bold, the second underlined, as papers print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.results import METRICS
from leaderboard.downloads.latex import bold, escape_tex, underlined
from leaderboard.records.estimates import Summary, standings_as_printed
from leaderboard.records.load import Ground, Run
from leaderboard.typography import fixed, listed, plain

Row = Mapping[str, Summary | None]  # by metric


def tex_figures(rows: Sequence[Row], decimals: int) -> list[tuple[str, ...]]:
    """Return the cells of each row, one a metric; a dash where there is no figure."""
    columns = [_column([row[metric] for row in rows], decimals) for metric in METRICS]
    return list(zip(*columns, strict=True))


def tex_caption(ground: Ground, runs: Sequence[Run], title: str = "") -> str:
    """Say what a table stands on, so that it can be read away from its page."""
    finished = [run.record for run in runs if run.finished]
    data = finished[-1].data if finished else {}
    dataset = plain(data.get("title") or ground.dataset)
    seeds = sorted({record.seed for record in finished})
    scales = listed(sorted({record.scale for record in finished}))
    drawn = " Every person in this dataset is drawn by a program." if data.get("drawn") else ""
    numbers = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed([str(seed) for seed in seeds])}"
    return escape_tex(
        f"{title}{'. ' if title else ''}Text-to-image person retrieval on {dataset}"
        f" (suite {ground.suite}, scale {scales}), in percent: means over {numbers}."
        f"{drawn} Best in bold, second underlined."
    )


def _column(found: Sequence[Summary | None], decimals: int) -> list[str]:
    printed = [round(summary.mean, decimals) for summary in found if summary]
    standings = standings_as_printed(printed) if printed else {}
    return [_cell(summary, decimals, standings) if summary else "--" for summary in found]


def _cell(summary: Summary, decimals: int, standings: Mapping[float, str]) -> str:
    text = escape_tex(fixed(summary.mean, decimals))
    write = {"best": bold, "second": underlined}.get(
        standings.get(round(summary.mean, decimals), ""), str
    )
    return write(text)
