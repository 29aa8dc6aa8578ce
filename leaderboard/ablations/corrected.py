"""The differences that a table declares, judged as one family, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.results import METRICS
from harness.significance import Comparison
from leaderboard.ablations.views import Difference, DifferenceCell
from leaderboard.records.contest import Contest
from leaderboard.records.estimates import Scale, round_scale
from leaderboard.records.ledger import Entry, Ledger, Pair
from leaderboard.records.load import FULL
from leaderboard.typography import (
    ABSENT,
    counted,
    interval_end,
    listed,
    probability,
    scale_end,
    signed,
    spread_decimals,
)
from leaderboard.views import MetricColumn, Whisker

COMPARED = ("r1", "map")  # the metrics whose differences are shown
ABOUT_DIFFERENCES = (
    "A difference is in points. Its interval and its p-value answer one question, whether it would"
    " hold for other people and, where several seeds were run, for other seeds, for all comparisons"
    " of its table by one metric at once: the interval holds zero exactly where p is 0.05 or more."
    " Such a difference is grey."
)
NO_PAIR = DifferenceCell(None, ABSENT)
SILENT = DifferenceCell(None, "not compared")


def open_ledger(contest: Contest) -> Ledger:
    """Return the comparisons of a ground, with why some entries of it are not compared."""
    ledger = contest.ledger
    silent = {entry: _why_silent(contest, entry) for entry in contest.silent}
    return Ledger(ledger.answers, ledger.spreads, silent)


def _why_silent(contest: Contest, entry: Entry) -> str:
    """Say why an entry is not compared."""
    runs = contest.ground.methods[entry[0]][entry[1]]
    seeds = [str(run.record.seed) for run in runs if run.finished]
    if not seeds:
        return "no run was finished"
    seeded = [known for known in contest.answers.values() if not known.is_fixed]
    taken = next((list(map(str, known.seeds)) for known in seeded), seeds)
    may_lack = entry[1] != FULL and set(seeds) & set(taken)
    if seeds != taken and not may_lack:
        return f"finished with {unpaired(seeds, taken)}"
    return contest.silent[entry].rstrip(".")


def unpaired(seeds: Sequence[str], taken: Sequence[str]) -> str:
    """Say that some seeds are not those of a comparison."""
    ran, needed = (f"seed{'s' if len(s) > 1 else ''} {listed(s)}" for s in (seeds, taken))
    return f"{ran} where comparisons, which are paired, take {needed}"


@dataclass(frozen=True)
class Corrected:
    """The comparisons of one table: its family for the correction, one metric at a time."""

    count: int
    decimals: int
    columns: tuple[MetricColumn, ...]  # the scales that the differences of a metric share
    scales: Mapping[str, Scale]
    comparisons: Mapping[tuple[str, Pair], Comparison]
    fewer_seeds: Mapping[Pair, str]  # "seeds 0 and 1", where a pair has fewer than others

    @property
    def in_words(self) -> str:
        """How the p-values were corrected."""
        comparisons = counted(self.count, "comparison")
        return f"Intervals and p-values are for the table's {comparisons} of each metric at once."

    def cells(self, pair: Pair | None) -> tuple[DifferenceCell, ...]:
        """Return the differences of a pair, one a metric."""
        return tuple(self._cell(pair, metric) for metric in self.scales)

    def find(self, pair: Pair, metric: str) -> Comparison | None:
        """Return how the first of a pair differs from the second; None where it is not compared."""
        ordered = _ordered(pair)
        found = self.comparisons.get((metric, ordered))
        return found if found is None or pair == ordered else found.mirrored()

    def _cell(self, pair: Pair | None, metric: str) -> DifferenceCell:
        if pair is None or pair[0] == pair[1]:
            return NO_PAIR
        found = self.find(pair, metric)
        if found is None:
            return SILENT
        on = self.fewer_seeds.get(_ordered(pair), "")
        return DifferenceCell(_difference(found, self.scales[metric], self.decimals, on))


def correct(ledger: Ledger, pairs: Sequence[Pair]) -> Corrected | None:
    """Judge a table's comparisons together, by each metric; None without any."""
    declared = list(dict.fromkeys(_ordered(pair) for pair in pairs if pair[0] != pair[1]))
    comparisons = {
        (metric, pair): found
        for metric in COMPARED
        for pair, found in ledger.compare(declared, metric).items()
    }
    if not comparisons:
        return None
    scales = {metric: _scale(comparisons, metric) for metric in COMPARED}
    return Corrected(
        count=len(comparisons) // len(COMPARED),
        decimals=spread_decimals([found.high - found.low for found in comparisons.values()]),
        columns=tuple(_column(metric, scale) for metric, scale in scales.items()),
        scales=scales,
        comparisons=comparisons,
        fewer_seeds=_fewer_seeds(ledger, [pair for _, pair in comparisons]),
    )


def _fewer_seeds(ledger: Ledger, pairs: Sequence[Pair]) -> dict[Pair, str]:
    """Say on which seeds a pair is compared, where that is not all that one of it has."""
    found = {}
    for pair in pairs:
        common = ledger.common_seeds(pair)
        if len(common) < max(len(ledger.answers[entry].seeds) for entry in pair):
            numbers = listed([str(seed) for seed in common])
            alone = len(common) == 1
            found[pair] = f"seed {numbers}: other people only" if alone else f"seeds {numbers}"
    return found


def _ordered(pair: Pair) -> Pair:
    """Return a pair in one of its two orders, whichever it came in."""
    return min(pair, pair[::-1])


def _scale(comparisons: Mapping[tuple[str, Pair], Comparison], metric: str) -> Scale:
    """Return a scale that holds the differences of a metric in either direction."""
    found = [one for key, one in comparisons.items() if key[0] == metric]
    furthest = max(abs(end) for one in found for end in (one.low, one.difference, one.high))
    return round_scale([-furthest, furthest])


def _column(metric: str, scale: Scale) -> MetricColumn:
    return MetricColumn(METRICS[metric], "points", scale_end(scale.low), scale_end(scale.high))


def _difference(found: Comparison, scale: Scale, decimals: int, on: str) -> Difference:
    return Difference(
        text=signed(found.difference, decimals),
        low=interval_end(found.low, decimals),
        high=interval_end(found.high, decimals),
        p_value=probability(found.adjusted),
        whisker=Whisker(
            *(f"{scale.place(end):.1f}" for end in (found.low, found.difference, found.high))
        ),
        zero=f"{scale.place(0.0):.1f}",
        is_real=found.is_real,
        on=on,
    )
