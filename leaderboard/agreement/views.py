"""What pages show of claims: frozen values with all numbers computed and all texts final."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MethodRow:
    """A method with what is printed of it and what was measured, in percent."""

    name: str
    href: str
    printed: str
    measured: str
    sources: tuple[str, ...]
    suspect: str  # why the printed figure should not be relied on, or empty


@dataclass(frozen=True)
class ClaimRow:
    """A printed difference beside the measured one, in points; drawings are those of `whiskers`."""

    better: str  # the first of the two
    other: str
    printed: str
    measured: str
    interval: str
    p_value: str
    is_real: bool
    stands: str
    span: str  # paths: the interval, the mean, and the printed difference
    middle: str
    dot: str


@dataclass(frozen=True)
class ClaimGroup:
    """Claims under a heading, which is empty where the table has none."""

    name: str
    rows: tuple[ClaimRow, ...]


@dataclass(frozen=True)
class ClaimTable:
    """Claims whose differences lie on one scale."""

    title: str
    caption: str
    header: str
    scale: tuple[str, str]
    zero: str
    groups: tuple[ClaimGroup, ...]


@dataclass(frozen=True)
class AgreementSection:
    """What became of the claims about one dataset."""

    anchor: str
    title: str
    suite: str
    statements: tuple[str, ...]
    methods: tuple[MethodRow, ...]
    tables: tuple[ClaimTable, ...]
    remarks: tuple[str, ...]
    otherness: str  # how its people differ from those that papers measured, or empty
