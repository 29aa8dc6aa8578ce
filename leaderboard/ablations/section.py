"""A method's ablation tables: which rows they have, and which of them are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.results import RunRecord
from leaderboard.records.ledger import Entry, Pair
from leaderboard.records.load import FULL, Ground, Run
from leaderboard.reported.tables import ReportedPaper

Hrefs = Mapping[Entry, str]  # where on the page the runs of a variant stand
OTHER = "Other variants"


@dataclass(frozen=True)
class Row:
    """A row of an ablation table: a label for a variant's runs."""

    label: str
    entry: Entry
    runs: Sequence[Run]
    position: int = 0  # in the method's own table
    above: Entry | None = None  # what stands above it

    @property
    def record(self) -> RunRecord:
        """The record that speaks for the variant."""
        return self.runs[-1].record


@dataclass(frozen=True)
class Ablation:
    """An ablation table; the rows stand as its method declares them, as its paper prints them."""

    title: str
    rows: tuple[Row, ...]
    full: Row | None  # the method as published, if it ran

    @property
    def reference(self) -> Row | None:
        """The method as published where it is no row of the table."""
        is_row = self.full and any(row.entry == self.full.entry for row in self.rows)
        return None if is_row else self.full

    @property
    def comparisons(self) -> dict[str, tuple[Pair | None, ...]]:
        """What each row is compared with: by heading, one pair a row where there is one."""
        above = tuple((row.entry, row.above) if row.above else None for row in self.rows)
        published = tuple(
            (row.entry, self.full.entry) if self.full and row.entry != self.full.entry else None
            for row in self.rows
        )
        found = {"to the row above": above, "to the full method": published}
        return {heading: pairs for heading, pairs in found.items() if any(pairs)}

    @property
    def pairs(self) -> list[Pair]:
        """Everything that the table compares."""
        return [pair for pairs in self.comparisons.values() for pair in pairs if pair]


def find_ablations(
    method: str, ground: Ground, paper: ReportedPaper | None = None
) -> tuple[Ablation, ...]:
    """Return each ablation table of which a row was run, and one of the variants of no table.

    The latter have no order, so that none of them is compared with the row above. A paper may have
    a table for each dataset with the same rows: the ground's is returned, or else the first.
    """
    variants = ground.without_noise(method)
    full = Row("as published", (method, FULL), variants[FULL]) if FULL in variants else None
    tables: dict[str, list[Row]] = {}
    for label, runs in variants.items():
        for table, row, position in runs[-1].record.tables or _loose(label):
            tables.setdefault(table, []).append(Row(row, (method, label), runs, position))
    found = [
        Ablation(title, tuple(rows) if title == OTHER else _in_order(rows), full)
        for title, rows in tables.items()
        if any(row.entry[1] != FULL for row in rows)
    ]
    datasets = _datasets_of_tables(paper)
    return tuple(one for one in found if _is_of(ground.dataset, one, found, datasets))


def _datasets_of_tables(paper: ReportedPaper | None) -> dict[str, set[str]]:
    """Return, by its title, for which datasets a paper prints a table."""
    tables = paper.tables if paper else ()
    return {table.title: {column.dataset for column in table.columns} for table in tables}


def _is_of(
    dataset: str,
    ablation: Ablation,
    found: Sequence[Ablation],
    datasets: Mapping[str, AbstractSet[str]],
) -> bool:
    """Whether no other table of the paper, with the same rows, is rather the dataset's."""
    same = [
        one.title for one in found if one.title in datasets and _places(one) == _places(ablation)
    ]
    own = [title for title in same if dataset in datasets[title]]
    return ablation.title in (own or same[:1] or [ablation.title])


def _places(ablation: Ablation) -> list[tuple[Entry, int]]:
    return [(row.entry, row.position) for row in ablation.rows]


def _loose(label: str) -> tuple[tuple[str, str, int], ...]:
    """Return the place of a variant of no table; the method as published needs none."""
    return () if label == FULL else ((OTHER, label, 0),)


def _in_order(rows: Sequence[Row]) -> tuple[Row, ...]:
    ordered = sorted(rows, key=lambda row: row.position)
    below = [replace(row, above=above.entry) for above, row in pairwise(ordered)]
    return (ordered[0], *below)
