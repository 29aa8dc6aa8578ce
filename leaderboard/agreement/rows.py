"""What a paper's ablation tables claim: each row against its base, the full method against each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.results import variant_name
from harness.results.agreement import Claim, Source
from leaderboard.agreement.printed import figure_of
from leaderboard.records.ledger import Entry, Pair
from leaderboard.records.load import FULL, Ground
from leaderboard.reported.tables import Figure, ReportedPaper, Table

Claims = Mapping[Pair, Claim]  # by what ran for the two rows


@dataclass(frozen=True)
class RowClaims:
    """The claims about rows that were run, by table; a pair of two tables is of the first."""

    tables: Sequence[Claims]
    misprints: int  # pairs of which a figure is suspect wherever they are printed


@dataclass(frozen=True)
class _PrintedRow:
    label: str
    entry: Entry  # what ran for it
    figure: Figure


@dataclass
class _Seen:
    claimed: set[frozenset[Entry]] = field(default_factory=set)
    suspect: set[frozenset[Entry]] = field(default_factory=set)


def find_row_claims(paper: ReportedPaper, ground: Ground, dataset: str) -> RowClaims:
    """Return what a paper claims of the rows of its method that ran, by R1 on a dataset.

    A figure that is suspect claims nothing.
    """
    seen = _Seen()
    tables = [_claims(paper, table, ground, dataset, seen) for table in paper.tables]
    return RowClaims([found for found in tables if found], len(seen.suspect - seen.claimed))


def _claims(
    paper: ReportedPaper, table: Table, ground: Ground, dataset: str, seen: _Seen
) -> dict[Pair, Claim]:
    rows = _rows_that_ran(paper.method, table, ground, dataset)
    found: dict[Pair, Claim] = {}
    for a, b in _pairs(table, rows):
        both = frozenset((a.entry, b.entry))
        if a.figure.suspect or b.figure.suspect:
            seen.suspect.add(both)
        elif both not in seen.claimed:
            seen.claimed.add(both)
            found[a.entry, b.entry] = Claim(
                a=variant_name(*a.entry),
                b=variant_name(*b.entry),
                difference=a.figure.value - b.figure.value,
                sources=tuple(Source(paper.method, table.title, row.label) for row in (a, b)),
            )
    return found


def _pairs(table: Table, rows: Sequence[_PrintedRow]) -> Iterator[tuple[_PrintedRow, _PrintedRow]]:
    """Yield each row with its base, and the full method with each row."""
    base = next((row for row in rows if row.label == table.base), None)
    full = next((row for row in rows if row.entry[1] == FULL), None)
    for row in rows:
        if base and row.entry not in (base.entry, full and full.entry):
            yield row, base
    for row in rows:
        if full and row.entry != full.entry:
            yield full, row


def _rows_that_ran(method: str, table: Table, ground: Ground, dataset: str) -> list[_PrintedRow]:
    """Return the rows of a table that a method declares as its ablation, as far as they ran."""
    entries = {
        row: (method, variant)
        for variant, runs in ground.without_noise(method).items()
        for title, row, _ in runs[-1].record.tables
        if title == table.title
    }
    return [
        _PrintedRow(row.label, entries[row.label], figure)
        for row in table.rows
        if row.label in entries and (figure := figure_of(table, row, dataset))
    ]
