"""The index page: one ranking of the methods as published for each suite and dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from leaderboard.addresses import Addresses, list_failures
from leaderboard.dataset_card import dataset_card
from leaderboard.estimates import PRIMARY, Summary, missing_notes, summaries, write_table
from leaderboard.load import FULL, Ground, Run, finite
from leaderboard.render import render_page
from leaderboard.reported_figures import metric_cells, own_figures
from leaderboard.reported_tables import Paper
from leaderboard.site import File, Site
from leaderboard.typography import ABSENT, counted, day, fixed, magnitude_decimals
from leaderboard.views import (
    Estimate,
    IndexPage,
    Note,
    Quantity,
    Ranking,
    RankingRow,
    UnrankedRow,
)

# Record field -> how many of its units make one of the column's.
QUANTITIES = {
    "parameters": 1e6,
    "train_seconds": 1.0,
    "image_milliseconds": 1.0,
    "text_milliseconds": 1.0,
}


@dataclass(frozen=True)
class Competitor:
    """A method on one ground, with its runs as published."""

    method: str
    runs: list[Run]
    summaries: dict[str, Summary | None]

    @property
    def primary(self) -> float | None:
        """Return the mean that ranks it; None without a figure."""
        summary = self.summaries[PRIMARY]
        return summary.mean if summary else None

    @property
    def seeds(self) -> int:
        return sum(run.finished for run in self.runs)


@dataclass(frozen=True)
class Board:
    """Everyone who competes on a ground, and where their pages are."""

    ground: Ground
    addresses: Addresses
    papers: Mapping[str, Paper]
    competitors: list[Competitor]

    @property
    def ranked(self) -> list[Competitor]:
        """Return those with a figure, the best first."""
        present = [competitor for competitor in self.competitors if competitor.primary is not None]
        return sorted(present, key=lambda competitor: -(competitor.primary or 0.0))

    @property
    def most_seeds(self) -> int:
        return max(competitor.seeds for competitor in self.competitors)


def make_files(site: Site) -> dict[str, File]:
    """Return the page that opens the site."""
    page = index_page(site.grounds, site.addresses, site.papers)
    return {"index.html": render_page("index", page, "index.html")}


def index_page(
    grounds: Sequence[Ground], addresses: Addresses, papers: Mapping[str, Paper]
) -> IndexPage:
    """Rank the methods on every ground, with what their own papers report beside our figures."""
    boards = [Board(g, addresses, papers, _competitors(g, grounds)) for g in grounds]
    runs = [run for ground in grounds for run in ground.runs]
    latest = max(run.record.started for run in runs)
    extent = f"{counted(len(runs), 'run')} of {counted(len(addresses.titles), 'method')}"
    return IndexPage(
        rankings=tuple(_ranking(board) for board in boards),
        extent=f"{extent}, the latest of {day(latest)}" if latest else extent,
    )


def _ranking(board: Board) -> Ranking:
    ground, addresses = board.ground, board.addresses
    columns, estimates = write_table([competitor.summaries for competitor in board.ranked])
    quantities = _quantities(board.ranked)
    failures = [list_failures(ground, method, addresses) for method in sorted(ground.methods)]
    rows = tuple(
        _row(board, competitor, of_row, numbers)
        for competitor, of_row, numbers in zip(board.ranked, estimates, quantities, strict=True)
    )
    return Ranking(
        card=dataset_card(ground, addresses.anchors[ground.label], ground.runs),
        columns=columns,
        rows=rows,
        shows_reported=any(cell.reported for row in rows for cell in row.cells),
        unranked=tuple(_unranked(board, c) for c in board.competitors if c.primary is None),
        failures=tuple(failure for of_method in failures for failure in of_method),
    )


def _competitors(ground: Ground, grounds: Sequence[Ground]) -> list[Competitor]:
    """Return every method that ran anywhere in the suite: each owes a figure on each dataset."""
    methods = {name for other in grounds if other.suite == ground.suite for name in other.methods}
    runs = {method: ground.full(method) for method in sorted(methods)}
    return [Competitor(method, full, summaries(full)) for method, full in runs.items()]


def _row(
    board: Board,
    competitor: Competitor,
    estimates: tuple[Estimate | None, ...],
    quantities: tuple[Quantity, ...],
) -> RankingRow:
    seeds = str(competitor.seeds)
    reported = own_figures(board.papers, competitor.method, board.ground).of_method()
    return RankingRow(
        rank=_rank(competitor, board.ranked),
        name=board.addresses.titles[competitor.method],
        alias=board.addresses.alias(competitor.method),
        href=board.addresses.page(competitor.method),
        supervision=_supervision(competitor.runs),
        cells=metric_cells(estimates, reported),
        seeds=Quantity(seeds, seeds),
        quantities=quantities,
        notes=(
            *_fewer_seeds(competitor, board.most_seeds),
            *_failed(board, competitor),
            *missing_notes(competitor.summaries, competitor.seeds),
        ),
    )


def _rank(competitor: Competitor, ranked: Sequence[Competitor]) -> str:
    """Return one more than the number of better methods, so that equal means share a rank."""
    own = competitor.primary or 0.0
    return str(1 + sum((other.primary or 0.0) > own for other in ranked))


def _supervision(runs: Sequence[Run]) -> str:
    return runs[-1].record.supervision if runs else ""


def _quantities(ranked: Sequence[Competitor]) -> list[tuple[Quantity, ...]]:
    columns = [_quantity_column(ranked, name, unit) for name, unit in QUANTITIES.items()]
    return list(zip(*columns, strict=True))


def _quantity_column(ranked: Sequence[Competitor], name: str, unit: float) -> list[Quantity]:
    means = [_mean(competitor.runs, name) / unit for competitor in ranked]
    decimals = magnitude_decimals(means)
    return [Quantity(fixed(mean, decimals) if mean else ABSENT, repr(mean)) for mean in means]


def _mean(runs: Sequence[Run], name: str) -> float:
    """Return the mean of a record's field over finished runs; 0 means that none measured it."""
    found = [finite(getattr(run.record, name)) or 0.0 for run in runs if run.finished]
    return fmean(found) if found else 0.0


def _fewer_seeds(competitor: Competitor, most: int) -> list[Note]:
    if competitor.seeds >= most:
        return []
    return [Note(f"others have {most}")]


def _failed(board: Board, competitor: Competitor) -> list[Note]:
    """Say which runs of the method as published ended without a result."""
    return [
        Note(f"seed {failure.seed}: {failure.status}", failure.href)
        for failure in list_failures(board.ground, competitor.method, board.addresses)
        if failure.variant == FULL
    ]


def _unranked(board: Board, competitor: Competitor) -> UnrankedRow:
    failed = _failed(board, competitor)
    if competitor.seeds:
        reason = "finished, but recorded no R1"
    elif failed:
        reason = "no run gave a result"
    else:
        reason = "not run as published on this dataset"
    return UnrankedRow(
        name=board.addresses.titles[competitor.method],
        alias=board.addresses.alias(competitor.method),
        href=board.addresses.page(competitor.method),
        supervision=_supervision(competitor.runs),
        notes=(Note(reason), *failed),
    )
