"""Runs by how many of their training pairs were made wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.results import LAST_EVALUATION
from leaderboard.records.estimates import Summary, summarize
from leaderboard.records.ledger import Entry
from leaderboard.records.load import Ground, Run, finite

FOUND = ("clean/precision", "clean/recall", "noisy/precision", "noisy/recall")  # of a history
PERCENT = 100.0


@dataclass(frozen=True)
class Level:
    """The runs of a variant at one noise."""

    rate: float  # the share of captions that were moved; 0 without noise
    file: str  # the index file that lists them; empty where the seed drew them
    entry: Entry
    runs: Sequence[Run]

    @property
    def in_words(self) -> str:
        """How much noise it is: "20 %"."""
        share = f"{PERCENT * self.rate:.3g} %" if self.rate else "none"
        return f"{share}, {self.file}" if self.file else share

    def selected(self, metric: str = "r1") -> Summary | None:
        """Return a metric of the epochs that val chose."""
        return summarize(self.runs, metric)

    def last(self, metric: str = "r1") -> Summary | None:
        """Return a metric of the last epochs."""
        return summarize(self.runs, metric, LAST_EVALUATION)

    def best_on_test(self, metric: str = "r1") -> float | None:
        """Return the mean of a metric of the epochs that are best on test.

        None unless the selection of every finished run was audited.
        """
        finished = [run for run in self.runs if run.finished]
        found = [finite(run.stored.test_selected().get(metric)) for run in finished]
        known = [value for value in found if value is not None]
        return fmean(known) if known and len(known) == len(finished) else None

    def found(self, column: str) -> list[tuple[int, float]]:
        """Return a figure of what was called clean, in percent, by epoch: means over the seeds.

        An epoch counts where every finished run has the figure.
        """
        by_epoch: dict[int, list[float]] = {}
        finished = [run for run in self.runs if run.finished and run.history]
        for row in (row for run in finished for row in run.history):
            value, epoch = finite(row.get(column)), finite(row.get("epoch"))
            if value is not None and epoch is not None:
                by_epoch.setdefault(int(epoch), []).append(PERCENT * value)
        whole = {epoch: them for epoch, them in by_epoch.items() if len(them) == len(finished)}
        return sorted((epoch, fmean(them)) for epoch, them in whole.items())


@dataclass(frozen=True)
class Robustness:
    """A method or variant at several noises of one kind, and without."""

    method: str
    variant: str  # but for its noise
    from_files: bool  # whether index files list the wrong pairs
    levels: tuple[Level, ...]  # by rate

    @property
    def clean(self) -> Level | None:
        """The level without noise, where it was run."""
        return self.levels[0] if not self.levels[0].rate else None


def find_robustness(ground: Ground, method: str) -> tuple[Robustness, ...]:
    """Return what was trained with noise, the method as published first as it was first run."""
    found: dict[tuple[str, bool], list[Level]] = {}
    without: dict[str, Level] = {}
    for label, runs in ground.methods.get(method, {}).items():
        record = runs[-1].record
        if not record.noise:
            without[label] = Level(0.0, "", (method, label), runs)
        elif rate := finite(record.noise.get("rate")):
            level = Level(rate, str(record.noise.get("file", "")), (method, label), runs)
            found.setdefault((record.without_noise, bool(level.file)), []).append(level)
    return tuple(
        Robustness(
            method, variant, from_files,
            (
                *([without[variant]] if variant in without else []),
                *sorted(levels, key=lambda level: (level.rate, level.entry)),
            ),
        )
        for (variant, from_files), levels in found.items()
    )  # fmt: skip
