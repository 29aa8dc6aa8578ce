"""The tables of a method's page: frozen values with all numbers computed and all texts final."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.views import MetricCell, MetricColumn, Note, Whisker


@dataclass(frozen=True)
class Mark:
    """What a row has in the column of a component: a check mark, a value, both or neither."""

    checked: bool
    text: str
    in_words: str  # for who does not see the mark


@dataclass(frozen=True)
class Difference:
    """How much a row differs, in points, with its 95 % interval and its corrected p-value."""

    text: str
    low: str
    high: str
    p_value: str
    whisker: Whisker
    zero: str  # where no difference lies in the drawing
    is_real: bool
    on: str  # "seeds 0 and 1", where not on all of a row; empty elsewhere


@dataclass(frozen=True)
class DifferenceCell:
    """A difference, or in a word why there is none."""

    difference: Difference | None
    reason: str = ""


@dataclass(frozen=True)
class Cost:
    """Milliseconds to rank the gallery for one query: by cosine, and re-ranked."""

    cosine: str
    reranked: str
    factor: str  # how many times as long


@dataclass(frozen=True)
class ColumnGroup:
    """A heading over columns; empty over columns that need none."""

    name: str
    columns: int
    is_of_components: bool = False


@dataclass(frozen=True)
class ResultRow:
    """An evaluation, or a row of an ablation."""

    label: str
    notes: tuple[str, ...]  # below the label
    marks: tuple[Mark, ...]
    cells: tuple[MetricCell, ...]
    differences: tuple[DifferenceCell, ...]
    seeds: str
    seed_notes: tuple[Note, ...]
    href: str  # the runs behind the figures
    made_of: str = ""  # the marks in words, for narrow windows
    is_reference: bool = False  # stands below a rule, for comparison
    cost: Cost | None = None


@dataclass(frozen=True)
class ResultTable:
    """A table of a method's page; `heads` stand over all columns but that of the labels."""

    anchor: str
    title: str
    caption: str
    label_header: str
    columns: tuple[MetricColumn, ...]
    rows: tuple[ResultRow, ...]
    is_compact: bool = False  # of many columns
    heads: tuple[ColumnGroup, ...] = ()
    components: tuple[str, ...] = ()
    difference_columns: tuple[MetricColumn, ...] = ()
    has_costs: bool = False
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()  # row -> what it changes, in words
    remarks: tuple[str, ...] = ()  # what is not compared, and why


@dataclass(frozen=True)
class PartRow:
    """Two variants that differ in one component only."""

    kind: str
    with_it: str
    with_href: str
    without_it: str
    without_href: str
    differences: tuple[DifferenceCell, ...]


@dataclass(frozen=True)
class PartGroup:
    """What one component adds, wherever that was run."""

    component: str
    rows: tuple[PartRow, ...]


@dataclass(frozen=True)
class PartTable:
    """What each component adds."""

    anchor: str
    caption: str
    columns: tuple[MetricColumn, ...]
    groups: tuple[PartGroup, ...]


@dataclass(frozen=True)
class SliceCell:
    """A mean over some queries; `low` and `high` are empty where one person asked them all."""

    text: str
    low: str
    high: str
    whisker: Whisker


@dataclass(frozen=True)
class SliceRow:
    """Some of the queries."""

    label: str
    queries: str
    cells: tuple[SliceCell, ...]


@dataclass(frozen=True)
class SliceGroup:
    """Queries parted by one property; the name is empty for all of them."""

    name: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class SliceTable:
    """A method's figures by kinds of queries; `middles` are where the means of all lie."""

    anchor: str
    caption: str
    columns: tuple[MetricColumn, ...]
    middles: tuple[str, ...]
    groups: tuple[SliceGroup, ...]
