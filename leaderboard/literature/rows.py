"""Every printed row with the method that it is of, and an address for each of its figures.

Papers spell one method in many ways: "IRRA", "IRRA(2023)", "Irra (ours)". Names that differ only in
case, in signs, in the form of a digit, or in a year or an "ours" in brackets at the end, are one.
What a label does not tell, its paper's file does (`names`, `variants`, `compares`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.files import slug
from leaderboard.reported.tables import Column, Figure, ReportedPaper, Row, Table
from leaderboard.typography import page_names

Papers = Mapping[str, ReportedPaper]

# "(2023)", "(CVPR'23)", "(ours)": whose a method is, or of when, and no part of its name.
_ASIDE = re.compile(r"\s*\((?:ours|(?:19|20)\d\d|[a-z ]+['\u2019]\d\d)\)$", re.IGNORECASE)


@dataclass(frozen=True)
class PrintedRow:
    """A row of a paper's table, as a row of one method."""

    paper: ReportedPaper
    table: Table
    row: Row
    name: str  # of the method, as this row spells it
    variant: str  # its label, where it is a form of the method; empty of the method as published
    address: str  # unique among all rows

    @property
    def key(self) -> str:
        """What all spellings of its method share."""
        return fold(self.name)

    @property
    def year(self) -> int | None:
        """The year of publication of the method that its paper gives; None where it gives none."""
        own = self.key == fold(self.paper.title)
        return self.paper.year if own else self.paper.years.get(self.row.label)

    def figures(self) -> Iterator[tuple[Column, Figure]]:
        """Yield what is printed, by column; a dash is nothing."""
        for column, figure in zip(self.table.columns, self.row.figures, strict=True):
            if figure:
                yield column, figure

    def find(self, dataset: str, metric: str) -> Figure | None:
        """Return a figure; None where there is none."""
        return next(
            (one for column, one in self.figures() if column == Column(dataset, metric)), None
        )

    def figure_address(self, column: Column) -> str:
        """Return the anchor of a figure on the page."""
        return f"{self.address}/{column}"


def find_rows(papers: Papers) -> tuple[PrintedRow, ...]:
    """Return every row that papers print, in the order of papers, tables and rows."""
    return tuple(row for paper in papers.values() for row in _rows_of(paper, papers))


def fold(name: str) -> str:
    """Return what all spellings of a name share: its letters and digits, and "+", as in "IRRA+"."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(sign for sign in plain if sign.isalnum() or sign == "+") or plain


def _rows_of(paper: ReportedPaper, papers: Papers) -> Iterator[PrintedRow]:
    """Yield the rows of a paper. Addresses hang on this paper alone: others move none of them."""
    tables = page_names(table.title for table in paper.tables)
    for table in paper.tables:
        labels = Counter(row.label for row in table.rows)
        called = [row.label if labels[row.label] == 1 else row.name for row in table.rows]
        names = page_names(called)
        for row, call in zip(table.rows, called, strict=True):
            name, variant = _identify(paper, table, row, papers)
            address = f"{slug(paper.method)}/{tables[table.title]}/{names[call]}"
            yield PrintedRow(paper, table, row, name, variant, address)


def _identify(paper: ReportedPaper, table: Table, row: Row, papers: Papers) -> tuple[str, str]:
    """Return the name of a row's method, and its label where it is not the method as published."""
    if row.method:
        own = papers.get(row.method)
        return own.title if own else row.method, row.label if row.scored else ""
    if row.label in paper.names:
        return paper.names[row.label], ""
    if table.compares == "variants" or row.label in paper.variants:
        return paper.title, row.label
    return _ASIDE.sub("", row.label) or row.label, ""
