"""What the ranking page shows: frozen values whose texts are final, and raw until escaped."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.ranking.panels import Panel
from leaderboard.views import DatasetCard, Failure, Note, Quantity


@dataclass(frozen=True)
class Column:
    """A metric with the ends of the scale that its whiskers share; empty where none is drawn."""

    key: str
    name: str
    low: str
    high: str


@dataclass(frozen=True)
class Beside:
    """What the method's own paper prints for a figure of ours."""

    text: str
    verdict: str  # where it lies to our interval; empty where we have none
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class ScoreCell:
    """A mean with its interval. Without a figure all texts are empty."""

    key: str  # of the metric
    text: str
    order: str  # to sort by
    emphasis: str  # "best", "second" or ""
    interval: str
    seeds: str  # "seeds 51.7-53.4", lowest to highest, with ", wide" where they spread too far
    span: str  # the whisker's path; empty without an interval
    middle: str  # the path of the mean's mark; empty where it is beyond the scale
    ranks: str  # by this metric: "1 3" is rank 1 of the ranks 1 to 3 it may hold
    beside: Beside | None


@dataclass(frozen=True)
class RankCell:
    """The place of a method."""

    rank: str
    places: str  # "1-3" with an en dash, empty where there is one
    in_words: str  # for screen readers
    tie: str  # "first", "inner" or "last" of a bracket, or ""


@dataclass(frozen=True)
class DifferenceCell:
    """How a method differs from the baseline."""

    text: str
    interval: str
    p_value: str
    is_real: bool
    wide: bool


@dataclass(frozen=True)
class Row:
    """A method. Without `rank`, it stands apart from the ranking; without `scores`, in words."""

    key: str  # names the method in addresses and data
    name: str
    alias: str  # the registered name, where titles alone would be ambiguous
    href: str
    runs: str  # the address of its runs
    supervision: str
    backbone: str
    rank: RankCell | None
    scores: tuple[ScoreCell, ...]
    difference: DifferenceCell | None  # None for the baseline itself
    seeds: Quantity
    quantities: tuple[Quantity, ...]
    notes: tuple[Note, ...]
    reasons: tuple[Note, ...]  # why it is not ranked


@dataclass(frozen=True)
class Ranking:
    """One table of the index, with what must be said beside it."""

    card: DatasetCard
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    apart: tuple[Row, ...]
    baseline: str  # the name of the default baseline, empty where nothing is compared
    interval_of: str  # "people and seeds"
    shows_reported: bool
    shows_cut: bool  # an arrow stands for a whisker
    shows_wide: bool  # seeds of one spread so far that its interval is too short
    ties: str  # whose queries hang on how ties break; empty where nobody's do
    panels: tuple[Panel, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class IndexPage:
    """The page that opens the site."""

    rankings: tuple[Ranking, ...]
    extent: str  # "12 runs of 3 methods, the latest of 2025-01-31"
