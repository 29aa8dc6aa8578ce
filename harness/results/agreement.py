"""What papers claim of two methods, or of two rows of a table, beside what was measured.

Who prints what is told by those who build an `Agreement`; here it is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from harness.significance import Comparison, Concordance, Order, concordance_of

MARGIN = Decimal(1)  # points; what is printed less apart claims no order
# What one claim is called, and several.
OF_METHODS = "pair of methods", "pairs of methods"
OF_ROWS = "difference between rows", "differences between rows"


class Outcome(StrEnum):
    """What became of a claim."""

    AGREES = "agrees"  # measured with the printed sign
    DISAGREES = "disagrees"  # with the other one, or without any difference
    TIED = "tied"  # printed too close to claim an order


@dataclass(frozen=True)
class Source:
    """Where a figure is printed."""

    paper: str  # the registered name of the method that the paper is of
    table: str
    row: str

    def __str__(self) -> str:
        return f"{self.paper}, {self.table}: {self.row}"


@dataclass(frozen=True)
class Claim:
    """How much one is above the other in print."""

    a: str  # as the command line names it: irra, or dgia:B+LRC
    b: str
    difference: Decimal  # a less b, in points
    sources: tuple[Source, ...]  # of a and then of b

    @property
    def is_tie(self) -> bool:
        """Whether the two are printed too close to claim an order."""
        return abs(self.difference) < MARGIN


@dataclass(frozen=True)
class TriedClaim:
    """A claim, and how a differs from b here, judged with all others of its family."""

    claim: Claim
    found: Comparison

    @property
    def outcome(self) -> Outcome:
        """What became of the claim."""
        if self.claim.is_tie:
            return Outcome.TIED
        agrees = self.found.difference * float(self.claim.difference) > 0
        return Outcome.AGREES if agrees else Outcome.DISAGREES

    @property
    def is_wrong_and_told_apart(self) -> bool:
        """Whether chance alone would not explain that the printed sign does not show."""
        return self.outcome is Outcome.DISAGREES and self.found.is_real


@dataclass(frozen=True)
class Counts:
    """How many claims of a kind came to what; of those that disagree, some are told apart."""

    agree: int
    disagree: int
    tied: int
    wrong_and_told_apart: int

    @property
    def claimed(self) -> int:
        """How many claim an order."""
        return self.agree + self.disagree


@dataclass(frozen=True)
class PrintedFigure:
    """What papers print of a method, which has a mean here too, both in percent."""

    method: str
    printed: Decimal
    measured: float
    sources: tuple[Source, ...]  # one of each paper that counts
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class Agreement:
    """The claims about what ran on one dataset, all by R1."""

    suite: str
    dataset: str
    printed_on: str  # the title of the dataset that the papers' figures are of
    is_same: bool  # whether that is the dataset
    is_drawn: bool  # whether a program drew the people of the dataset
    figures: tuple[PrintedFigure, ...]  # from the best in print
    pairs: tuple[TriedClaim, ...]  # of methods as published, the one that is better in print first
    rows: tuple[TriedClaim, ...]  # of ablation tables: row less base, full method less row
    shipped: str  # how many of the runs came with the project; empty where none did
    order: Order | None  # of the pairs that claim one
    misprints: int  # differences of rows that count no claim, because a figure of them is suspect
    left_out: tuple[tuple[str, str], ...]  # methods and rows that ran, and why nothing is of them

    @cached_property
    def concordance(self) -> Concordance:
        """Kendall's tau of the pairs that claim an order."""
        return total_concordance([self])


def count_outcomes(tried: Iterable[TriedClaim]) -> Counts:
    """Count what became of claims."""
    found = list(tried)
    outcomes = [one.outcome for one in found]
    return Counts(
        agree=outcomes.count(Outcome.AGREES),
        disagree=outcomes.count(Outcome.DISAGREES),
        tied=outcomes.count(Outcome.TIED),
        wrong_and_told_apart=sum(one.is_wrong_and_told_apart for one in found),
    )


def table_of(tried: TriedClaim) -> tuple[str, str]:
    """Return the paper and the table that a claim about two rows is of."""
    return tried.claim.sources[0].paper, tried.claim.sources[0].table


def total_concordance(agreements: Sequence[Agreement]) -> Concordance:
    """Return Kendall's tau of the pairs of all datasets at once."""
    return concordance_of([one.order for one in agreements if one.order])


def say_counts(counts: Counts, nouns: tuple[str, str], printed_on: str) -> str:
    """Say in a sentence how many claims stand; takes what one of them is called, and several.

    Raises ValueError where none claims an order.
    """
    if not counts.claimed:
        raise ValueError("there is no claim to count")
    noun = nouns[counts.claimed > 1]
    verb = "stands" if 1 in (counts.agree, counts.claimed) else "stand"
    standing = f"{counts.agree} of {counts.claimed} {noun} {verb} as their papers report"
    if not counts.disagree:
        return f"{standing} on {printed_on}."
    does = "does" if counts.disagree == 1 else "do"
    return f"{standing} on {printed_on}; {counts.disagree} {does} not, {_apart(counts)}."


def say_outcomes(counts: Counts, nouns: tuple[str, str], printed_on: str) -> list[str]:
    """Say in sentences what became of claims, with those that are ties; see `say_counts`."""
    if not counts.claimed:
        return [f"For {printed_on} papers claim no order: all are ties in print."]
    ties = f"{counts.tied} more {'is a tie' if counts.tied == 1 else 'are ties'} in print."
    return [say_counts(counts, nouns, printed_on), *([ties] if counts.tied else [])]


def _apart(counts: Counts) -> str:
    """Say how many of those that disagree are told apart."""
    apart, wrong = counts.wrong_and_told_apart, counts.disagree
    if wrong == 1:
        return "and is told apart" if apart else "and is not told apart"
    return f"{apart or 'none'} of them told apart"
