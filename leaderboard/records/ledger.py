"""Comparisons of any entries of a ground, each pair on the seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from harness.results import METRICS
from harness.results.answers import Answers, Floats, restrict
from harness.significance import Comparison, Spread, compare_pairs, rank_groups

Entry = tuple[str, str]  # a method and one of its variants
Pair = tuple[Entry, Entry]  # what is compared, and with what
Pairs = tuple[Pair, ...]


@dataclass(frozen=True)
class Ledger:
    """The answers of entries that answered the same queries, and what is asked of them."""

    answers: Mapping[Entry, Answers] = field(default_factory=dict)
    spreads: Mapping[str, Spread | None] = field(default_factory=dict)  # of seeds, by metric
    silent: Mapping[Entry, str] = field(default_factory=dict)  # what has no answers, and why
    # What was asked before: by metric and pairs, and by metric.
    _compared: dict[tuple[str, Pairs], Mapping[Pair, Comparison]] = field(default_factory=dict)
    _intervals: dict[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)

    def compare(self, pairs: Sequence[Pair], metric: str) -> Mapping[Pair, Comparison]:
        """Compare some pairs as one family; pairs without answers or a common seed are left out."""
        asked = tuple(pair for pair in dict.fromkeys(pairs) if self.common_seeds(pair))
        if (metric, asked) not in self._compared:
            self._compared[metric, asked] = self._compare(asked, metric)
        return self._compared[metric, asked]

    def common_seeds(self, pair: Pair) -> tuple[int, ...]:
        """Return the seeds on which a pair is compared; none where it cannot be."""
        first, second = map(self.answers.get, pair)
        return first.common_seeds(second) if first and second else ()

    def interval(self, entry: Entry, metric: str) -> tuple[float, float] | None:
        """Return the 95 % interval of an entry's own mean; None where it has no answers."""
        if entry not in self.answers:
            return None
        if metric not in self._intervals:
            values = {family_name(e): one.values[metric] for e, one in self.answers.items()}
            people = self.answers[entry].people
            self._intervals[metric] = compare_pairs(
                values, [], people, self.spreads.get(metric)
            ).intervals
        return self._intervals[metric][family_name(entry)]

    def leaders(self, entries: Sequence[Entry], metric: str) -> frozenset[Entry]:
        """Return the entries than which no other is better; none where fewer than two can be told.

        An entry with fewer seeds than another is judged on those that both have.
        """
        known = [entry for entry in dict.fromkeys(entries) if entry in self.answers]
        pairs = [pair for pair in combinations(known, 2) if self.common_seeds(pair)]
        if len(known) < 2 or len(pairs) < len(known) * (len(known) - 1) / 2:
            return frozenset()
        found = self.compare(pairs, metric)
        means = {family_name(e): float(self.answers[e].values[metric].mean()) for e in known}
        adjusted = {(family_name(a), family_name(b)): one.adjusted for (a, b), one in found.items()}
        first = {one.name for one in rank_groups(means, adjusted) if one.rank == 1}
        return frozenset(entry for entry in known if family_name(entry) in first)

    def leading_rows(self, entries: Sequence[Entry]) -> Mapping[str, Sequence[int]]:
        """Return by metric the rows of a table than which no other is better."""
        found = {metric: self.leaders(entries, metric) for metric in METRICS}
        return {
            metric: [row for row, entry in enumerate(entries) if entry in leaders]
            for metric, leaders in found.items()
        }

    def _compare(self, pairs: Sequence[Pair], metric: str) -> Mapping[Pair, Comparison]:
        if not pairs:
            return {}
        values: dict[str, Floats] = {}
        names = {}
        for pair in pairs:
            seeds = self.common_seeds(pair)
            first, second = (f"{family_name(entry)} {seeds}" for entry in pair)
            for name, entry in zip((first, second), pair, strict=True):
                if name not in values:
                    values[name] = restrict(self.answers[entry], seeds).values[metric]
            names[pair] = first, second
        people = self.answers[pairs[0][0]].people
        family = compare_pairs(values, list(names.values()), people, self.spreads.get(metric))
        return {pair: family.comparisons[name] for pair, name in names.items()}


def family_name(entry: Entry) -> str:
    """Return how an entry is named in a family."""
    return "/".join(entry)
