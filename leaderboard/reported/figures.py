"""What a method's own paper prints: beside our figures where that is fair, and in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.results import METRICS
from leaderboard.records.load import Ground
from leaderboard.reported.tables import Figure, ReportedPaper, Row, Table, dataset_titles
from leaderboard.reported.views import (
    ReportedCell,
    ReportedDataset,
    ReportedGroup,
    ReportedRow,
    ReportedSection,
    ReportedTable,
)
from leaderboard.site.addresses import Addresses
from leaderboard.typography import ABSENT, counted, listed, web_address
from leaderboard.views import Estimate, MetricCell, ReportedFigure

LONG = 10  # rows beyond which a table stands folded

Figures = Mapping[str, ReportedFigure]  # by metric


@dataclass(frozen=True)
class OwnFigures:
    """What a method's own paper prints for one dataset; without tables, nothing."""

    method: str = ""
    dataset: str = ""
    tables: tuple[Table, ...] = ()
    is_of_several: bool = False  # papers, none of which is the method's own

    def of_method(self) -> Figures:
        """Return the figures of the method as published, each as it is first printed.

        Of several papers the first that is not called suspect counts.
        """
        rows = [(table, row) for table in self.tables for row in table.rows]
        return self._collect([(t, row) for t, row in rows if row.is_of(self.method)])

    def of_row(self, title: str, label: str) -> Figures:
        """Return the figures of an ablation's row, found by its table and label."""
        tables = [table for table in self.tables if table.title == title]
        return self._collect([(t, row) for t in tables for row in t.rows if row.label == label])

    def of_labels(self, labels: Sequence[str]) -> Figures:
        """Return the figures of the rows that the paper calls so, in whichever table."""
        rows = [(table, row) for table in self.tables for row in table.rows]
        return self._collect([(table, row) for table, row in rows if row.label in labels])

    def _collect(self, rows: Sequence[tuple[Table, Row]]) -> Figures:
        found: dict[str, ReportedFigure] = {}
        for table, row in rows:
            for column, figure in zip(table.columns, row.figures, strict=True):
                if figure and column.dataset == self.dataset:
                    first = found.setdefault(column.metric, _figure(figure))
                    if self.is_of_several and first.suspect and not figure.suspect:
                        found[column.metric] = _figure(figure)
        return found


NOTHING = OwnFigures()


def own_figures(papers: Mapping[str, ReportedPaper], method: str, ground: Ground) -> OwnFigures:
    """Return what may stand beside a method's figures: same dataset, same scale, or nothing.

    Beside weights that were trained elsewhere stands what is printed of the method that encodes:
    by its own paper or, where that is not held here, by others.
    """
    encodes = _encodes(method, ground)
    if encodes and encodes not in papers:
        scales = {run.record.scale for run in ground.runs_of(method)}
        tables = [table for one in papers.values() if {one.scale} == scales for table in one.tables]
        return OwnFigures(encodes, ground.dataset, tuple(tables), is_of_several=True)
    if encodes:
        return _of_paper(papers[encodes], method, ground)
    paper = papers.get(method)
    return _of_paper(paper, method, ground) if paper else NOTHING


def _encodes(method: str, ground: Ground) -> str:
    """Return the method whose encoders read the weights of a row; empty of any other row."""
    handed = [run.record.handed_in for run in ground.full(method)]
    return next((one.encoded_by for one in handed if one), "")


def _of_paper(paper: ReportedPaper, method: str, ground: Ground) -> OwnFigures:
    if _differences(paper, method, ground):
        return NOTHING
    return OwnFigures(paper.method, ground.dataset, paper.tables)


def explain_reported(papers: Mapping[str, ReportedPaper], method: str, ground: Ground) -> str:
    """Say what the paper's figures are beside ours, or why they are not; empty without a paper."""
    paper = papers.get(method)
    if paper is None:
        return ""
    if differences := _differences(paper, method, ground):
        return (
            f"The figures in the paper are for {listed(differences)},"
            " so none of them stands beside ours."
        )
    return "Small beside ours stands what the paper prints for this dataset, at the same scale."


def metric_cells(
    estimates: Sequence[Estimate | None], reported: Figures, absent: str
) -> tuple[MetricCell, ...]:
    """Return the cells of a table's row: our figures, or why there is none, and the paper's."""
    pairs = zip(METRICS, estimates, strict=True)
    return tuple(MetricCell(estimate, reported.get(metric), absent) for metric, estimate in pairs)


def _differences(paper: ReportedPaper, method: str, ground: Ground) -> list[str]:
    method_scales = {run.record.scale for run in ground.runs_of(method)}
    datasets = {column.dataset for table in paper.tables for column in table.columns}
    differs = {
        "other data": ground.dataset not in datasets,
        "another scale": method_scales != {paper.scale},
    }
    return [name for name, is_true in differs.items() if is_true]


def _figure(figure: Figure) -> ReportedFigure:
    return ReportedFigure(_text(figure), figure.suspect)


def _text(figure: Figure) -> str:
    return f"{figure.value:f}"


def reported_section(paper: ReportedPaper | None, addresses: Addresses) -> ReportedSection | None:
    """Show every table of a paper as it is printed; rows lead to the pages of their methods."""
    if paper is None:
        return None
    hrefs = {method: f"../{addresses.page(method)}" for method in addresses.files}
    hrefs[paper.method] = ""
    return ReportedSection(
        paper=paper.citation,
        url=web_address(paper.url),
        source=paper.source,
        tables=tuple(_table(table, paper.method, hrefs) for table in paper.tables + paper.noisy),
        remarks=tuple((remark.about, remark.text) for remark in paper.remarks),
    )


def _table(table: Table, own: str, hrefs: Mapping[str, str]) -> ReportedTable:
    marks = _marks(table)
    titles = dataset_titles()
    datasets = [
        ReportedDataset(titles[dataset], len(list(columns)))
        for dataset, columns in groupby(table.columns, key=lambda column: column.dataset)
    ]
    return ReportedTable(
        title=table.title,
        caption=table.caption,
        rows_in_words=counted(len(table.rows), "row"),
        folded=len(table.rows) > LONG,
        datasets=tuple(datasets) if len(datasets) > 1 else (),
        metrics=tuple(METRICS[column.metric] for column in table.columns),
        groups=tuple(
            ReportedGroup(name, tuple(_row(row, own, hrefs, marks) for row in rows))
            for name, rows in groupby(table.rows, key=lambda row: row.group)
        ),
        reasons=tuple((mark, reason) for reason, mark in marks.items()),
    )


def _row(row: Row, own: str, hrefs: Mapping[str, str], marks: Mapping[str, str]) -> ReportedRow:
    return ReportedRow(
        label=row.label,
        href=hrefs.get(row.method, ""),
        own=row.method == own,
        cells=tuple(
            ReportedCell(_text(figure), marks.get(figure.suspect, ""))
            if figure
            else ReportedCell(ABSENT)
            for figure in row.figures
        ),
    )


def _marks(table: Table) -> dict[str, str]:
    """Return a letter for each reason, in the order of the table: a to z, then aa."""
    figures = [figure for row in table.rows for figure in row.figures if figure]
    reasons = dict.fromkeys(figure.suspect for figure in figures if figure.suspect)
    return {reason: letters(number) for number, reason in enumerate(reasons)}


def letters(number: int) -> str:
    """Return the mark of a note, counted from 0: a to z, then aa."""
    earlier, letter = divmod(number, 26)
    return (letters(earlier - 1) if earlier else "") + chr(ord("a") + letter)
