"""Makes the index page: one ranking of the methods as published for each suite and dataset."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from harness.results import METRICS, TIED
from harness.results.handed_in import SCORES_ONLY, TRAINED_ELSEWHERE
from harness.results.shipped import say_shipped
from leaderboard.agreement.section import agreement_line, section_anchor
from leaderboard.dataset_card import dataset_card, dataset_title
from leaderboard.ranking.cells import figure_decimals, rank_cells, score_cells
from leaderboard.ranking.competitors import Board, Competitor, make_board, notes, reasons
from leaderboard.ranking.differences import (
    DifferenceColumn,
    difference_column,
    pack_comparisons,
)
from leaderboard.ranking.panels import Cost, Panel, Point, draw_panels
from leaderboard.ranking.slopes import draw_slopes
from leaderboard.ranking.verdict import say_power, write_clause, write_switch, write_verdict
from leaderboard.ranking.views import (
    Column,
    DifferenceCell,
    IndexPage,
    RankCell,
    Ranking,
    Row,
    Shipped,
    Verdict,
)
from leaderboard.records.estimates import PRIMARY, summarize
from leaderboard.records.load import FULL
from leaderboard.reported.figures import own_figures
from leaderboard.site.addresses import list_failures
from leaderboard.site.render import render_page
from leaderboard.site.scripts_data import data_file, data_script
from leaderboard.site.site import File, Site
from leaderboard.typography import ABSENT, fixed, listed, magnitude_decimals
from leaderboard.views import Note, Quantity

FILE = "index.html"
# Record field -> how many of its units make one of the column's.
QUANTITIES = {
    "parameters": 1e6,
    "train_seconds": 1.0,
}


def make_files(site: Site) -> dict[str, File]:
    """Return the page that opens the site, and for its script all differences on every ground."""
    boards = [make_board(site, ground) for ground in site.grounds]
    rankings = [_ranking(board) for board in boards]
    page = IndexPage(
        verdicts=tuple(_verdict(board) for board in boards),
        rankings=tuple(rankings),
    )
    files: dict[str, File] = {FILE: render_page("index", page, FILE, site.stamp)}
    for board, ranking in zip(boards, rankings, strict=True):
        name = f"{board.anchor}/ranking"
        files[data_file(name)] = data_script(name, pack_comparisons(board, ranking))
    return files


def _verdict(board: Board) -> Verdict:
    notes = (_agreement(board), Note(say_power(board)))
    return Verdict(
        title=dataset_title(board.ground),
        sentence=write_verdict(board),
        clause=write_clause(board),
        notes=tuple(note for note in notes if note and note.text),
        switch=write_switch(board),
    )


def _ranking(board: Board) -> Ranking:
    column = difference_column(board)
    rows, apart = _rows(board, column)
    cells = [cell for row in (*rows, *apart) for cell in row.scores]
    addresses = board.site.addresses
    failures = [list_failures(board.ground, m, addresses) for m in sorted(board.ground.methods)]
    card = dataset_card(board.ground, board.anchor, board.ground.runs)
    return Ranking(
        card=card,
        columns=tuple(Column(key, name) for key, name in METRICS.items()),
        rows=rows,
        apart=apart,
        baseline=rows[0].name if len(rows) > 1 else "",
        ticks=column.ticks,
        zero=column.zero,
        single=_single(board),
        one_run_each=board.most_seeds == 1,
        shows_reported=any(cell.beside for cell in cells),
        shows_cut=column.is_cut,
        shows_people=len({row.people for row in (*rows, *apart)}) > 1,
        scores_only=_marked(board, SCORES_ONLY),
        trained_elsewhere=_marked(board, TRAINED_ELSEWHERE),
        ties=_ties(board),
        shipped=_shipped(board),
        slopes=draw_slopes(board),
        panels=_panels(board),
        failures=tuple(failure for of_method in failures for failure in of_method),
    )


def _rows(board: Board, column: DifferenceColumn) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Return the rows of those who are ranked, and of those who are not."""
    everyone = [*board.ranked, *board.apart]
    titles, decimals = board.site.addresses.titles, figure_decimals(everyone)
    outside = [None] * len(board.apart)
    cells = zip(
        everyone,
        _quantities(everyone),
        [*rank_cells(board.ranked, titles), *outside],
        [*column.cells, *outside],
        strict=True,
    )
    rows = tuple(_row(board, decimals, *of_row) for of_row in cells)
    return rows[: len(board.ranked)], rows[len(board.ranked) :]


def _row(
    board: Board,
    decimals: int,
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
        people=competitor.seen_people,
        backbone=competitor.backbone,
        rank=rank,
        scores=score_cells(competitor, decimals, reported, addresses.titles) if has_figure else (),
        difference=difference,
        seeds=Quantity(seeds, seeds),
        quantities=quantities,
        notes=notes(board, competitor) if has_figure else (),
        reasons=() if rank else reasons(board, competitor),
    )


def _single(board: Board) -> str:
    """Name the methods of one run beside those of several seeds."""
    titles = board.site.addresses.titles
    names = [titles[one.method] for one in board.ranked if one.is_fixed and board.most_seeds > 1]
    return listed(names) if names else ""


def _marked(board: Board, mark: str) -> str:
    """Name the methods that are marked so, because they rest on files that were handed in."""
    titles = board.site.addresses.titles
    names = [titles[one.method] for one in board.competitors
             if any(run.record.mark == mark for run in one.runs)]  # fmt: skip
    return listed(names) if names else ""


def _shipped(board: Board) -> Shipped | None:
    """Say how many of the runs came with the project, and what makes them here."""
    runs = board.ground.runs
    text = say_shipped([run.stored for run in runs])
    if not text:
        return None
    variants = {run.record.variant for run in runs if run.is_shipped}
    rows = " --ablations" if variants - {FULL} else ""
    published = {run.is_shipped for one in board.ranked for run in one.runs if run.finished}
    return Shipped(
        text=text,
        command=f"harness run --all --suite {board.ground.suite}{rows}",
        is_mixed=len(published) > 1,
    )


def _agreement(board: Board) -> Note | None:
    """Say of drawn people how many pairs stand as papers report, with where that is told."""
    if not board.ground.is_drawn:
        return None
    said = agreement_line(board.site, board.ground)
    anchor = section_anchor(board.site, board.ground)
    return Note(said, f"protocol.html#{quote(anchor)}") if said else None


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
    """Draw accuracy against what training costs, and against what must be kept."""
    costs = {name: [one.mean_of(name) / QUANTITIES[name] for one in board.ranked]
             for name in QUANTITIES}  # fmt: skip
    return draw_panels(
        [
            Cost(f"{board.anchor}-training", "Training", "s",
                 _points(board, costs["train_seconds"])),
            Cost(f"{board.anchor}-size", "Parameters", "M", _points(board, costs["parameters"])),
        ]
    )  # fmt: skip


def _points(board: Board, costs: Sequence[float]) -> list[Point]:
    return [
        Point(
            key=board.key(one),
            name=board.site.addresses.titles[one.method],
            href=board.site.addresses.page(one.method),
            cost=cost,
            scores={
                metric: score.summary.mean
                for metric, score in one.scores.items()
                if score and score.place
            },
        )
        for one, cost in zip(board.ranked, costs, strict=True)
    ]
