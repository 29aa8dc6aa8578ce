"""Printed rows by method: its name, its years, and the one figure by which it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from leaderboard.literature.rows import Papers, PrintedRow, find_rows, fold
from leaderboard.reported.tables import Figure, ReportedPaper

BASELINE = "(baseline)"  # how names end of what every paper trains for itself


@dataclass(frozen=True)
class ReportedMethod:
    """A method with every row that any paper prints of it."""

    name: str
    published: tuple[PrintedRow, ...]  # of the method as published
    variants: tuple[PrintedRow, ...]
    own: ReportedPaper | None  # its own paper, where that is held here

    @property
    def rows(self) -> tuple[PrintedRow, ...]:
        return self.published + self.variants

    @property
    def is_baseline(self) -> bool:
        """Whether each paper means runs of its own by the name."""
        return self.name.endswith(BASELINE)

    @property
    def year(self) -> int | None:
        """The earliest year that any paper here gives for it; None where none does."""
        return min((year for row in self.published if (year := row.year)), default=None)

    def value(self, dataset: str, metric: str) -> Decimal | None:
        """Return the figure by which it counts: its own paper's, else the median of the others.

        Each paper has one voice: the first figure that is not suspect, else the first.
        """
        voices = dict(self._voices(dataset, metric))
        if self.own and self.own.method in voices:
            return voices[self.own.method]
        return median(voices.values()) if voices else None

    def _voices(self, dataset: str, metric: str) -> Iterator[tuple[str, Decimal]]:
        by_paper: dict[str, list[Figure]] = {}
        for row in self.published:
            if figure := row.find(dataset, metric):
                by_paper.setdefault(row.paper.method, []).append(figure)
        for paper, figures in by_paper.items():
            yield paper, next((one for one in figures if not one.suspect), figures[0]).value


def find_methods(papers: Papers) -> tuple[ReportedMethod, ...]:
    """Return every method that papers print figures of, by name."""
    rows: dict[str, list[PrintedRow]] = {}
    for row in find_rows(papers):
        rows.setdefault(row.key, []).append(row)
    own = {fold(paper.title): paper for paper in papers.values()}
    methods = [_method(found, own.get(key)) for key, found in rows.items()]
    return tuple(sorted(methods, key=lambda method: (fold(method.name), method.name)))


def _method(rows: Sequence[PrintedRow], own: ReportedPaper | None) -> ReportedMethod:
    return ReportedMethod(
        name=own.title if own else _most_common(row.name for row in rows),
        published=tuple(row for row in rows if not row.variant),
        variants=tuple(row for row in rows if row.variant),
        own=own,
    )


def _most_common(names: Iterable[str]) -> str:
    return Counter(names).most_common(1)[0][0]
