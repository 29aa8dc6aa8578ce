"""How far a mean, or the difference of two, may lie from that of other people and other seeds.

With C people and S seeds, the squared error of a difference of two methods is

    error^2 = identity / C + seed / S + both / (S C)

for the variances of a person, of a seed and of a person under a seed. `harness.significance.
planning` asks for them one by one; here the sum is enough, and is had from two figures:

    people  the variance of the mean over people, of values averaged over seeds, as for clusters
            that differ in size: it estimates identity / C + both / (S C)
    seeds   the variance of one seed's mean between seeds, moderated by the board
            (`harness.significance.spread`): it estimates seed + both / C

so that error^2 = people + (seeds - both / C) / S, where `both` is had from how people differ
between seeds. (Two-way clustering: Cameron, Gelbach and Miller, "Robust inference with multiway
clustering", Journal of Business & Economic Statistics 29, 2011.)

The degrees of freedom are Satterthwaite's ("An approximate distribution of estimates of variance
components", Biometrics Bulletin 2, 1946). Those of the people are as many as carry the difference:
where all but a few people answer alike, those few, so that p is about as careful as a sign test of
them.

Shapes: K methods, S seeds, C clusters, P pairs of methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.significance.sample import CELLS, Floats, Sample, without_rounding
from harness.significance.spread import Spread, moderate

Indices = NDArray[np.intp]
# Of five people no sign test is significant at 5 %, and neither is t with five degrees of freedom,
# whose largest value for five equal people is the root of five. Fewer degrees of freedom would give
# intervals of many points where two methods differ in a single query.
LEAST_CARRYING = 5


@dataclass(frozen=True)
class StandardErrors:
    """Standard errors (P,) with their degrees of freedom (P,); an error of 0 leaves no doubt."""

    errors: Floats
    degrees: Floats


def errors_of_means(sample: Sample, spread: Spread | None) -> StandardErrors:
    """Return the standard error of each method's own mean: (K,)."""
    board = _expect(sample.is_seeded.astype(np.intp), spread)
    return _floor(_errors(sample.influences, sample.seed_means, *board), sample)


def errors_of_differences(sample: Sample, pairs: Indices, spread: Spread | None) -> StandardErrors:
    """Return the standard error of each difference of means (P,), first less second (2, P)."""
    first, second = pairs
    influences = sample.influences  # (K, S, C)
    by_seed = sample.seed_means[first] - sample.seed_means[second]  # (P, S)
    seeded = sample.is_seeded[first].astype(np.intp) + sample.is_seeded[second]  # (P,)
    expected, degrees = _expect(seeded, spread)
    size = max(1, CELLS // influences[0].size)
    parts = [slice(at, at + size) for at in range(0, len(first), size)]
    found = [
        _errors(influences[first[p]] - influences[second[p]], by_seed[p], expected[p], degrees[p])
        for p in parts
    ]
    return _floor(join(found), sample)


def join(found: Sequence[StandardErrors]) -> StandardErrors:
    """Return the standard errors of several sets of differences as those of one."""
    return StandardErrors(
        np.concatenate([one.errors for one in found]),
        np.concatenate([one.degrees for one in found]),
    )


def covariance(samples: Sequence[Sample], spread: Spread | None) -> Floats:
    """Return how the means of the methods of all samples vary together: (K, K).

    People answer all methods, so that errors of people are shared; those of seeds are not.
    """
    averaged = np.concatenate([sample.influences.mean(1) for sample in samples])  # (K, C)
    people: Floats = _correction(averaged) * (averaged @ averaged.T)
    return people + np.diag(np.concatenate([_beyond(sample, spread) for sample in samples]))


def _beyond(sample: Sample, spread: Spread | None) -> Floats:
    """Return what seeds add to the variance of means beyond what people under a seed do: (K,)."""
    seeds = sample.seed_means.shape[1]
    if spread is None or seeds == 1:
        return np.zeros(len(sample.names))
    left: Floats = np.maximum(spread.own - _both(sample.influences), 0.0) / seeds
    return left * sample.is_seeded


def _expect(seeded: Indices, spread: Spread | None) -> tuple[Floats, Floats]:
    """Return what the board lets expect of so many methods with randomness, if there is one."""
    return spread.expect(seeded) if spread else (np.zeros(len(seeded)), np.ones(len(seeded)))


def _errors(
    influences: Floats, by_seed: Floats, expected: Floats, degrees: Floats
) -> StandardErrors:
    """Return the errors of means (P,) from their influences (P, S, C) and figures by seed (P, S).

    Takes the variance between seeds that the board lets expect (P,), and its degrees (P,).
    """
    people, carrying = _of_people(influences.mean(1))
    seeds = by_seed.shape[1]
    if seeds == 1 or not expected.any():
        return StandardErrors(np.sqrt(people), carrying)
    moderated = moderate(by_seed.var(axis=1, ddof=1), expected, seeds, degrees)
    of_seeds = moderated.variances / seeds
    squared = np.maximum(people - _both(influences) / seeds, 0.0) + of_seeds
    spent = people**2 / carrying + of_seeds**2 / moderated.degrees
    found = np.divide(squared**2, spent, out=np.ones_like(squared), where=spent > 0)
    # What is taken off must not make the sum less sure than the less sure of the two.
    least = np.minimum(carrying, moderated.degrees)
    return StandardErrors(np.sqrt(squared), np.maximum(found, least))


def _of_people(averaged: Floats) -> tuple[Floats, Floats]:
    """Return the variance of means over people, of influences (P, C), and its degrees: (P,)."""
    squares = np.square(averaged)
    sums, fourths = squares.sum(1), np.square(squares).sum(1)
    carrying = np.divide(sums**2, fourths, out=np.ones_like(sums), where=fourths > 0)
    degrees = np.minimum(averaged.shape[1] - 1, np.maximum(carrying, LEAST_CARRYING))
    return _correction(averaged) * sums, degrees


def _both(influences: Floats) -> Floats:
    """Return both / C, how people (P, S, C) differ between seeds in what they add to a mean."""
    rest = influences - influences.mean(1, keepdims=True)
    squares = np.square(rest).sum((1, 2)) / max(1, influences.shape[1] - 1)
    both: Floats = _correction(influences) * squares
    return both


def _correction(influences: Floats) -> float:
    """Return what makes the sum of squares of C influences an unbiased variance."""
    clusters: int = influences.shape[-1]
    return clusters / (clusters - 1)


def _floor(found: StandardErrors, sample: Sample) -> StandardErrors:
    """Set to zero what is left of rounding."""
    return StandardErrors(without_rounding(found.errors, sample.largest.max()), found.degrees)
