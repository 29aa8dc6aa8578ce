"""The tests that papers know: McNemar on hits, paired t and Wilcoxon on means by person.

Shapes: S seeds, Q queries, C clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.significance.sample import Floats, group

LEAST_DISCORDANT = 25  # queries; the approximation is poor below


@dataclass(frozen=True)
class McNemar:
    """McNemar's test, two-sided."""

    a_only: int  # queries that only a hits
    b_only: int
    p_value: float
    exact: bool  # by the binomial distribution, else by chi-square with continuity correction


def mcnemar(a_hits: ArrayLike, b_hits: ArrayLike) -> McNemar:
    """Test whether two methods hit equally often, on the queries (Q,) that only one of them hits.

    A hit is any one number but 0: True, 1 or 100. The test is exact for fewer than 25 such queries
    (McNemar 1947, corrected as by Edwards 1948). It takes queries for independent, which those of
    one person are not: it finds more differences than there are.

    Raises ValueError for shapes that differ, no query, and values that are not hits.
    """
    a, b = _hits(a_hits, b_hits)
    a_only, b_only = int((a & ~b).sum()), int((b & ~a).sum())
    discordant = a_only + b_only
    exact = discordant < LEAST_DISCORDANT
    p_value = _binomial(a_only, b_only) if exact else _chi_square(a_only, b_only)
    return McNemar(a_only, b_only, p_value, exact)


def paired_t(a: ArrayLike, b: ArrayLike, clusters: ArrayLike) -> float:
    """Return the two-sided p-value of a paired t-test on the mean differences by person.

    Takes values (S, Q) or (Q,) and the person of each query (Q,); raises as `compare` does. Every
    person counts the same, however many queries there are.
    """
    differences = _mean_differences(a, b, clusters)
    if np.ptp(differences) == 0:  # no variance to divide by
        return float(differences[0] == 0)
    from scipy import stats

    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def wilcoxon(a: ArrayLike, b: ArrayLike, clusters: ArrayLike) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test on mean differences by person.

    Takes and raises what `paired_t` does. People without a difference are left out.
    """
    differences = _mean_differences(a, b, clusters)
    if not differences.any():
        return 1.0
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue)


def _mean_differences(a: ArrayLike, b: ArrayLike, clusters: ArrayLike) -> Floats:
    sample = group({"a": a, "b": b}, clusters)
    means: Floats = sample.sum_clusters(sample.difference(0, 1)) / sample.sizes
    return np.round(means, 9)  # equal differences must get equal ranks


def _hits(a_hits: ArrayLike, b_hits: ArrayLike) -> NDArray[np.bool_]:
    a, b = np.asarray(a_hits), np.asarray(b_hits)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"hits must be (queries,) and of one length; got {a.shape} and {b.shape}")
    both = np.stack([a, b])
    if len(np.setdiff1d(both, [0])) > 1:
        raise ValueError("hits must be 0 or one other number: McNemar takes a single Rank-k run")
    hits: NDArray[np.bool_] = both != 0
    return hits


def _binomial(a_only: int, b_only: int) -> float:
    """Return how likely a split of fair coins is that is at least as uneven."""
    discordant = a_only + b_only
    tail = sum(math.comb(discordant, k) for k in range(min(a_only, b_only) + 1))
    return min(1.0, math.ldexp(tail, 1 - discordant))


def _chi_square(a_only: int, b_only: int) -> float:
    distance = max(0, abs(a_only - b_only) - 1)
    return math.erfc(distance / math.sqrt(2 * (a_only + b_only)))  # one degree of freedom
