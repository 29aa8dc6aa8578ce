"""Many differences at once: what p-values and intervals become for a whole family of pairs.

Among many pairs some look different by chance. So the largest of them is judged by how large the
largest of so many would be if no method were better than another. Each difference in standard
errors is read as the normal score of its p-value, whatever its degrees of freedom; scores of pairs
that share a method or answer for the same people move together as the means of the methods do,
from which they are drawn (single-step MaxT: Westfall and Young, "Resampling-based multiple
testing", Wiley, 1993; by the correlation of estimates: Hothorn, Bretz and Westfall, "Simultaneous
inference in general parametric models", Biometrical Journal 50, 2008).

One threshold decides for all: a corrected p-value is below the level exactly where the interval,
as long as the threshold says, does not hold zero.

Shapes: K methods, P pairs, B draws, b those of one chunk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.significance.sample import CELLS, Floats
from harness.significance.standard_errors import Indices, StandardErrors

DRAWS = 10_000
LEAST_DRAWS = 20  # of fewer, no corrected p-value is below the level
LEVEL = 0.05  # a difference is real where its corrected p-value is below


@dataclass(frozen=True)
class Judged:
    """p-values (P,) alone and corrected, and how far intervals reach from the differences (P,)."""

    p_values: Floats
    adjusted: Floats
    reach: Floats


def judge(
    differences: Floats,
    found: StandardErrors,
    covariance: Floats,
    pairs: Indices,
    draws: int,
    seed: int,
) -> Judged:
    """Judge differences (P,) of pairs (2, P) by their errors and how methods vary together (K, K).

    Of one pair, the corrected p-value is its own, and nothing is drawn. Otherwise it is
    (b + 1) / (B + 1) for b of B draws whose largest score reaches that of the pair.

    Raises ValueError for fewer than 20 draws.
    """
    if draws < LEAST_DRAWS:
        raise ValueError(f"draws must be at least {LEAST_DRAWS}; got {draws}")
    from scipy import special

    p_values = _p_values(differences, found)
    scores = -special.ndtri(p_values / 2)  # (P,); infinite where nothing is left open
    own = -special.ndtri(LEVEL / 2)
    if len(differences) < 2:
        adjusted, threshold = p_values, own
    else:
        largest = _draw_largest(covariance, pairs, draws, seed)  # (B,) ascending
        reached = draws - np.searchsorted(largest, scores, side="left")
        adjusted = np.maximum((reached + 1) / (draws + 1), p_values)
        threshold = max(own, _threshold(largest))
    quantiles = -special.stdtrit(found.degrees, special.ndtr(-threshold))
    return Judged(p_values, adjusted, quantiles * found.errors)


def reach_of_one(found: StandardErrors) -> Floats:
    """Return how far the 95 % intervals of single figures reach (P,), corrected for nothing."""
    from scipy import special

    reach: Floats = -special.stdtrit(found.degrees, LEVEL / 2) * found.errors
    return reach


def _p_values(differences: Floats, found: StandardErrors) -> Floats:
    """Return two-sided p-values by Student's t: 1 for no difference, 0 for one without doubt."""
    from scipy import special

    sizes = np.abs(differences)
    certain = np.where(sizes > 0, np.inf, 0.0)
    ratios = np.divide(sizes, found.errors, out=certain, where=found.errors > 0)
    p_values: Floats = np.where(
        np.isinf(ratios), 0.0, 2 * special.stdtr(found.degrees, -np.minimum(ratios, 1e9))
    )
    return np.minimum(p_values, 1.0)


def _threshold(largest: Floats) -> float:
    """Return the score that must be passed for a corrected p-value below the level."""
    allowed = math.ceil(LEVEL * (len(largest) + 1)) - 1  # draws that may reach it, itself counted
    return float(largest[-allowed])


def _draw_largest(covariance: Floats, pairs: Indices, draws: int, seed: int) -> Floats:
    """Draw the largest score of any pair where no method is better: (B,), ascending."""
    first, second = pairs
    variances = covariance.diagonal()
    squared = variances[first] + variances[second] - 2 * covariance[first, second]
    known = squared > 1e-12 * max(float(variances.max()), 1e-300)  # not the same method twice
    first, second, errors = first[known], second[known], np.sqrt(squared[known])
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # (K, K)
    generator = np.random.default_rng(np.random.SeedSequence([seed, *b"family"]))
    largest = np.zeros(draws)
    size = max(1, CELLS // max(1, len(first)))
    for at in range(0, draws, size):
        means = generator.standard_normal((min(size, draws - at), len(root))) @ root.T  # (b, K)
        if len(first):
            largest[at : at + size] = (np.abs(means[:, first] - means[:, second]) / errors).max(1)
    return np.sort(largest)
