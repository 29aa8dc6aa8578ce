"""Kendall's tau between an order that was claimed and the one that was measured.

A claim says of two methods which is the better one. Of some pairs nobody claims an order: those are
left out, of what is counted and of what it is divided by. With P claims

    tau = (claims that the measured means bear out - claims that they contradict) / P

which is Kendall's tau ("A new measure of rank correlation", Biometrika 30, 1938) where every pair
is claimed, and Somers' d of the measured order given the claimed one ("A new asymmetric measure of
association for ordinal variables", American Sociological Review 27, 1962) where claims tie in
groups. Unlike tau-b it is 1 where all claims hold, however many pairs are not claimed. Measured
means that are equal bear out no claim and contradict none.

Other people and other seeds would have given other means. So the means are drawn as they vary
together (`harness.significance.standard_errors.covariance`), around those that were measured, and
the interval holds the middle 95 % of the taus of the draws.

Shapes: K methods, P claims, S seeds, Q queries, B draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.significance.sample import Floats, group, without_rounding
from harness.significance.simultaneous import DRAWS, LEVEL
from harness.significance.spread import Spread, measure_spread
from harness.significance.standard_errors import Indices, covariance

LEAST_METHODS = 3  # of two there is one pair, whose tau is 1 or -1: its own comparison says more


@dataclass(frozen=True)
class Order:
    """What was measured on one board of the methods that something is claimed of."""

    claims: Indices  # (2, P): who is claimed to be better, and than whom
    differences: Floats  # (P,) of their means, the first less the second
    covariance: Floats  # (K, K) how the means vary together, over people and seeds

    def count(self) -> int:
        """Return how many more claims are borne out than contradicted."""
        return int(np.sign(self.differences).sum())

    def draw_counts(self, draws: int, generator: np.random.Generator) -> Floats:
        """Return the same for means that are drawn around those that were measured: (B,)."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))  # (K, K)
        errors = generator.standard_normal((draws, len(root))) @ root.T  # (B, K)
        drawn = self.differences + errors[:, self.claims[0]] - errors[:, self.claims[1]]  # (B, P)
        counts: Floats = np.sign(drawn).sum(1)
        return counts


@dataclass(frozen=True)
class Concordance:
    """How far a measured order is the claimed one: 1 where it is, -1 where it is the reverse."""

    tau: float | None  # None where nothing is claimed
    interval: tuple[float, float] | None  # of 95 %; None of fewer than three methods


def measure_order(
    values: Mapping[str, ArrayLike],
    claims: Sequence[tuple[str, str]],
    clusters: ArrayLike,
    spread: Spread | None = None,
) -> Order:
    """Measure methods of whom something is claimed: of each pair, that the first is the better one.

    Takes the per-query values by method, (S, Q) or (Q,), the person of each query (Q,), and how far
    seeds spread on the board, as `harness.significance.compare_all` does. Raises as it does;
    KeyError for a claim about a method that has no values.
    """
    sample = group(values, clusters)
    places = {name: place for place, name in enumerate(sample.names)}
    pairs = [[places[name] for name in pair] for pair in claims]
    first, second = np.array(pairs, np.intp).reshape(-1, 2).T  # (P,) each
    means = sample.seed_means.mean(1)  # (K,)
    largest = np.maximum(sample.largest[first], sample.largest[second])
    return Order(
        claims=np.stack([first, second]),
        differences=without_rounding(means[first] - means[second], largest),
        covariance=covariance([sample], spread or measure_spread(sample.seed_means)),
    )


def concordance_of(orders: Sequence[Order], draws: int = DRAWS, seed: int = 0) -> Concordance:
    """Return tau of the claims about one board, or about several at once, with its interval.

    The same seed gives the same interval.
    """
    claimed = [order for order in orders if order.claims.size]
    total = sum(order.claims.shape[1] for order in claimed)
    if not total:
        return Concordance(None, None)
    tau = sum(order.count() for order in claimed) / total
    if any(len(order.covariance) < LEAST_METHODS for order in claimed):
        return Concordance(tau, None)
    generator = np.random.default_rng(np.random.SeedSequence([seed, *b"concordance"]))
    counts = np.sum([order.draw_counts(draws, generator) for order in claimed], axis=0)  # (B,)
    low = np.quantile(counts, LEVEL / 2, method="lower")
    high = np.quantile(counts, 1 - LEVEL / 2, method="higher")
    return Concordance(tau, (float(low) / total, float(high) / total))
