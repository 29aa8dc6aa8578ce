"""What a method's page shows: frozen values with all numbers computed and all texts final."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.ablations.views import PartTable, ResultTable, SliceTable
from leaderboard.reported.views import ReportedSection
from leaderboard.robustness.views import NoiseSection
from leaderboard.strips.views import StripSection
from leaderboard.views import DatasetCard, Failure, Note


@dataclass(frozen=True)
class SweepView:
    """A setting's effect as curves, with the table they were drawn from."""

    words: str
    charts: tuple[Markup, ...]
    table: ResultTable


@dataclass(frozen=True)
class CmcRow:
    """Points of one curve."""

    name: str
    href: str  # empty for the method whose page it is
    values: tuple[str, ...]


@dataclass(frozen=True)
class CmcView:
    """How often the right person is among the first k, as a curve and as figures."""

    anchor: str
    words: str
    chart: Markup
    ranks: tuple[str, ...]
    rows: tuple[CmcRow, ...]


@dataclass(frozen=True)
class Statement:
    """What the figures say: sentences, and the paper's figures beside the interval of ours."""

    sentences: tuple[str, ...]
    reported: tuple[tuple[str, str], ...]  # metric -> in words


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
    origin: str  # who submitted it, or that it came with the project; empty where it was made here
    failure: str  # the address of its failure, empty where it went well
    primary: str
    selected_epoch: str
    train_seconds: str
    peak_memory: str
    date: str
    key: str
    environment: str
    commands: tuple[str, ...]  # of the run, then of its further evaluations


@dataclass(frozen=True)
class RunGroup:
    """The runs of a variant, which its figures lead to."""

    anchor: str
    rows: tuple[RunRow, ...]


@dataclass(frozen=True)
class HighlightView:
    """Some words of a caption, and where in its image a method looks for them."""

    words: str
    titles: tuple[str, ...]
    veils: tuple[Markup, ...]  # one a title, to be laid over the image


@dataclass(frozen=True)
class WordView:
    """A word and how much it is like an image."""

    word: str
    similarity: str
    share: str  # of the largest one in its caption, 0 to 1
    top: str  # where its bar begins, from the top of a height of 1


@dataclass(frozen=True)
class HighlightedCaption:
    """A caption with the image that it was written for."""

    title: str  # the caption or, where it may not be shown, its number
    image: str  # its id
    file: str  # of its thumbnail within the site, empty where it may not be shown
    parts: tuple[HighlightView, ...]
    words: tuple[WordView, ...]


@dataclass(frozen=True)
class HighlightSection:
    """Where a method looks, for a few captions."""

    anchor: str
    about: str
    error: str  # why nothing could be drawn; empty where something is
    captions: tuple[HighlightedCaption, ...]


@dataclass(frozen=True)
class MethodSection:
    """A method on one dataset of one suite."""

    card: DatasetCard
    contents: tuple[tuple[str, str], ...]  # anchor -> title of a part
    statement: Statement
    results: ResultTable | None
    notes: tuple[Note, ...]
    failed_evaluations: tuple[Failure, ...]
    about_reported: str  # why the paper's figures stand here or do not; empty without a paper
    about_differences: str  # how to read them; empty where none stand here or it was said before
    ablations: tuple[ResultTable, ...]
    other_queries: tuple[ResultTable, ...]
    asked: tuple[AskedTable, ...]
    noise: NoiseSection | None
    parts: PartTable | None
    sweeps: tuple[SweepView, ...]
    slices: SliceTable | None
    cmc: CmcView | None
    strips: StripSection | None
    confusions: ConfusionTable | None
    highlights: HighlightSection | None
    legend: Markup
    charts: tuple[Markup, ...]
    pair_charts: tuple[Markup, ...]
    about_pairs: str
    settings: tuple[Setting, ...]
    environment: str  # where all runs share one; else each run names its own
    shipped: str  # how many of the runs came with the project; empty where none did
    runs: tuple[RunGroup, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class ConfusionRow:
    """How often a wrong first image contradicts the description in one kind of trait."""

    name: str
    share: str  # percent of all queries
    interval: str
    bar: str  # paths, 10 high
    span: str


@dataclass(frozen=True)
class ConfusionTable:
    """What a method confuses, most often first."""

    anchor: str
    rows: tuple[ConfusionRow, ...]
    most: str  # percent at the end of the bars' scale


@dataclass(frozen=True)
class AskedRow:
    """The same weights asked in one way: R1 with its bar, and how it differs."""

    label: str
    share: str  # R1 in percent
    interval: str
    bar: str  # paths, 10 high
    span: str
    change: str  # "-3.1 (-4.0 to -2.2)", or in words why there are no figures
    is_real: bool  # whether chance alone would not explain the change
    others: tuple[str, ...]  # R10 and mAP
    unchanged: str  # queries that had nothing to change


@dataclass(frozen=True)
class AskedTable:
    """What a method finds where it is asked otherwise."""

    anchor: str
    title: str
    about: str
    rows: tuple[AskedRow, ...]
    most: str  # percent at the end of the bars' scale
    chart: Markup | None = None


@dataclass(frozen=True)
class MethodPage:
    """Everything about a method."""

    title: str
    name: str
    summary: str
    paper: str
    url: str  # http or https, or empty
    supervision: str
    extra_data: tuple[tuple[str, str], ...]  # scale -> what else it was trained on
    rests_on: str  # files that were handed in; empty of what was trained here
    sections: tuple[MethodSection, ...]
    reported: ReportedSection | None
    reported_by_all: str  # where all papers' figures of it stand, from the site's root, or empty
