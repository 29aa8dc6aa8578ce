"""What the page of datasets shows: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Place:
    """A ranking that stands on a dataset."""

    suite: str
    href: str


@dataclass(frozen=True)
class Row:
    """A row of a table with a column for each split, or for each thing that is counted."""

    label: str
    cells: tuple[str, ...]
    note: str = ""
    quiet: bool = False  # nothing to worry about


@dataclass(frozen=True)
class Table:
    """Numbers, aligned right."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Figure:
    """A distribution, and what it shows in words."""

    chart: Markup
    words: str


@dataclass(frozen=True)
class Exhibit:
    """A test image with its captions; `source` is empty where no picture can stand here."""

    source: str
    image_id: str
    about: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class DatasetSection:
    """One content of one dataset."""

    anchor: str
    title: str
    places: tuple[Place, ...]
    drawn: bool
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    url: str  # http or https, or empty
    counts: Table | None
    findings: tuple[str, ...]
    audit: Table | None
    about_distributions: str
    figures: tuple[Figure, ...]
    about_sample: str
    sample: tuple[Exhibit, ...]
    missing: str  # why nothing of the above could be said, or empty


@dataclass(frozen=True)
class TransferTable:
    """A matrix of one metric: a row for what was trained, a column for what it was tested on."""

    suite: str
    metric: str
    table: Table


@dataclass(frozen=True)
class DatasetsPage:
    """Every content of every dataset in the results."""

    sections: tuple[DatasetSection, ...]
    transfer: tuple[TransferTable, ...]  # empty where nothing was tested on other data
