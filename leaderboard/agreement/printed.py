"""Which figure papers print of a method: by one rule, with the places where it stands.

Where the method's own paper prints a figure, that counts: the first that is not suspect, else the
first. A value that is suspect in one place is so wherever the paper prints it again. A row that is
scored in another way, as re-ranked, is not the method's. Of a method whose paper is not held here,
and of a baseline, every paper that prints it has one voice, chosen alike, and the median counts; of
two, their mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from harness.results.agreement import Source
from leaderboard.records.estimates import PRIMARY
from leaderboard.reported.tables import Column, Figure, ReportedPaper, Row, Table

Papers = Mapping[str, ReportedPaper]  # by the method that they are of


@dataclass(frozen=True)
class Printed:
    """What papers print of a method on one dataset, in percent."""

    value: Decimal
    sources: tuple[Source, ...]  # one of each paper that counts
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class _Place:
    source: Source
    figure: Figure


def printed_datasets(papers: Papers) -> tuple[str, ...]:
    """Return the datasets that papers print the ranked metric of, the most printed one first."""
    counts: dict[str, int] = {}
    for paper in papers.values():
        for table in paper.tables:
            for column in table.columns:
                counts[column.dataset] = counts.get(column.dataset, 0) + (column.metric == PRIMARY)
    found = [dataset for dataset, count in counts.items() if count]
    return tuple(sorted(found, key=lambda dataset: (-counts[dataset], dataset)))


def find_printed(papers: Papers, method: str, dataset: str) -> Printed | None:
    """Return what papers print of a method on a dataset by the rule above; None if none does."""
    own = _voice(papers[method], method, dataset) if method in papers else None
    others = [_voice(paper, method, dataset) for paper in papers.values()]
    voices = [own] if own else [voice for voice in others if voice]
    if not voices:
        return None
    suspect = dict.fromkeys(voice.figure.suspect for voice in voices if voice.figure.suspect)
    return Printed(
        value=median(voice.figure.value for voice in voices),
        sources=tuple(voice.source for voice in voices),
        suspect="; ".join(suspect),
    )


def figure_of(table: Table, row: Row, dataset: str) -> Figure | None:
    """Return the figure of a row by the ranked metric; None where there is none."""
    wanted = Column(dataset, PRIMARY)
    pairs = zip(table.columns, row.figures, strict=True)
    return next((figure for column, figure in pairs if column == wanted), None)


def _voice(paper: ReportedPaper, method: str, dataset: str) -> _Place | None:
    """Return the figure by which a paper counts: the first that is not suspect, else the first."""
    places = list(_places(paper, method, dataset))
    doubted = {place.figure.value for place in places if place.figure.suspect}
    sound = [place for place in places if place.figure.value not in doubted]
    return next(iter(sound or places), None)


def _places(paper: ReportedPaper, method: str, dataset: str) -> Iterator[_Place]:
    for table in paper.tables:
        for row in table.rows:
            figure = figure_of(table, row, dataset)
            if figure and row.is_of(method):
                yield _Place(Source(paper.method, table.title, row.label), figure)
