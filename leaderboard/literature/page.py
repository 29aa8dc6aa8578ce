"""The page of reported figures: who prints what of whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from harness.results import METRICS
from leaderboard.literature.chart import draw_timeline, timeline_legend
from leaderboard.literature.drift import Drift, find_drift
from leaderboard.literature.methods import ReportedMethod, find_methods
from leaderboard.literature.rows import Papers, PrintedRow, fold
from leaderboard.literature.spread import find_spread
from leaderboard.literature.timeline import Point, Step, find_points, find_undated
from leaderboard.literature.views import (
    DriftGroup,
    DriftRow,
    FigureCell,
    MethodEntry,
    PaperEntry,
    Print,
    ReportedPage,
    SourceGroup,
    SourceRow,
    Timeline,
    TimelineRow,
)
from leaderboard.records.estimates import PRIMARY
from leaderboard.reported.figures import letters
from leaderboard.reported.tables import Column, ReportedPaper, dataset_titles
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site
from leaderboard.typography import ABSENT, counted, fixed, listed, page_names, signed, web_address

FILE = "reported.html"
Anchors = Mapping[str, str]  # by the name of a method


def make_files(site: Site) -> dict[str, File]:
    """Return the page; without papers it says that there are none."""
    methods = find_methods(site.papers)
    anchors = _anchors(methods)
    timelines = tuple(_timelines(site, methods, anchors))
    spreads = {timeline.spread for timeline in timelines}
    page = ReportedPage(
        extent=_extent(site.papers, methods),
        metrics=tuple(METRICS.values()),
        legend=timeline_legend(),
        spread=next(iter(spreads)) if len(spreads) == 1 else "",
        timelines=timelines if len(spreads) > 1 else tuple(_without_spread(timelines)),
        drift=tuple(_drift_groups(find_drift(methods), anchors)),
        methods=tuple(_method(one, anchors, _pages(site)) for one in methods),
        papers=tuple(map(_paper, site.papers.values())),
    )
    return {FILE: render_page("reported", page, FILE, site.stamp)}


def method_address(papers: Papers, method: str) -> str:
    """Return where the page has what is printed of a method; empty where nothing is."""
    methods = find_methods(papers)
    wanted = fold(papers[method].title if method in papers else method)
    anchors = _anchors(methods)
    found = next((one for one in methods if fold(one.name) == wanted), None)
    return f"{FILE}#{quote(anchors[found.name])}" if found else ""


def _anchors(methods: Iterable[ReportedMethod]) -> Anchors:
    names = page_names(method.name for method in methods)
    return {name: f"method-{anchor}" for name, anchor in names.items()}


def _pages(site: Site) -> dict[str, str]:
    """Return the pages of methods that ran here, by what all spellings of their names share."""
    titles = {name: paper.title for name, paper in site.papers.items()}
    return {fold(titles.get(name, name)): site.addresses.page(name)
            for name in site.addresses.files}  # fmt: skip


def _extent(papers: Papers, methods: Sequence[ReportedMethod]) -> str:
    figures = sum(len(list(row.figures())) for method in methods for row in method.rows)
    return (
        f"{counted(figures, 'figure')} of {counted(len(methods), 'method')}, as"
        f" {counted(len(papers), 'paper')} print{'s' if len(papers) == 1 else ''} them."
    )


def _column_title(column: Column) -> str:
    return f"{METRICS[column.metric]} on {dataset_titles()[column.dataset]}"


def _datasets(methods: Iterable[ReportedMethod]) -> list[str]:
    """Return the datasets that anything is printed for, in the catalogue's order."""
    found = {column.dataset for one in methods for row in one.rows for column, _ in row.figures()}
    return [dataset for dataset in dataset_titles() if dataset in found]


def _source(row: PrintedRow) -> str:
    return f"{row.paper.title}, {row.table.title}"


# The methods


def _method(method: ReportedMethod, anchors: Anchors, pages: Mapping[str, str]) -> MethodEntry:
    marks = _marks(method.rows)
    papers = {row.paper.method for row in method.rows}
    year = [str(method.year)] if method.year else []
    return MethodEntry(
        anchor=anchors[method.name],
        name=method.name,
        search=" ".join({method.name: 0} | {row.row.label: 0 for row in method.rows}).casefold(),
        known=" · ".join([*year, counted(len(papers), "paper")]),
        summary=_summary(method),
        href=pages.get(fold(method.name), ""),
        groups=tuple(_groups(method, marks)),
        reasons=tuple((mark, reason) for reason, mark in marks.items()),
    )


def _summary(method: ReportedMethod) -> str:
    """Say R1 by dataset, from the lowest to the highest that is printed."""
    said = []
    for dataset in _datasets([method]):
        found = [figure.value for row in method.published if (figure := row.find(dataset, PRIMARY))]
        if found:
            ends = dict.fromkeys((f"{min(found):f}", f"{max(found):f}"))
            said.append(f"{ABSENT.join(ends)} on {dataset_titles()[dataset]}")
    return f"{METRICS[PRIMARY]} {', '.join(said)}" if said else ""


