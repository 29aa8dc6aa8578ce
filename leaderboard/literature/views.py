"""What the page of reported figures shows: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class FigureCell:
    """A printed figure at an address of its own, or a dash, which has none."""

    text: str
    address: str = ""
    mark: str = ""  # leads to why it is suspect


@dataclass(frozen=True)
class SourceRow:
    """What one row of a paper's table prints of a method on one dataset."""

    source: str  # "DGIA, Table 1"
    href: str  # to the paper, on the page
    note: str  # how the row calls it, where that is another name, and how it was scored
    cells: tuple[FigureCell, ...]  # by metric


@dataclass(frozen=True)
class SourceGroup:
    """Rows on one dataset."""

    title: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True)
class MethodEntry:
    """A method with all that is printed of it."""

    anchor: str
    name: str
    search: str  # every name that it or a form of it has, in small letters
    known: str  # "2023 · 5 papers"
    summary: str  # "R1 73.38 on CUHK-PEDES"
    href: str  # to its page, where it was run here
    groups: tuple[SourceGroup, ...]
    reasons: tuple[tuple[str, str], ...]  # mark -> why a figure is suspect


@dataclass(frozen=True)
class Print:
    """A figure of a drift with the places where it stands."""

    text: str
    places: tuple[tuple[str, str], ...]  # "DGIA, Table 1" -> its anchor


@dataclass(frozen=True)
class DriftRow:
    """A figure that papers print differently."""

    name: str
    href: str
    column: str
    size: str
    prints: tuple[Print, ...]


@dataclass(frozen=True)
class DriftGroup:
    """Drift under a heading."""

    title: str
    rows: tuple[DriftRow, ...]


@dataclass(frozen=True)
class TimelineRow:
    """A method on a timeline."""

    year: str
    name: str
    href: str
    value: str
    over: str
    step: str
    is_quiet: bool


@dataclass(frozen=True)
class Timeline:
    """R1 on one dataset by year."""

    anchor: str
    title: str
    chart: Markup
    spread: str  # where the spread of seeds is from; empty where one is said of all
    rows: tuple[TimelineRow, ...]
    undated: str  # methods of which no source gives a year, or empty


@dataclass(frozen=True)
class PaperEntry:
    """A paper whose figures are held."""

    anchor: str
    title: str
    citation: str
    url: str
    source: str
    known: str  # "301 figures in 5 tables"


@dataclass(frozen=True)
class ReportedPage:
    """Every figure that the papers print."""

    extent: str
    metrics: tuple[str, ...]
    legend: Markup
    spread: str  # where that of all timelines is from, or empty
    timelines: tuple[Timeline, ...]
    drift: tuple[DriftGroup, ...]
    methods: tuple[MethodEntry, ...]
    papers: tuple[PaperEntry, ...]
