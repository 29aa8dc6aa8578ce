"""What the pages show: frozen values whose numbers are computed and whose texts are final.

A template writes these out and decides nothing. Every text is still raw: escaping is its job.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Whisker:
    """A range and its mean as horizontal positions in a drawing `estimates.WHISKER_WIDTH` wide."""

    low: str
    mean: str
    high: str


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds. `low` and `high` are empty where there is a single seed."""

    text: str
    low: str
    high: str
    whisker: Whisker
    is_best: bool  # no other row is better
    order: str  # the unrounded mean, to sort by


@dataclass(frozen=True)
class ReportedFigure:
    """What a method's paper prints for the figure that it stands beside."""

    text: str
    suspect: str  # why it should not be relied on, or empty


@dataclass(frozen=True)
class MetricCell:
    """Our figure and the paper's, as far as there are any."""

    estimate: Estimate | None
    reported: ReportedFigure | None
    absent: str = "not recorded"  # what stands where there is no estimate


@dataclass(frozen=True)
class MetricColumn:
    """A metric with the ends of the scale that its whiskers share."""

    name: str
    unit: str
    low: str
    high: str


@dataclass(frozen=True)
class Quantity:
    """A number without an interval."""

    text: str
    order: str


@dataclass(frozen=True)
class Note:
    """Something said in words where a number stands; `href` leads to more, if there is more."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Failure:
    """A run without a result."""

    anchor: str
    href: str
    method: str
    variant: str
    seed: int
    status: str
    kind: str  # of the error, empty where none was raised
    message: str
    traceback: str


@dataclass(frozen=True)
class DatasetCard:
    """The ground a table stands on."""

    anchor: str
    title: str
    suite: str
    drawn: bool
    url: str  # http or https, or empty
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
