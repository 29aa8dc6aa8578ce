"""What the ranking page shows: frozen values whose texts are final, and raw until escaped."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.ranking.panels import Panel
from leaderboard.ranking.slopes import SlopeChart
from leaderboard.views import DatasetCard, Failure, Note, Quantity


@dataclass(frozen=True)
class Column:
    """A metric."""

    key: str
    name: str


@dataclass(frozen=True)
class Beside:
    """What the method's own paper prints for a figure of ours."""

    text: str
    verdict: str  # where it lies to our interval; empty where we have none
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class ScoreCell:
    """A mean. Without a figure all texts are empty."""

    key: str  # of the metric
    text: str
    order: str  # to sort by
    is_best: bool  # no other method is better
    seeds: str  # "seeds 51.7-53.4", lowest to highest
    rank: str  # by this metric
    groups: str  # by this metric: "0 2", the numbers of the groups not told apart that it is in
    undecided: str  # by this metric: the names of whom it is not told apart from
    beside: Beside | None


@dataclass(frozen=True)
class RankCell:
    """The place of a method."""

    rank: str
    in_words: str  # for screen readers
    bars: tuple[str, ...]  # by lane: "first", "inner" or "last" of a bar, "beside" one, or ""


@dataclass(frozen=True)
class DifferenceCell:
    """How a method differs from the baseline; the drawing is that of `whiskers`."""

    href: str  # where the two are compared query by query
    text: str
    interval: str
    p_value: str
    is_real: bool
    span: str
    dot: str  # empty where it is beyond the scale


@dataclass(frozen=True)
class Row:
    """A method. Without `rank`, it stands apart from the ranking; without `scores`, in words."""

    key: str  # names the method in addresses and data
    name: str
    alias: str  # the registered name, where titles alone would be ambiguous
    href: str
    runs: str  # the address of its runs
    supervision: str
    people: str  # whether it saw images of people before: with, without or undisclosed
    backbone: str
    rank: RankCell | None
    scores: tuple[ScoreCell, ...]
    difference: DifferenceCell | None  # None for the baseline itself
    seeds: Quantity
    quantities: tuple[Quantity, ...]
    notes: tuple[Note, ...]
    reasons: tuple[Note, ...]  # why it is not ranked


@dataclass(frozen=True)
class Phrase:
    """A part of a sentence; `href` is empty where it leads nowhere."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class TopGroup:
    """Who leads on a ground by a metric."""

    figure: str  # the highest mean; empty where there is none
    names: str  # of all than whom none is better


@dataclass(frozen=True)
class SwitchCell:
    """A metric with who leads by it on a ground."""

    key: str
    name: str
    group: TopGroup | None  # None where nothing is ranked


@dataclass(frozen=True)
class Verdict:
    """What a ground answers, with what must be known to believe it."""

    title: str  # of the dataset
    sentence: tuple[Phrase, ...]
    clause: tuple[Phrase, ...]  # the same in a few words
    notes: tuple[Note, ...]
    switch: tuple[SwitchCell, ...]


@dataclass(frozen=True)
class Shipped:
    """Which runs of a ranking came with the project."""

    text: str  # how many, and what made them
    command: str  # makes them anew here
    is_mixed: bool  # methods as published were timed there and here


@dataclass(frozen=True)
class Ranking:
    """One table of the index, with what must be said beside it."""

    card: DatasetCard
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    apart: tuple[Row, ...]
    baseline: str  # the name of the default baseline, empty where nothing is compared
    ticks: tuple[tuple[str, str], ...]  # of the differences' scale: where in percent, and text
    zero: str  # where it has no difference
    single: str  # the methods of one run, which can claim what holds for other people alone
    one_run_each: bool  # so that no method can claim more than that
    shows_reported: bool
    shows_cut: bool  # an arrow stands for a whisker
    shows_people: bool  # methods differ in whether they saw images of people before
    scores_only: str  # the methods whose features or scores were handed in; empty without any
    trained_elsewhere: str  # the methods whose weights were handed in; empty where there is none
    ties: str  # whose queries hang on how ties break; empty where nobody's do
    shipped: Shipped | None  # None where no run of it ships
    slopes: tuple[SlopeChart, ...]  # to other data
    panels: tuple[Panel, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class IndexPage:
    """The page that opens the site."""

    verdicts: tuple[Verdict, ...]  # of each ranking
    rankings: tuple[Ranking, ...]
