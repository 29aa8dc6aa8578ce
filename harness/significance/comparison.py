"""Compare two methods, or all pairs of a family, query by query: one question, one procedure.

Would the difference hold for other people, and for other seeds of these methods? Queries of one
person are not independent, and neither are queries under one seed: the standard error of a
difference counts people and seeds (`harness.significance.standard_errors`), a family of pairs is
judged at once (`harness.significance.simultaneous`), and p-values, intervals and ranks all follow
from that. A method without randomness, or of one run, can only claim what holds for other people.

Shapes: K methods, S seeds, Q queries, C clusters, P pairs of methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from harness.significance.ranking import Standing, rank_groups, undecided_groups
from harness.significance.rounding import negated
from harness.significance.sample import Floats, Sample, group, without_rounding
from harness.significance.simultaneous import DRAWS, LEVEL, judge, reach_of_one
from harness.significance.spread import Spread, measure_spread
from harness.significance.standard_errors import (
    Indices,
    covariance,
    errors_of_differences,
    errors_of_means,
    join,
)


@dataclass(frozen=True)
class Comparison:
    """How method a differs from method b, in percent points; positive where a is higher.

    The interval holds zero exactly where the corrected p-value is 0.05 or more.
    """

    difference: float  # mean over seeds and queries of a - b
    error: float  # standard error of the difference
    degrees: float  # of freedom
    p_value: float  # two-sided, of this pair alone
    adjusted: float  # p-value for all pairs of the family at once; of one pair, `p_value`
    low: float  # 95 % interval of the difference, for all pairs of the family at once
    high: float
    wins: int  # queries where a is higher, on means over seeds
    ties: int
    losses: int
    seed_low: float  # least difference of one seed
    seed_high: float
    seed_spread: float | None  # standard deviation between seeds; None of one seed
    seeds: int
    runs: tuple[int, int]  # of a and of b
    queries: int
    clusters: int

    @property
    def is_real(self) -> bool:
        """Whether chance alone would not explain the difference."""
        return self.adjusted < LEVEL

    @property
    def holds_for(self) -> str:
        """Whom the p-value and the interval speak of, beside those that were tested."""
        return "other people" if self.runs == (1, 1) else "other people and seeds"

    def mirrored(self) -> Comparison:
        """Return how b differs from a."""
        return replace(
            self,
            difference=negated(self.difference),
            low=negated(self.high),
            high=negated(self.low),
            wins=self.losses,
            losses=self.wins,
            seed_low=negated(self.seed_high),
            seed_high=negated(self.seed_low),
            runs=self.runs[::-1],
        )


@dataclass(frozen=True)
class Family:
    """All pairs of some methods. A pair is keyed in the order the methods were given in."""

    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]  # 95 % interval of each mean, on its own
    runs: Mapping[str, int]  # of each method
    comparisons: Mapping[tuple[str, str], Comparison]

    def between(self, a: str, b: str) -> Comparison:
        """Return how a differs from b, whichever was given first."""
        if (a, b) in self.comparisons:
            return self.comparisons[a, b]
        return self.comparisons[b, a].mirrored()

    def standings(self) -> tuple[Standing, ...]:
        """Return the methods from best to worst, with ranks that are shared where they must be."""
        return rank_groups(self.means, self._adjusted)

    def undecided(self) -> tuple[tuple[str, ...], ...]:
        """Return the largest groups of methods of which none is better than another."""
        return undecided_groups(self.means, self._adjusted)

    @property
    def _adjusted(self) -> Mapping[tuple[str, str], float]:
        return {pair: one.adjusted for pair, one in self.comparisons.items()}


def compare(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike,
    spread: Spread | None = None,
) -> Comparison:
    """Compare the per-query values of two methods, (S, Q) or (Q,), whose seeds are paired.

    Values are percent: 0 or 100 for a hit, 0 to 100 for average precision. Takes the person of each
    query as clusters (Q,), and how far seeds spread on the board that the methods are of; without
    it, of these two alone, which tells less. Of one run beside several seeds, (Q,) or (1, Q),
    nothing is said for other seeds of it.

    Raises ValueError for shapes that differ, values that are not finite, clusters of another
    length, no query, and fewer than two people.
    """
    return compare_all({"a": a, "b": b}, clusters, spread).comparisons["a", "b"]


def compare_all(
    values: Mapping[str, ArrayLike],
    clusters: ArrayLike,
    spread: Spread | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Family:
    """Compare all pairs of two or more methods, judged at once.

    Takes the values by method, (S, Q) or (Q,), and how many draws of random numbers correct for
    the pairs; the same seed gives the same figures. The rest, and what is raised, is as in
    `compare`.
    """
    if len(values) < 2:
        raise ValueError(f"a comparison needs two methods or more; got {len(values)}")
    return compare_pairs(values, list(combinations(values, 2)), clusters, spread, draws, seed)


def compare_pairs(
    values: Mapping[str, ArrayLike],
    pairs: Sequence[tuple[str, str]],
    clusters: ArrayLike,
    spread: Spread | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Family:
    """Compare some pairs of many methods, at the cost of those pairs; of no pair, only the means.

    Methods of different pairs may have different numbers of seeds. `adjusted` and the intervals are
    for the pairs that are given. The rest is as in `compare_all`; raises KeyError for a method that
    has no values.
    """
    samples = _samples(values, pairs, clusters)
    known = spread or measure_spread(samples[max(samples)].seed_means)
    figures = _describe_methods(samples, known)
    return Family(
        means={name: figures[name][0] for name in values},
        intervals={name: figures[name][1] for name in values},
        runs={name: figures[name][2] for name in values},
        comparisons=_compare(samples, pairs, known, draws, seed) if pairs else {},
    )


Samples = Mapping[int, Sample]  # by number of seeds


@dataclass(frozen=True)
class _Block:
    """Pairs whose methods have equally many seeds, as places in their sample."""

    sample: Sample
    pairs: Sequence[tuple[str, str]]

    @property
    def places(self) -> Indices:
        """Return the first and the second of each pair: (2, P)."""
        known = {name: place for place, name in enumerate(self.sample.names)}
        return np.array([[known[name] for name in pair] for pair in self.pairs]).T

    @property
    def differences(self) -> Floats:
        """Return the mean differences: (P,)."""
        first, second = self.places
        means = self.sample.seed_means.mean(1)
        largest = np.maximum(self.sample.largest[first], self.sample.largest[second])
        return without_rounding(means[first] - means[second], largest)


def _samples(
    values: Mapping[str, ArrayLike], pairs: Sequence[tuple[str, str]], clusters: ArrayLike
) -> Samples:
    """Set side by side what has so many seeds, and the single runs that it is compared with."""
    sizes = _sizes(values)
    names = {size: [name for name in values if sizes[name] == size] for size in sizes.values()}
    for pair in pairs:
        members = names[max(sizes[name] for name in pair)]
        members += [name for name in pair if name not in members]
    return {
        size: group({name: values[name] for name in members}, clusters)
        for size, members in names.items()
    }


def _sizes(values: Mapping[str, ArrayLike]) -> dict[str, int]:
    """Return the number of seeds of each method."""
    return {name: len(np.atleast_2d(np.asarray(table))) for name, table in values.items()}


def _describe_methods(
    samples: Samples, spread: Spread | None
) -> dict[str, tuple[float, tuple[float, float], int]]:
    """Return the mean of each method, its 95 % interval, and its number of runs."""
    found: dict[str, tuple[float, tuple[float, float], int]] = {}
    for size in sorted(samples):  # single runs first, so that what was repeated gives way
        sample = samples[size]
        reach = reach_of_one(errors_of_means(sample, spread))
        for place, name in enumerate(sample.names):
            mean, half = float(sample.seed_means[place].mean()), float(reach[place])
            interval = max(mean - half, sample.ends[0]), min(mean + half, sample.ends[1])
            found.setdefault(name, (mean, interval, sample.runs[place]))
    return found


def _compare(
    samples: Samples,
    pairs: Sequence[tuple[str, str]],
    spread: Spread | None,
    draws: int,
    seed: int,
) -> dict[tuple[str, str], Comparison]:
    blocks = _blocks(samples, pairs)
    starts = np.cumsum([0, *(len(block.sample.names) for block in blocks[:-1])])
    places = [block.places + start for block, start in zip(blocks, starts, strict=True)]
    differences = np.concatenate([block.differences for block in blocks])
    found = join([errors_of_differences(one.sample, one.places, spread) for one in blocks])
    together = covariance([block.sample for block in blocks], spread)
    judged = judge(differences, found, together, np.concatenate(places, axis=1), draws, seed)
    figures = np.stack([
        differences, found.errors, found.degrees, judged.p_values, judged.adjusted, judged.reach
    ], axis=1).tolist()  # (P, 6)  # fmt: skip
    ordered = [(block.sample, pair) for block in blocks for pair in block.pairs]
    described = {
        pair: _describe(sample, pair, of_pair)
        for (sample, pair), of_pair in zip(ordered, figures, strict=True)
    }
    return {pair: described[pair] for pair in pairs}


def _blocks(samples: Samples, pairs: Sequence[tuple[str, str]]) -> list[_Block]:
    """Put each pair where both of its methods are."""
    blocks: dict[int, list[tuple[str, str]]] = {}
    for pair in pairs:
        homes = [size for size, sample in samples.items() if set(pair) <= set(sample.names)]
        blocks.setdefault(min(homes), []).append(pair)
    return [_Block(samples[size], of_size) for size, of_size in blocks.items()]


def _describe(sample: Sample, pair: tuple[str, str], figures: Sequence[float]) -> Comparison:
    difference, error, degrees, p_value, adjusted, reach = figures
    first, second = map(sample.names.index, pair)
    by_query = sample.difference(first, second)
    by_seed = sample.seed_means[first] - sample.seed_means[second]
    furthest = sample.ends[1]  # where values are percent
    wins, losses = int((by_query > 0).sum()), int((by_query < 0).sum())
    return Comparison(
        difference=difference,
        error=error,
        degrees=degrees,
        p_value=p_value,
        adjusted=adjusted,
        low=max(difference - reach, -furthest),
        high=min(difference + reach, furthest),
        wins=wins,
        ties=len(by_query) - wins - losses,
        losses=losses,
        seed_low=float(by_seed.min()),
        seed_high=float(by_seed.max()),
        seed_spread=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        seeds=len(by_seed),
        runs=(sample.runs[first], sample.runs[second]),
        queries=len(by_query),
        clusters=len(sample.sizes),
    )
