"""The differences that a method's tables declare, and how they are corrected and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.results import METRICS
from harness.significance import Comparison, Family, holm
from harness.significance.comparison import LARGEST_SPREAD
from harness.significance.ranking import LARGEST_FAMILY
from leaderboard.ablations.views import Difference, DifferenceCell
from leaderboard.ranking.differences import LEVEL
from leaderboard.records.contest import Contest, Entry, difference, interval
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.typography import (
    ABSENT,
    MINUS,
    counted,
    listed,
    probability,
    signed,
    spread_decimals,
)
from leaderboard.views import MetricColumn, Whisker

Pair = tuple[Entry, Entry]  # what is compared, and with what

COMPARED = ("r1", "map")  # the metrics whose differences are shown
ABOUT_DIFFERENCES = (
    "A difference is in points, with its 95 % interval over people and, from three seeds on, seeds."
    " Its p-value is of sign flips of whole people, corrected for all comparisons of its table by"
    " one metric; what is not real at 5 % is grey. The p-value is about the runs at hand, the"
    " interval about other seeds too, so it may hold zero where p is small."
)
WIDE = (
    f" † Seeds spread by more than {LARGEST_SPREAD} points, so that the interval is too short:"
    " more seeds are needed."
)
NO_PAIR = DifferenceCell(None, ABSENT)
SILENT = DifferenceCell(None, "not compared")


@dataclass(frozen=True)
class Ledger:
    """The comparisons of all pairs that the tables of a ground declare, made at once."""

    families: Mapping[str, Family] = field(default_factory=dict)  # by metric
    known: frozenset[Entry] = frozenset()  # entries that have answers
    silent: Mapping[Entry, str] = field(default_factory=dict)  # the others, and why

    def find(self, pair: Pair, metric: str) -> Comparison | None:
        """Return how the first of a pair differs from the second; None without answers."""
        if metric not in self.families or not set(pair) <= self.known:
            return None
        return difference(self.families[metric], *pair)

    def interval(self, entry: Entry, metric: str) -> tuple[float, float] | None:
        """Return the 95 % interval of a mean; None where nothing was compared with it."""
        return interval(self.families[metric], entry) if metric in self.families else None


def open_ledger(contest: Contest, pairs: Sequence[Pair], results: Path) -> Ledger:
    """Make all comparisons that the tables of a ground declare."""
    declared = list(dict.fromkeys(_ordered(pair) for pair in pairs if pair[0] != pair[1]))
    found = {metric: contest.compare_pairs(declared, metric) for metric in COMPARED}
    return Ledger(
        families={metric: family for metric, family in found.items() if family},
        known=frozenset(contest.answers),
        silent={entry: _why_silent(contest, entry, results) for entry in contest.silent},
    )


def _why_silent(contest: Contest, entry: Entry, results: Path) -> str:
    """Say why an entry is not compared; its files are named as seen from the folder of results."""
    runs = contest.ground.methods[entry[0]][entry[1]]
    seeds = [str(run.record.seed) for run in runs if run.finished]
    if not seeds:
        return "no run was finished"
    taken = next((list(map(str, known.seeds)) for known in contest.answers.values()), seeds)
    if seeds != taken:
        return f"finished with {unpaired(seeds, taken)}"
    return contest.silent[entry].replace(f"{results}/", "").rstrip(".")


def unpaired(seeds: Sequence[str], taken: Sequence[str]) -> str:
    """Say that some seeds are not those of a comparison."""
    ran, needed = (f"seed{'s' if len(s) > 1 else ''} {listed(s)}" for s in (seeds, taken))
    return f"{ran} where comparisons, which are paired, take {needed}"


@dataclass(frozen=True)
class Corrected:
    """The comparisons of one table: its family for the correction, one metric at a time."""

    count: int
    by_holm: bool
    decimals: int
    columns: tuple[MetricColumn, ...]  # the scales that the differences of a metric share
    scales: Mapping[str, Scale]
    comparisons: Mapping[tuple[str, Pair], Comparison]
    p_values: Mapping[tuple[str, Pair], float]

    @property
    def in_words(self) -> str:
        """How the p-values were corrected, and whether seeds spread too far."""
        comparisons = counted(self.count, "comparison")
        how = "Holm's method" if self.by_holm else "MaxT with those of this dataset's other tables"
        spread = any(found.needs_more_seeds for found in self.comparisons.values())
        return (
            f"p-values are corrected by {how} for the table's {comparisons} of each metric."
            f"{WIDE if spread else ''}"
        )

    def cells(self, pair: Pair | None) -> tuple[DifferenceCell, ...]:
        """Return the differences of a pair, one a metric."""
        return tuple(self._cell(pair, metric) for metric in self.scales)

    def _cell(self, pair: Pair | None, metric: str) -> DifferenceCell:
        if pair is None or pair[0] == pair[1]:
            return NO_PAIR
        ordered = _ordered(pair)
        found = self.comparisons.get((metric, ordered))
        if found is None:
            return SILENT
        found = found if pair == ordered else found.mirrored()
        p_value = round(self.p_values[metric, ordered], 4)
        return DifferenceCell(_difference(found, p_value, self.scales[metric], self.decimals))


def correct(ledger: Ledger, pairs: Sequence[Pair]) -> Corrected | None:
    """Correct the p-values of a table's comparisons for their number; None without any.

    Beyond 100 pairs, where Holm's method could find nothing, they are those of MaxT over all the
    ground's comparisons, which holds for any part of them.
    """
    declared = list(dict.fromkeys(_ordered(pair) for pair in pairs if pair[0] != pair[1]))
    comparisons = {
        (metric, pair): found
        for metric in COMPARED
        for pair in declared
        if (found := ledger.find(pair, metric))
    }
    if not comparisons:
        return None
    scales = {metric: _scale(comparisons, metric) for metric in COMPARED}
    count = len(comparisons) // len(COMPARED)
    return Corrected(
        count=count,
        by_holm=count <= LARGEST_FAMILY,
        decimals=spread_decimals([found.high - found.low for found in comparisons.values()]),
        columns=tuple(_column(metric, scale) for metric, scale in scales.items()),
        scales=scales,
        comparisons=comparisons,
        p_values={
            key: p_value
            for metric in COMPARED
            for key, p_value in _p_values(comparisons, metric).items()
        },
    )


def _p_values(
    comparisons: Mapping[tuple[str, Pair], Comparison], metric: str
) -> dict[tuple[str, Pair], float]:
    family = {key: found for key, found in comparisons.items() if key[0] == metric}
    if len(family) > LARGEST_FAMILY:
        return {key: found.adjusted for key, found in family.items()}
    corrected = holm([found.p_value for found in family.values()])
    return dict(zip(family, corrected.tolist(), strict=True))


def _ordered(pair: Pair) -> Pair:
    """Return a pair in one of its two orders, whichever it came in."""
    return min(pair, pair[::-1])


def _scale(comparisons: Mapping[tuple[str, Pair], Comparison], metric: str) -> Scale:
    """Return a scale that holds the differences of a metric in either direction."""
    found = [one for key, one in comparisons.items() if key[0] == metric]
    furthest = max(abs(end) for one in found for end in (one.low, one.difference, one.high))
    return round_scale([-furthest, furthest])


def _column(metric: str, scale: Scale) -> MetricColumn:
    low, high = (f"{end:+g}".replace("-", MINUS) for end in (scale.low, scale.high))
    return MetricColumn(METRICS[metric], "points", low, high)


def _difference(found: Comparison, p_value: float, scale: Scale, decimals: int) -> Difference:
    return Difference(
        text=signed(found.difference, decimals),
        low=signed(found.low, decimals),
        high=signed(found.high, decimals),
        p_value=probability(p_value),
        whisker=Whisker(
            *(f"{scale.place(end):.1f}" for end in (found.low, found.difference, found.high))
        ),
        zero=f"{scale.place(0.0):.1f}",
        is_real=p_value <= LEVEL,
        needs_seeds=found.needs_more_seeds,
    )
