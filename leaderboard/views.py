"""What the pages show: frozen values whose numbers are computed and whose texts are final.

A template writes these out and decides nothing. Every text is still raw: escaping is its job.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.reported_views import ReportedSection


@dataclass(frozen=True)
class Whisker:
    """A range and its mean as horizontal positions in a drawing `estimates.WHISKER_WIDTH` wide."""

    low: str
    mean: str
    high: str


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds. `low` and `high` are empty where there is a single seed."""

    text: str
    low: str
    high: str
    whisker: Whisker
    standing: str  # "best", "second" or ""
    order: str  # the unrounded mean, to sort by


@dataclass(frozen=True)
class ReportedFigure:
    """What a method's paper prints for the figure that it stands beside."""

    text: str
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class MetricCell:
    """Our figure and the paper's, as far as there are any."""

    estimate: Estimate | None
    reported: ReportedFigure | None


@dataclass(frozen=True)
class MetricColumn:
    """A metric with the ends of the scale that its whiskers share."""

    name: str
    unit: str
    low: str
    high: str


@dataclass(frozen=True)
class Quantity:
    """A number without an interval."""

    text: str
    order: str


@dataclass(frozen=True)
class Note:
    """Something said in words where a number stands; `href` leads to more, if there is more."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class RankingRow:
    """A method with a figure."""

    rank: str
    name: str
    alias: str  # the registered name, where titles alone would be ambiguous
    href: str
    supervision: str
    cells: tuple[MetricCell, ...]
    seeds: Quantity
    quantities: tuple[Quantity, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class UnrankedRow:
    """A method that has no figure here, and why."""

    name: str
    alias: str
    href: str
    supervision: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Failure:
    """A run without a result."""

    anchor: str
    href: str
    method: str
    variant: str
    seed: int
    status: str
    kind: str  # of the error, empty where none was raised
    message: str
    traceback: str


@dataclass(frozen=True)
class DatasetCard:
    """The ground a table stands on."""

    anchor: str
    title: str
    suite: str
    drawn: bool
    url: str  # http or https, or empty
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """One table of the index, with what must be said beside it."""

    card: DatasetCard
    columns: tuple[MetricColumn, ...]
    rows: tuple[RankingRow, ...]
    shows_reported: bool
    unranked: tuple[UnrankedRow, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class IndexPage:
    """The page that opens the site."""

    rankings: tuple[Ranking, ...]
    extent: str  # "12 runs of 3 methods, the latest of 2025-01-31"


@dataclass(frozen=True)
class ResultRow:
    """An evaluation, or a row of an ablation."""

    label: str
    changes: tuple[str, ...]
    cells: tuple[MetricCell, ...]
    seeds: str
    notes: tuple[Note, ...]
    reference: bool = False  # stands below a rule, for comparison


@dataclass(frozen=True)
class ResultTable:
    """A table of a method's page."""

    title: str
    caption: str
    label_header: str
    columns: tuple[MetricColumn, ...]
    rows: tuple[ResultRow, ...]
    shows_changes: bool


@dataclass(frozen=True)
class Setting:
    """A named value, or a named group of settings."""

    name: str
    value: str = ""
    parts: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class RunRow:
    """A run as evidence: what it gave, and how to repeat it."""

    variant: str
    seed: int
    status: str
    failure: str  # the address of its failure, empty where it went well
    primary: str
    selected_epoch: str
    train_seconds: str
    peak_memory: str
    date: str
    key: str
    environment: str
    command: str


@dataclass(frozen=True)
class MethodSection:
    """A method on one dataset of one suite."""

    card: DatasetCard
    results: tuple[ResultTable, ...]
    notes: tuple[Note, ...]
    about_reported: str  # why the paper's figures stand here or do not; empty without a paper
    legend: Markup
    charts: tuple[Markup, ...]
    pair_charts: tuple[Markup, ...]
    about_pairs: str
    settings: tuple[Setting, ...]
    environment: str  # where all runs share one; else each run names its own
    runs: tuple[RunRow, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class MethodPage:
    """Everything about a method."""

    title: str
    name: str
    summary: str
    paper: str
    url: str  # http or https, or empty
    supervision: str
    sections: tuple[MethodSection, ...]
    reported: ReportedSection | None
