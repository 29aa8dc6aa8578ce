"""Sign-flip tests of many pairs on one sign matrix.

Without a difference between two methods, the difference that a person's queries show is as likely
to be its negative. So the signs of whole people are flipped at random, and the p-value says how
often the flipped mean is at least as far from zero as the observed one.

Shapes: P pairs of methods, C clusters, f the flips of one chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    if flips < 1:
        raise ValueError(f"flips must be at least 1; got {flips}")
    standard = _standardize(differences)
    total = standard.sum(1)
    bar = np.abs(total) - ROUNDING  # of a unit that is one standard error for every pair
    reached = np.zeros(len(total), np.int64)
    largest = []
    for kept in _draw_signs(differences.shape, flips, seed):
        flipped = np.abs(2 * (kept @ standard.T) - total)  # (f, P)
        reached += (flipped >= bar).sum(0)
        largest.append(flipped.max(1))
    exceeded = flips - np.searchsorted(np.sort(np.concatenate(largest)), bar)
    return FlipTest((reached + 1) / (flips + 1), (exceeded + 1) / (flips + 1))


def _standardize(differences: Floats) -> Floats:
    errors = np.sqrt(np.square(differences).sum(1, keepdims=True))
    return differences / np.where(errors > 0, errors, 1.0)


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
