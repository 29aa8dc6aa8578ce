"""Bootstrap of people and seeds: the means of all methods on one set of resamples.

Shapes: B resamples, b those of one chunk, K methods, S seeds, C clusters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.significance.sample import Floats, random_stream, split

LEAST_SEEDS = 3  # that are resampled: of two, half of all resamples would hold one of them twice
TAILS = (0.025, 0.975)  # of a 95 % interval


def resample_means(sums: Floats, sizes: Floats, resamples: int, seed: int) -> Floats:
    """Return the mean of each method in each resample: (B, K).

    Takes sums by cluster (K, S, C) and the queries of each cluster (C,). Clusters are drawn with
    replacement; a mean is the sum of their values over the number of their queries, since clusters
    differ in size. Three or more seeds are drawn with replacement too, independently of the
    clusters and the same for all methods: runs of one seed are paired.
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1; got {resamples}")
    methods, seeds, clusters = sums.shape
    columns = sums.reshape(methods * seeds, clusters).T
    shares = _draw_seeds(seeds, resamples, seed)
    means, done = np.empty((resamples, methods)), 0
    for counts in _draw_clusters(sums.shape, resamples, seed):
        rows = slice(done, done := done + len(counts))
        by_seed = (counts @ columns / (counts @ sizes)[:, None]).reshape(-1, methods, seeds)
        means[rows] = np.matmul(by_seed, shares[rows, :, None])[..., 0]  # (b, K)
    return means


def find_interval(draws: Floats) -> tuple[float, float]:
    """Return the 95 % interval of resampled figures (B,), as percentiles."""
    ordered = np.sort(draws)  # with it, a third of the time of np.quantile
    places = np.asarray(TAILS) * (len(ordered) - 1)
    low, high = np.interp(places, np.arange(len(ordered)), ordered)
    return float(low), float(high)


def _draw_seeds(seeds: int, resamples: int, seed: int) -> Floats:
    """Return the share of each seed in each resample: (B, S), rows sum to 1."""
    if seeds < LEAST_SEEDS:
        return np.full((resamples, seeds), 1 / seeds)
    generator = np.random.default_rng(random_stream(seed, "seeds"))
    return _count(generator.integers(seeds, size=(resamples, seeds)), seeds) / seeds


def _draw_clusters(shape: tuple[int, ...], resamples: int, seed: int) -> Iterator[Floats]:
    """Yield chunks (b, C) for sums of a shape (K, S, C): how often each cluster is drawn."""
    methods, seeds, clusters = shape
    generator = np.random.default_rng(random_stream(seed, "clusters"))
    for rows in split(resamples, clusters, methods * seeds):
        yield _count(generator.integers(clusters, size=(rows, clusters)), clusters)


def _count(drawn: NDArray[np.int64], kinds: int) -> Floats:
    """Count each of `kinds` numbers in each row of drawn ones (b, n): (b, kinds)."""
    rows = len(drawn)
    drawn += kinds * np.arange(rows)[:, None]  # a range of cells of its own for every row
    counts = np.bincount(drawn.ravel(), minlength=rows * kinds)
    return counts.reshape(rows, kinds).astype(np.float64)