def _groups(method: ReportedMethod, marks: Mapping[str, str]) -> Iterator[SourceGroup]:
    for dataset in _datasets([method]):
        for rows, what in ((method.published, ""), (method.variants, ", its variants")):
            found = [
                _source_row(method, row, dataset, marks) for row in rows if _is_on(row, dataset)
            ]
            if found:
                yield SourceGroup(f"{dataset_titles()[dataset]}{what}", tuple(found))


def _is_on(row: PrintedRow, dataset: str) -> bool:
    return any(column.dataset == dataset for column, _ in row.figures())


def _source_row(
    method: ReportedMethod, row: PrintedRow, dataset: str, marks: Mapping[str, str]
) -> SourceRow:
    label = row.row.label
    notes = [
        label if row.variant or fold(label) != fold(method.name) else "",
        row.row.scored,
        f"read in {row.table.source}" if row.table.source else "",
    ]
    return SourceRow(
        source=_source(row),
        href=f"#{quote(_paper_anchor(row.paper))}",
        note="; ".join(filter(None, notes)),
        cells=tuple(_cell(row, Column(dataset, metric), marks) for metric in METRICS),
    )


def _cell(row: PrintedRow, column: Column, marks: Mapping[str, str]) -> FigureCell:
    figure = row.find(column.dataset, column.metric)
    if figure is None:
        return FigureCell(ABSENT)
    return FigureCell(
        f"{figure.value:f}", row.figure_address(column), marks.get(figure.suspect, "")
    )


def _marks(rows: Iterable[PrintedRow]) -> dict[str, str]:
    """Return a letter for each reason why a figure is suspect."""
    reasons = dict.fromkeys(f.suspect for row in rows for _, f in row.figures() if f.suspect)
    return {reason: letters(number) for number, reason in enumerate(reasons)}


# Drift


def _drift_groups(found: Sequence[Drift], anchors: Anchors) -> Iterator[DriftGroup]:
    groups = {
        "Methods": [one for one in found if not one.method.is_baseline],
        "Baselines that each paper trained itself": [
            one for one in found if one.method.is_baseline
        ],
    }
    for title, drifts in groups.items():
        if drifts:
            yield DriftGroup(title, tuple(_drift(one, anchors) for one in drifts))


def _drift(drift: Drift, anchors: Anchors) -> DriftRow:
    return DriftRow(
        name=drift.method.name,
        href=f"#{quote(anchors[drift.method.name])}",
        column=_column_title(drift.column),
        size=fixed(float(drift.size), 2),
        prints=tuple(
            Print(
                f"{value:f}",
                tuple(
                    (_source(row), f"#{quote(row.figure_address(drift.column))}") for row in rows
                ),
            )
            for value, rows in drift.prints
        ),
    )


# The timeline


def _timelines(
    site: Site, methods: Sequence[ReportedMethod], anchors: Anchors
) -> Iterator[Timeline]:
    for dataset in _datasets(methods):
        spread = find_spread(site, dataset)
        points = find_points(methods, dataset, spread.reach)
        if not points:
            continue
        title = dataset_titles()[dataset]
        anchor = f"timeline-{dataset}"
        undated = [one.name for one in find_undated(methods, dataset)]
        yield Timeline(
            anchor=anchor,
            title=title,
            chart=draw_timeline(anchor, title, points),
            spread=spread.words,
            rows=tuple(_timeline_row(point, anchors) for point in points),
            undated=listed(undated) if undated else "",
        )


def _without_spread(timelines: Iterable[Timeline]) -> Iterator[Timeline]:
    return (replace(timeline, spread="") for timeline in timelines)


def _timeline_row(point: Point, anchors: Anchors) -> TimelineRow:
    return TimelineRow(
        year=str(point.year),
        name=point.method.name,
        href=f"#{quote(anchors[point.method.name])}",
        value=fixed(float(point.value), 2),
        over=ABSENT if point.over is None else signed(float(point.over), 2),
        step=point.step,
        is_quiet=point.step in (Step.WITHIN, Step.NONE),
    )


# The papers


def _paper(paper: ReportedPaper) -> PaperEntry:
    figures = sum(figure is not None for table in paper.tables
                  for row in table.rows for figure in row.figures)  # fmt: skip
    return PaperEntry(
        anchor=_paper_anchor(paper),
        title=paper.title,
        citation=paper.citation,
        url=web_address(paper.url),
        source=paper.source,
        known=f"{counted(figures, 'figure')} in {counted(len(paper.tables), 'table')}",
    )


def _paper_anchor(paper: ReportedPaper) -> str:
    (name,) = page_names([paper.method]).values()
    return f"paper-{name}"
