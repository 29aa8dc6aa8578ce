"""What the page of downloads shows: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A file that can be taken away."""

    kind: str  # "CSV"
    href: str
    size: str


@dataclass(frozen=True)
class Offer:
    """A table in all its forms."""

    name: str
    about: str
    files: tuple[Download, ...]


@dataclass(frozen=True)
class OfferGroup:
    """The tables of one ground, or those of the whole site."""

    anchor: str
    title: str
    suite: str
    drawn: bool
    warnings: tuple[str, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class DownloadsPage:
    """Everything that can be taken away; `columns` says what the names in the files mean."""

    groups: tuple[OfferGroup, ...]
    columns: tuple[tuple[str, str], ...]
