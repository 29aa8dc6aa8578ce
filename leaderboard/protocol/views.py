"""What the page of the protocol shows: frozen values whose texts are final, still raw."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.agreement.views import AgreementSection
from leaderboard.crowds.views import CrowdSection
from leaderboard.robustness.views import NoiseSection


@dataclass(frozen=True)
class RankedRow:
    """A gallery row of the worked example, at its rank."""

    rank: str
    gallery_row: str
    score: str
    person: str
    precision: str  # at a match; empty elsewhere


@dataclass(frozen=True)
class Example:
    """One query with its ranked gallery, and what each metric makes of it."""

    person: str
    rows: tuple[RankedRow, ...]
    metrics: tuple[tuple[str, str, str], ...]  # name, how it comes about, value
    tied: str  # "4 and 5", the ranks of equal scores


@dataclass(frozen=True)
class Constants:
    """Figures that the code of the tests goes by."""

    draws: str
    least_p: str
    prior: str
    level: str  # in percent
    threshold: str  # the same as a p-value
    confidence: str
    least_discordant: str
    # What simulations found, in percent: the least and the most over all settings.
    false_alarms: str
    coverage: str
    flips: str  # the most false alarms of sign flips
    margin: str  # points; what papers print less apart is a tie


@dataclass(frozen=True)
class Recorded:
    """A protocol as runs recorded it."""

    runs: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AuditedMethod:
    """What choosing the epoch on test would add for one method: means over the audited seeds."""

    title: str
    href: str
    selected: str
    last: str
    tested: str
    gain: str
    interval: str  # "+0.10 to +1.20"
    moved: str  # "2 of 3": the seeds for which test would have chosen another epoch
    seeds: str


@dataclass(frozen=True)
class AuditedGround:
    """A suite's dataset with the methods whose runs were audited there."""

    name: str
    words: str
    methods: tuple[AuditedMethod, ...]
    legend: Markup
    charts: tuple[Markup, ...]  # of R1 on test by epoch


@dataclass(frozen=True)
class Reference:
    """A source, with the address where there is one."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class ProtocolPage:
    """How scores, seeds, selection and tests are defined."""

    example: Example
    constants: Constants
    recorded: tuple[Recorded, ...]
    inflation: tuple[AuditedGround, ...]
    noise: tuple[NoiseSection, ...]
    crowds: tuple[CrowdSection, ...]
    agreement: tuple[AgreementSection, ...]
    references: tuple[Reference, ...]
