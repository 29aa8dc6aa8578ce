"""Sparse vectors and how much two of them have in common, compiled.

The Jaccard similarity of two vectors that each sum to one is m / (2 - m), where m is the sum of
their element-wise minimum; of two sets of n with the weights 1 / n it is that of the sets.

Shapes: G gallery rows, c the queries of one block, k the members of a set.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.metrics.compilation import compiled
from harness.metrics.counting import Floats, Integers


class SparseRows(NamedTuple):
    """The values of rows that are not zero, row after row."""

    columns: Integers
    values: Floats
    offsets: Integers  # (rows + 1,) where each row starts


_compiled = compiled()


def uniform_rows(members: Integers) -> SparseRows:
    """Return sets (c, k) as vectors that sum to one."""
    count, size = members.shape
    values = np.full(members.size, 1 / size, np.float32)
    return SparseRows(members.ravel(), values, np.arange(count + 1) * size)


def rows_from(rows: SparseRows, start: int) -> SparseRows:
    """Return the rows from `start` on."""
    begin = rows.offsets[start]
    return SparseRows(rows.columns[begin:], rows.values[begin:], rows.offsets[start:] - begin)


@_compiled
def transpose(rows: SparseRows, width: int) -> SparseRows:
    """Return the inverted index of rows: what each of `width` columns holds, row by row."""
    offsets = np.zeros(width + 1, np.int64)
    for column in rows.columns:
        offsets[column + 1] += 1
    offsets = offsets.cumsum()
    ends = offsets[:-1].copy()
    holders = SparseRows(np.empty_like(rows.columns), np.empty_like(rows.values), offsets)
    for row in range(len(rows.offsets) - 1):
        for place in range(rows.offsets[row], rows.offsets[row + 1]):
            column = rows.columns[place]
            holders.columns[ends[column]] = row
            holders.values[ends[column]] = rows.values[place]
            ends[column] += 1
    return holders


@_compiled
def add_overlaps(
    scores: Floats, queries: SparseRows, first_query: int, gallery: SparseRows, weight: np.float32
) -> None:
    """Add `weight` times the Jaccard similarity of query and gallery vectors to scores (c, G).

    Takes the gallery's vectors as an inverted index. Where nothing is in common nothing is done.
    """
    common = np.zeros(scores.shape[1], np.float32)
    touched = np.empty(scores.shape[1], np.int64)
    for index in range(len(scores)):
        count = _sum_minima(queries, first_query + index, gallery, common, touched)
        for row in touched[:count]:
            scores[index, row] += weight * (common[row] / (np.float32(2) - common[row]))
            common[row] = 0


@_compiled
def _sum_minima(
    queries: SparseRows, query: int, gallery: SparseRows, common: Floats, touched: Integers
) -> int:
    """Sum element-wise minima into zeros (G,); return how many gallery rows were touched."""
    count = 0
    for place in range(queries.offsets[query], queries.offsets[query + 1]):
        column, value = queries.columns[place], queries.values[place]
        for posting in range(gallery.offsets[column], gallery.offsets[column + 1]):
            row = gallery.columns[posting]
            if common[row] == 0:
                touched[count] = row
                count += 1
            common[row] += min(value, gallery.values[posting])
    return count
