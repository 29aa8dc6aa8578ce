"""Sign-flip tests of many pairs on one sign matrix.

Without a difference between two methods, the difference that a person's queries show is as likely
to be its negative. So the signs of whole people are flipped at random, and the p-value says how
often the flipped mean is at least as far from zero as the observed one.

Shapes: K methods, P pairs of them, C clusters, f the flips of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.significance.sample import ROUNDING, Floats, random_stream, split


class FlipTest(NamedTuple):
    """Two-sided p-values by pair."""

    p_values: Floats  # (P,)
    adjusted: Floats  # (P,) for all pairs at once, by MaxT


def flip_signs(differences: Floats, flips: int, seed: int) -> FlipTest:
    """Test sums of differences by cluster (P, C) against random signs: p = (b + 1) / (B + 1).

    A pair is measured in standard errors of its own, the root of its sum of squares over clusters.
    That leaves its p-value as it is, since no flip changes a square. It decides what MaxT (single
    step; Westfall and Young 1993) calls the largest: unscaled, the pair of the least similar
    methods would set the bar for all.
    """
    return _flip(differences, lambda kept: differences @ kept.T, flips, seed)


def flip_pairs(
    differences: Floats, sums: Floats, pairs: Sequence[tuple[int, int]], flips: int, seed: int
) -> FlipTest:
    """Test as `flip_signs` does, where the differences are those of pairs of a few methods.

    Takes the sums by cluster of each method (K, C) too: a flipped difference is the difference of
    flipped sums, so K products are enough for K (K - 1) / 2 pairs.
    """
    first, second = np.asarray(pairs).T

    def multiply(kept: Floats) -> Floats:
        by_method = sums @ kept.T  # (K, f)
        flipped: Floats = by_method[first]
        flipped -= by_method[second]
        return flipped  # (P, f)

    return _flip(differences, multiply, flips, seed)


def _flip(
    differences: Floats, multiply: Callable[[Floats], Floats], flips: int, seed: int
) -> FlipTest:
    """Test differences (P, C); `multiply` sums what signs (f, C) keep of them: (P, f)."""
    if flips < 1:
        raise ValueError(f"flips must be at least 1; got {flips}")
    errors = _standard_errors(differences)
    total = differences.sum(1) / errors
    bar = np.abs(total) - ROUNDING  # of a unit that is one standard error for every pair
    reached = np.zeros(len(total), np.int64)
    largest = []
    for kept in _draw_signs(differences.shape, flips, seed):
        flipped = multiply(kept)
        flipped *= (2 / errors)[:, None]
        flipped -= total[:, None]
        np.abs(flipped, out=flipped)
        reached += np.count_nonzero(flipped >= bar[:, None], axis=1)
        largest.append(flipped.max(0))
    exceeded = flips - np.searchsorted(np.sort(np.concatenate(largest)), bar)
    return FlipTest((reached + 1) / (flips + 1), (exceeded + 1) / (flips + 1))


def _standard_errors(differences: Floats) -> Floats:
    errors = np.sqrt(np.square(differences).sum(1))  # (P,)
    return np.where(errors > 0, errors, 1.0)


def _draw_signs(shape: tuple[int, ...], flips: int, seed: int) -> Iterator[Floats]:
    """Yield chunks (f, C) for P pairs of C clusters: 1 where a sign stays, 0 where it is flipped.

    Every flip takes whole words of the generator, so that chunks of any size draw the same signs.
    """
    pairs, clusters = shape
    bits = np.random.PCG64(random_stream(seed, "flips"))
    words = -(-clusters // 64)
    for rows in split(flips, clusters, pairs):
        raw = bits.random_raw(rows * words).astype("<u8", copy=False).reshape(rows, words)
        yield np.unpackbits(raw.view(np.uint8), axis=1, count=clusters).astype(np.float64)
