"""Makes the index page: one ranking of the methods as published for each suite and dataset."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from harness.results import TIED
from leaderboard.dataset_card import dataset_card
from leaderboard.drawing.whiskers import is_cut
from leaderboard.ranking.cells import Sheet, interval, rank_cells
from leaderboard.ranking.competitors import Board, Competitor, make_board, notes, reasons
from leaderboard.ranking.differences import difference_cells, pack_comparisons
from leaderboard.ranking.panels import Panel, Point, draw_panel
from leaderboard.ranking.scores import Place
from leaderboard.ranking.views import DifferenceCell, IndexPage, RankCell, Ranking, Row
from leaderboard.records.estimates import PRIMARY, summarize
from leaderboard.reported.figures import own_figures
from leaderboard.site.addresses import list_failures
from leaderboard.site.render import render_page
from leaderboard.site.scripts_data import data_file, data_script
from leaderboard.site.site import File, Site
from leaderboard.typography import ABSENT, counted, day, fixed, listed, magnitude_decimals
from leaderboard.views import Quantity

FILE = "index.html"
SEEDS_RESAMPLED = 3  # from so many on, intervals are over seeds too
# Record field -> how many of its units make one of the column's.
QUANTITIES = {
    "parameters": 1e6,
    "train_seconds": 1.0,
    "image_milliseconds": 1.0,
    "text_milliseconds": 1.0,
}


def make_files(site: Site) -> dict[str, File]:
    """Return the page that opens the site, and for its script all differences on every ground."""
    boards = [make_board(site, ground) for ground in site.grounds]
    rankings = [_ranking(board) for board in boards]
    page = IndexPage(tuple(rankings), _extent(site))
    files: dict[str, File] = {FILE: render_page("index", page, FILE)}
    for board, ranking in zip(boards, rankings, strict=True):
        name = f"{board.anchor}/ranking"
        files[data_file(name)] = data_script(name, pack_comparisons(board, ranking))
    return files


def _extent(site: Site) -> str:
    runs = [run for ground in site.grounds for run in ground.runs]
    latest = max(run.record.started for run in runs)
    extent = f"{counted(len(runs), 'run')} of {counted(len(site.addresses.titles), 'method')}"
    return f"{extent}, the latest of {day(latest)}" if latest else extent


def _ranking(board: Board) -> Ranking:
    sheet = Sheet(board.ranked, board.apart)
    rows, apart = _rows(board, sheet)
    cells = [cell for row in (*rows, *apart) for cell in row.scores]
    addresses = board.site.addresses
    failures = [list_failures(board.ground, m, addresses) for m in sorted(board.ground.methods)]
    return Ranking(
        card=dataset_card(board.ground, board.anchor, board.ground.runs),
        columns=sheet.columns(),
        rows=rows,
        apart=apart,
        baseline=rows[0].name if len(rows) > 1 else "",
        interval_of=_interval_of(board.ranked),
        shows_reported=any(cell.beside for cell in cells),
        shows_cut=_shows_cut(board.ranked, sheet),
        shows_wide=any(place.wide for place in _places(board)),
        ties=_ties(board),
        panels=_panels(board),
        failures=tuple(failure for of_method in failures for failure in of_method),
    )


def _rows(board: Board, sheet: Sheet) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the rows of those who are ranked, and of those who are not."""
    everyone = [*board.ranked, *board.apart]
    outside = [None] * len(board.apart)
    cells = zip(
        everyone,
        _quantities(everyone),
        [*rank_cells(board.ranked), *outside],
        [*difference_cells(board), *outside],
        strict=True,
    )
    rows = tuple(_row(board, sheet, *of_row) for of_row in cells)
    return rows[: len(board.ranked)], rows[len(board.ranked) :]


def _row(
    board: Board,
    sheet: Sheet,
    competitor: Competitor,
    quantities: tuple[Quantity, ...],
    rank: RankCell | None,
    difference: DifferenceCell | None,
) -> Row:
    addresses, seeds = board.site.addresses, str(competitor.seeds)
    has_figure = competitor.scores[PRIMARY] is not None
    page = addresses.page(competitor.method)
    ran = competitor.method in board.ground.methods
    reported = own_figures(board.site.papers, competitor.method, board.ground).of_method()
    return Row(
        key=board.key(competitor),
        name=addresses.titles[competitor.method],
        alias=addresses.alias(competitor.method),
        href=f"{page}#{quote(board.anchor)}" if ran else page,
        runs=f"{page}#{quote(f'runs-{board.anchor}')}",
        supervision=competitor.supervision,
        backbone=competitor.backbone,
        rank=rank,
        scores=sheet.cells(competitor, reported) if has_figure else (),
        difference=difference,
        seeds=Quantity(seeds, seeds),
        quantities=quantities,
        notes=notes(board, competitor) if has_figure else (),
        reasons=() if rank else reasons(board, competitor),
    )


def _interval_of(ranked: Sequence[Competitor]) -> str:
    resampled = bool(ranked) and ranked[0].seeds >= SEEDS_RESAMPLED
    return "people and seeds" if resampled else "people"


def _ties(board: Board) -> str:
    """Name the methods of which queries hang on a tie."""
    titles = board.site.addresses.titles
    shares = {one.method: summarize(one.runs, TIED) for one in board.competitors}
    told = [
        f"{found.mean:.3g} % of the queries of {titles[method]}"
        for method, found in shares.items()
        if found and found.mean
    ]
    return listed(told)


def _places(board: Board) -> list[Place]:
    scores = [score for one in board.ranked for score in one.scores.values() if score]
    return [score.place for score in scores if score.place]


def _shows_cut(ranked: Sequence[Competitor], sheet: Sheet) -> bool:
    scores = [(key, score) for one in ranked for key, score in one.scores.items() if score]
    found = [(key, interval(score)) for key, score in scores]
    return any(one and is_cut(one, sheet.scales[key]) for key, one in found)


def _quantities(competitors: Sequence[Competitor]) -> list[tuple[Quantity, ...]]:
    columns = [_quantity_column(competitors, name, unit) for name, unit in QUANTITIES.items()]
    return list(zip(*columns, strict=True))


def _quantity_column(competitors: Sequence[Competitor], name: str, unit: float) -> list[Quantity]:
    means = [competitor.mean_of(name) / unit for competitor in competitors]
    decimals = magnitude_decimals(means)
    return [
        Quantity(fixed(mean, decimals) if mean else ABSENT, f"{mean:.6g}" if mean else "")
        for mean in means
    ]


def _panels(board: Board) -> tuple[Panel, ...]:
    """Draw accuracy against what a query and an image cost, and against what must be kept."""
    milliseconds = [
        one.mean_of("image_milliseconds") + one.mean_of("text_milliseconds") for one in board.ranked
    ]
    parameters = [one.mean_of("parameters") / QUANTITIES["parameters"] for one in board.ranked]
    drawn = [
        draw_panel(f"{board.anchor}-time", "Encoding an image and a caption", "ms",
                   _points(board, milliseconds)),
        draw_panel(f"{board.anchor}-size", "Parameters", "M", _points(board, parameters)),
    ]  # fmt: skip
    return tuple(panel for panel in drawn if panel)


def _points(board: Board, costs: Sequence[float]) -> list[Point]:
    return [
        Point(
            key=board.key(one),
            name=board.site.addresses.titles[one.method],
            href=board.site.addresses.page(one.method),
            cost=cost,
            scores={
                metric: (score.place.low, score.summary.mean, score.place.high)
                for metric, score in one.scores.items()
                if score and score.place
            },
        )
        for one, cost in zip(board.ranked, costs, strict=True)
    ]
