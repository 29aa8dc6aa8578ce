"""Counting ranks in a block of scores, compiled: no sort, no copy of the scores.

The rank of a positive is one plus the gallery rows that score higher, or as high and come earlier.

Shapes: Q queries, G gallery rows, c the queries of one block, P the positives of one query, T the
length of the top lists.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.compilation import compiled

TILE = 2048  # scores that stay in the first-level cache while all positives are counted
TOP_TILE = 64  # scores that are passed over together where none enters the top list

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


class Positives(NamedTuple):
    """The gallery rows that show the person of each query."""

    rows: Integers  # gallery rows, query after query, ascending in each
    offsets: Integers  # (Q + 1,) where each query starts in `rows`


class Tally(NamedTuple):
    """What is counted: one rank for each positive, who hangs on a tie, and the top lists."""

    ranks: Integers  # of `Positives.rows`; ascending in each query once it is counted
    tied: Flags  # (Q,) whether a positive scores the same as a row of somebody else
    top_rows: Integers  # (Q, T)
    top_scores: Floats  # (Q, T)


_compiled = compiled()


@_compiled
def count_block(
    scores: Floats, gallery_size: int, first_query: int, positives: Positives, tally: Tally
) -> int:
    """Fill the tally from scores (c, at least G); return the first query not finite, or -1."""
    for index in range(len(scores)):
        row, query = scores[index, :gallery_size], first_query + index
        if _count_not_finite(row):
            return query
        begin, end = positives.offsets[query], positives.offsets[query + 1]
        own = positives.rows[begin:end]
        equal = _count_ranks(row, own, tally.ranks[begin:end])
        # Each equals itself. Only where more is equal, the positives among it are counted.
        tally.tied[query] = equal > len(own) and equal > _count_equal_pairs(row[own])
        tally.ranks[begin:end].sort()
        if tally.top_rows.shape[1]:
            _find_top(row, tally.top_rows[query], tally.top_scores[query])
    return -1


@_compiled
def _count_ranks(row: Floats, positives: Integers, ranks: Integers) -> int:
    """Add to the rank of each positive the gallery rows before it, tile by tile.

    Returns how many pairs of a positive and a gallery row score the same.
    """
    equal = 0
    for start in range(0, len(row), TILE):
        tile = row[start : start + TILE]
        for hit in range(len(positives)):
            score = row[positives[hit]]
            own = min(max(positives[hit] - start, 0), len(tile))  # ties rank before it up to here
            above, at_least = _count_both(tile[:own], score)
            above_behind, at_least_behind = _count_both(tile[own:], score)
            ranks[hit] += at_least + above_behind
            equal += int(at_least - above + at_least_behind - above_behind)
    return equal


@_compiled
def _count_equal_pairs(scores: Floats) -> int:
    count = 0
    for score in scores:
        above, at_least = _count_both(scores, score)
        count += int(at_least - above)
    return count


@_compiled
def _find_top(row: Floats, top_rows: Integers, top_scores: Floats) -> None:
    """Insert the best scores into lists that start at minus infinity."""
    for start in range(0, len(row), TOP_TILE):
        tile = row[start : start + TOP_TILE]
        if not _count_above(tile, top_scores[-1]):
            continue
        for index in range(len(tile)):
            if tile[index] > top_scores[-1]:
                _insert(start + index, tile[index], top_rows, top_scores)


@_compiled
def _insert(row: int, score: np.float32, top_rows: Integers, top_scores: Floats) -> None:
    """Put a row behind all that score as high, and drop the last."""
    place = len(top_scores) - 1
    while place and score > top_scores[place - 1]:
        top_scores[place], top_rows[place] = top_scores[place - 1], top_rows[place - 1]
        place -= 1
    top_scores[place], top_rows[place] = score, row


# Eight 32-bit counters fill a vector register. Numba widens sums of small integers, and a loop
# over values instead of indices uses no vectors: casts and indices make these 4 to 13 times faster.
@_compiled
def _count_above(values: Floats, bound: np.float32) -> np.int32:
    count = np.int32(0)
    for index in range(len(values)):
        count = np.int32(count + np.int32(values[index] > bound))
    return count


@_compiled
def _count_both(values: Floats, bound: np.float32) -> tuple[np.int32, np.int32]:
    """Return how many values are above a bound, and how many at least as high."""
    above, at_least = np.int32(0), np.int32(0)
    for index in range(len(values)):
        above = np.int32(above + np.int32(values[index] > bound))
        at_least = np.int32(at_least + np.int32(values[index] >= bound))
    return above, at_least


@_compiled
def _count_not_finite(values: Floats) -> np.int32:
    count = np.int32(0)
    for index in range(len(values)):
        count = np.int32(count + np.int32(not abs(values[index]) < np.inf))
    return count
