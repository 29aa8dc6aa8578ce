"""What pages show of growing galleries: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class CrowdCell:
    """A mean over seeds, and its interval or what was foretold."""

    text: str
    beside: str = ""


@dataclass(frozen=True)
class CrowdRow:
    """A method at one size of the gallery."""

    name: str
    href: str  # of the method's page
    gallery: str
    cells: tuple[CrowdCell, ...]


@dataclass(frozen=True)
class IndexRow:
    """A method through an index at one size of the gallery."""

    name: str
    href: str  # of the method's page
    gallery: str
    index: CrowdCell  # with its settings beside it
    cells: tuple[str, ...]


@dataclass(frozen=True)
class IndexView:
    """What indexes missed and saved among a crowd."""

    library: str  # "faiss 1.15.1"
    columns: tuple[tuple[str, str], ...]  # and their units, behind the index
    rows: tuple[IndexRow, ...]


@dataclass(frozen=True)
class CrowdSection:
    """One ground's gallery with one crowd."""

    anchor: str
    ground: str
    crowd: str  # "100,000 drawn people"
    notes: tuple[str, ...]  # whose second look is left aside, and what was left out
    places: tuple[str, ...]  # who changes places, and whether the two are told apart
    columns: tuple[str, ...]  # behind the size of the gallery
    rows: tuple[CrowdRow, ...]
    legend: Markup
    charts: tuple[Markup, ...]
    through: IndexView | None  # None where no index was asked
