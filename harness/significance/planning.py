"""How small a difference an experiment can see, and how large one must be to see a given one.

The mean difference of two methods varies with the people in the test set and with the seeds of the
runs. With variances V of one person, one seed and one person under one seed, S seeds and C people:

    error^2 = V_seed / S + V_identity / C + V_both / (S C)

Seen with a power of 80 % at a level of 5 % is what is (1.96 + 0.84) errors from zero, in the normal
approximation (Bloom, "Minimum detectable effects", Evaluation Review 19, 1995). The variances are
those of a two-way random-effects analysis of variance without replication (Searle, Casella and
McCulloch, "Variance Components", 1992, chapter 4).

Shapes: S seeds, Q queries, C clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from harness.significance.sample import Floats, group
from harness.significance.spread import Spread, moderate

POWER = 0.8
LEVEL = 0.05


@dataclass(frozen=True)
class VarianceComponents:
    """Where the variance of a mean difference comes from, in squared units of the values."""

    identity: float  # of one person, averaged over that person's queries
    seed: float  # of one seed; 0 where one was run
    both: float  # of one person under one seed, beyond the two; in `identity` where one was run
    seeds: int  # that were run
    clusters: int  # people that were tested


def variance_components(
    a: ArrayLike, b: ArrayLike, clusters: ArrayLike, spread: Spread | None = None
) -> VarianceComponents:
    """Estimate from the values of two methods, (S, Q) or (Q,), and the person of each query (Q,).

    Where the spread of the board is given, that of the two is moderated by it, as in `compare`.
    Raises as `compare` does. People may differ in their queries: what a person adds to the mean is
    measured as it is for a ratio of two sums.
    """
    sample = group({"a": a, "b": b}, clusters)
    differences = sample.values[0] - sample.values[1]
    sums = sample.sum_clusters(differences)
    parts = (sums - differences.mean() * sample.sizes) / sample.sizes.mean()  # (S, C)
    seeds, people = parts.shape
    mean_square = people * _between_seeds(parts.mean(1), spread, int(sample.is_seeded.sum()))
    identity_square = seeds * float(parts.mean(0).var(ddof=1))
    rest = parts - parts.mean(0) - parts.mean(1, keepdims=True) + parts.mean()
    both = float(np.square(rest).sum()) / max(1, (seeds - 1) * (people - 1))
    return VarianceComponents(
        identity=max(0.0, identity_square - both) / seeds,
        seed=max(0.0, mean_square - both) / people,
        both=both,
        seeds=seeds,
        clusters=people,
    )


def detectable_difference(
    components: VarianceComponents,
    clusters: int | None = None,
    seeds: int | None = None,
    power: float = POWER,
    level: float = LEVEL,
) -> float:
    """Return the least true difference that is found with a given power.

    Counts of people and seeds are those that were run, unless given. Raises ValueError for more
    than one seed where one was run, which says nothing about others.
    """
    people, runs = clusters or components.clusters, seeds or components.seeds
    if components.seeds == 1 and runs > 1:
        raise _one_seed()
    own = components.seed / runs + components.both / (runs * people)
    return _multiple(power, level) * math.sqrt(components.identity / people + own)


def identities_needed(
    components: VarianceComponents,
    difference: float,
    seeds: int | None = None,
    power: float = POWER,
    level: float = LEVEL,
) -> int | None:
    """Return how many people show a difference; None where only more seeds could.

    The seeds are those that were run, unless given. Raises ValueError as `detectable_difference`
    does, and for a difference that is not positive.
    """
    runs = seeds or components.seeds
    if components.seeds == 1 and runs > 1:
        raise _one_seed()
    left = _largest_variance(difference, power, level) - components.seed / runs
    return _ceiling(components.identity + components.both / runs, left, least=2)


def seeds_needed(
    components: VarianceComponents,
    difference: float,
    clusters: int | None = None,
    power: float = POWER,
    level: float = LEVEL,
) -> int | None:
    """Return how many seeds show a difference; None where only more people could.

    The people are as many as were tested, unless given. Raises ValueError where one seed was run,
    and for a difference that is not positive.
    """
    if components.seeds == 1:
        raise _one_seed()
    people = clusters or components.clusters
    left = _largest_variance(difference, power, level) - components.identity / people
    return _ceiling(components.seed + components.both / people, left, least=1)


def _between_seeds(by_seed: Floats, spread: Spread | None, seeded: int) -> float:
    """Return the variance of a difference between its seeds (S,), of so many methods with any."""
    seeds = len(by_seed)
    if seeds < 2:
        return 0.0
    found = by_seed.var(ddof=1, keepdims=True)  # (1,)
    if spread is not None:
        expected, degrees = spread.expect(np.array([seeded]))
        found = moderate(found, expected, seeds, degrees).variances
    return float(found[0])


def _multiple(power: float, level: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)


def _largest_variance(difference: float, power: float, level: float) -> float:
    if not difference > 0:
        raise ValueError(f"the difference to be seen must be positive; got {difference}")
    return (difference / _multiple(power, level)) ** 2


def _ceiling(variance: float, largest: float, least: int) -> int | None:
    """Return how many draws of a variance bring that of their mean down to the largest allowed."""
    return max(least, math.ceil(variance / largest)) if largest > 0 else None


def _one_seed() -> ValueError:
    return ValueError("one seed says nothing about the spread between seeds: run at least two")
