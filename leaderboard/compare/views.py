"""What the compare page shows without its script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.views import DatasetCard, Note, Whisker


@dataclass(frozen=True)
class MethodLink:
    """A method as published."""

    name: str
    alias: str
    href: str


@dataclass(frozen=True)
class PairRow:
    """How the first method differs from the second, which has the lower mean."""

    first: MethodLink
    second: MethodLink
    difference: str
    low: str  # of the interval for all pairs at once
    high: str
    whisker: Whisker
    p_value: str  # for all pairs at once
    is_real: bool
    wins: str
    ties: str
    losses: str
    notes: tuple[Note, ...]  # of which method there is one run


@dataclass(frozen=True)
class PairTable:
    """Pairs of methods as published on one ground."""

    card: DatasetCard
    caption: str
    scale: tuple[str, str]  # ends of the axis that the whiskers share
    zero: str  # where it has no difference
    rows: tuple[PairRow, ...]
    notes: tuple[Note, ...]  # why there is no row, where there is none
    silent: tuple[tuple[str, str], ...]  # what cannot be compared, and why
    can_choose: bool  # whether there are two entries for the script to compare


@dataclass(frozen=True)
class ComparePage:
    """Pairs on every ground."""

    tables: tuple[PairTable, ...]
    metrics: Mapping[str, str]  # the names by which the script compares

    @property
    def choices(self) -> tuple[DatasetCard, ...]:
        """The grounds that the script lets a reader choose from."""
        return tuple(table.card for table in self.tables if table.can_choose)
