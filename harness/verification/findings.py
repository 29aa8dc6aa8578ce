"""What verifying finds: of each finding its kind, where it is, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a finding is about."""

    RECORD = "record"
    FIGURES = "figures"
    RELEVANCE = "relevance"
    FILES = "files"
    MIXED = "mixed"
    APART = "apart"
    STALE = "stale"
    LEFT_OVER = "left-over"
    NOT_SEALED = "not-sealed"
    NOT_CHECKED = "not-checked"


# What stands above the findings of a kind: what it means, and what to do.
HEADINGS = {
    Kind.RECORD: "Records that cannot be relied on: restore the folder, or remove it and run again",
    Kind.FIGURES: "Figures that do not follow from the stored ranks: run again with --force",
    Kind.RELEVANCE: "Rankings that do not fit the dataset's people: run again with --force",
    Kind.FILES: "Files that are not as they were written: restore them, or run again with --force",
    Kind.MIXED: "Runs that must not be compared: run those of the smaller group again",
    Kind.APART: "Not ranked beside newer runs, because they break ties in another way",
    Kind.STALE: "Stale: made by other code, settings or data than those here; run again",
    Kind.LEFT_OVER: "Left over by a process that was killed, or still being written: unless a run "
    "is under way, they can be removed",
    Kind.NOT_SEALED: "Not sealed: without checksums, changes of these files do not show",
    Kind.NOT_CHECKED: "Not checked",
}
HARMLESS = frozenset({Kind.APART, Kind.STALE, Kind.LEFT_OVER, Kind.NOT_SEALED, Kind.NOT_CHECKED})


class Unreadable(Exception):
    """A file does not hold what it should; the message says what is wrong with it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that could not be checked."""

    kind: Kind
    path: str  # of the run or folder, below the results
    file: str  # below that, "" where it is about the whole
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.file else self.message

    @property
    def is_problem(self) -> bool:
        return self.kind not in HARMLESS


@dataclass
class Report:
    """All that was verified and found."""

    runs: int = 0
    figures: int = 0  # recomputed and compared
    findings: list[Finding] = field(default_factory=list)

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_problem]

    def count(self, kind: Kind) -> int:
        """Return how many runs or folders a kind was found of."""
        return len({finding.path for finding in self.findings if finding.kind is kind})

    def by_place(self, kind: Kind) -> Iterator[tuple[str, list[Finding]]]:
        """Yield the findings of a kind, place by place, in the order of paths."""
        places: dict[str, list[Finding]] = {}
        for finding in self.findings:
            if finding.kind is kind:
                places.setdefault(finding.path, []).append(finding)
        yield from sorted(places.items())
