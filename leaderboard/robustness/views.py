"""What pages show of runs under noise: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class NoiseCell:
    """A mean over seeds."""

    text: str
    beside: tuple[str, ...] = ()  # the range over seeds, and what papers print at this noise


@dataclass(frozen=True)
class NoiseRow:
    """A method or variant at one noise."""

    name: str
    href: str  # of its runs
    noise: str
    cells: tuple[NoiseCell, ...]


@dataclass(frozen=True)
class NoiseTable:
    """Methods or variants by noise: those without any first."""

    name: str  # of the first column
    columns: tuple[str, ...]  # behind that of the noise
    rows: tuple[NoiseRow, ...]


@dataclass(frozen=True)
class Charts:
    """Charts of the same curves, as many as their dashes tell apart, with their legend."""

    legend: Markup
    charts: tuple[Markup, ...]


@dataclass(frozen=True)
class NoiseSection:
    """What noise does on one ground: to one method, or to all that were trained with it."""

    anchor: str
    ground: str
    table: NoiseTable
    by_noise: tuple[Charts, ...]  # R1
    by_epoch: tuple[Charts, ...] = ()  # what was found
