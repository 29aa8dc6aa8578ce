"""Compare two methods, or all pairs of a family, query by query and clustered by person.

Queries of one person are not independent: tests that take them for it find differences where there
are none. So the person is the unit of every test and interval.

Shapes: B resamples, K methods, S seeds, Q queries, C clusters, P pairs of methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from harness.significance.bootstrap import find_interval, resample_means
from harness.significance.flips import flip_pairs, flip_signs
from harness.significance.ranking import Standing, rank_groups
from harness.significance.sample import Floats, Sample, group, without_rounding

FLIPS = 10_000
RESAMPLES = 10_000
LARGEST_SPREAD = 0.7  # points between seeds, up to which three of them give 95 % intervals


@dataclass(frozen=True)
class Comparison:
    """How method a differs from method b, in percent points; positive where a is higher.

    The p-value is about the runs at hand, averaged over their seeds. The interval of three or more
    seeds is about other seeds too, so it may hold zero where the p-value is small.
    """

    difference: float  # mean over seeds and queries of a - b
    p_value: float  # two-sided
    adjusted: float  # p-value for all pairs of the family at once; of one pair, `p_value`
    low: float  # 95 % interval of the difference
    high: float
    wins: int  # queries where a is higher, on means over seeds
    ties: int
    losses: int
    seed_low: float  # least difference of one seed
    seed_high: float
    seed_spread: float | None  # standard deviation between seeds; None of one seed
    seeds: int
    queries: int
    clusters: int

    @property
    def needs_more_seeds(self) -> bool:
        """Whether seeds spread so far that the interval is too short.

        Simulated with 1,000 people and three seeds, it holds the truth in 94-98 % of cases where
        seeds spread by up to 0.7 points, in 87-90 % at 1.5.
        """
        return self.seed_spread is not None and self.seed_spread > LARGEST_SPREAD

    def mirrored(self) -> Comparison:
        """Return how b differs from a."""
        return replace(
            self,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            wins=self.losses,
            losses=self.wins,
            seed_low=-self.seed_high,
            seed_high=-self.seed_low,
        )


@dataclass(frozen=True)
class Family:
    """All pairs of some methods. A pair is keyed in the order the methods were given in."""

    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]  # 95 % interval of each mean
    comparisons: Mapping[tuple[str, str], Comparison]

    def between(self, a: str, b: str) -> Comparison:
        """Return how a differs from b, whichever was given first."""
        if (a, b) in self.comparisons:
            return self.comparisons[a, b]
        return self.comparisons[b, a].mirrored()

    def standings(self, level: float = 0.05) -> tuple[Standing, ...]:
        """Return the methods from best to worst, with ranks that are shared where they must be."""
        adjusted = {pair: one.adjusted for pair, one in self.comparisons.items()}
        return rank_groups(self.means, adjusted, level)


def compare(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike,
    flips: int = FLIPS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare the per-query values of two methods, (S, Q) or (Q,), whose seeds are paired.

    Values are percent: 0 or 100 for a hit, 0 to 100 for average precision. Takes the person of each
    query as clusters (Q,). The p-value is of random sign flips of whole people, (b + 1) / (B + 1),
    so `flips` bounds it from below; the interval is a bootstrap of people and, from three seeds on,
    of seeds too. The same seed gives the same figures.

    Raises ValueError for shapes that differ, values that are not finite, clusters of another
    length, no query, and fewer than two people.
    """
    return compare_all({"a": a, "b": b}, clusters, flips, seed, resamples).comparisons["a", "b"]


def compare_all(
    values: Mapping[str, ArrayLike],
    clusters: ArrayLike,
    flips: int = FLIPS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Family:
    """Compare all pairs of two or more methods, on the same flips and the same resamples.

    Takes the values by method, (S, Q) or (Q,); the rest, and what is raised, is as in `compare`.
    """
    if len(values) < 2:
        raise ValueError(f"a comparison needs two methods or more; got {len(values)}")
    return compare_pairs(values, list(combinations(values, 2)), clusters, flips, seed, resamples)


def compare_pairs(
    values: Mapping[str, ArrayLike],
    pairs: Sequence[tuple[str, str]],
    clusters: ArrayLike,
    flips: int = FLIPS,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Family:
    """Compare some pairs of many methods, at the cost of those pairs; of no pair, only the means.

    `adjusted` is for the pairs that are given. The rest is as in `compare_all`; raises KeyError for
    a method that has no values.
    """
    sample = group(values, clusters)
    places = {name: place for place, name in enumerate(sample.names)}
    indices = [(places[a], places[b]) for a, b in pairs]
    means = resample_means(sample.sum_clusters(sample.values), sample.sizes, resamples, seed)
    draws = np.ascontiguousarray(means.T)  # (K, B): a pair reads two rows, not two columns
    tests = _test(sample, indices, flips, seed)
    comparisons = {
        pair: _describe(sample, index, draws, *p_values)
        for pair, index, p_values in zip(pairs, indices, tests, strict=True)
    }
    by_name = zip(sample.names, draws, strict=True)
    return Family(
        means=dict(zip(sample.names, sample.values.mean((1, 2)).tolist(), strict=True)),
        intervals={name: find_interval(row) for name, row in by_name},
        comparisons=comparisons,
    )


def _test(
    sample: Sample, pairs: Sequence[tuple[int, int]], flips: int, seed: int
) -> list[tuple[float, float]]:
    """Return the p-value of each pair, and the one that is adjusted for all of them."""
    if not pairs:
        return []
    sums = np.stack([sample.sum_clusters(sample.difference(*pair)) for pair in pairs])  # (P, C)
    if len(pairs) <= len(sample.names):
        return list(zip(*flip_signs(sums, flips, seed), strict=True))
    of_methods = sample.sum_clusters(sample.means)  # (K, C)
    return list(zip(*flip_pairs(sums, of_methods, pairs, flips, seed), strict=True))


def _describe(
    sample: Sample, pair: tuple[int, int], draws: Floats, p_value: float, adjusted: float
) -> Comparison:
    first, second = pair
    by_query = sample.difference(first, second)
    by_seed = sample.seed_means[first] - sample.seed_means[second]
    largest = float(max(sample.largest[first], sample.largest[second]))
    low, high = find_interval(without_rounding(draws[first] - draws[second], largest))
    return Comparison(
        difference=float(by_query.mean()),
        p_value=float(p_value),
        adjusted=float(adjusted),
        low=low,
        high=high,
        wins=int((by_query > 0).sum()),
        ties=int((by_query == 0).sum()),
        losses=int((by_query < 0).sum()),
        seed_low=float(by_seed.min()),
        seed_high=float(by_seed.max()),
        seed_spread=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        seeds=len(by_seed),
        queries=len(by_query),
        clusters=len(sample.sizes),
    )
