"""What a page shows of a paper's own tables: final texts in frozen values, still raw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportedCell:
    """A printed figure, or a dash; the mark leads to why it is suspect."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class ReportedRow:
    """A row of a printed table."""

    label: str
    href: str  # the page of the method it is, if that is another one of ours
    own: bool
    cells: tuple[ReportedCell, ...]


@dataclass(frozen=True)
class ReportedGroup:
    """Rows under a heading; the heading is empty where the table has none."""

    name: str
    rows: tuple[ReportedRow, ...]


@dataclass(frozen=True)
class ReportedDataset:
    """A heading over the columns of one dataset."""

    title: str
    columns: int


@dataclass(frozen=True)
class ReportedTable:
    """A table as a paper prints it."""

    title: str
    caption: str
    rows_in_words: str
    folded: bool
    datasets: tuple[ReportedDataset, ...]  # empty where all columns are of one, which is named
    metrics: tuple[str, ...]
    groups: tuple[ReportedGroup, ...]
    reasons: tuple[tuple[str, str], ...]  # mark -> why


@dataclass(frozen=True)
class ReportedSection:
    """Everything that a method's paper reports."""

    paper: str
    url: str  # http or https, or empty
    source: str  # where the figures were read, where not in the paper
    tables: tuple[ReportedTable, ...]
    remarks: tuple[tuple[str, str], ...]
