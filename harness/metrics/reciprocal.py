"""k-reciprocal encoding: each row as a sparse vector of the rows that have it for a neighbour too.

Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR
2017, https://arxiv.org/abs/1701.08398, in the form that its authors released.

Shapes: M rows, D the width of a feature, k the neighbours of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from harness.metrics.compilation import compiled
from harness.metrics.counting import Floats, Integers
from harness.metrics.neighbours import Units, each_block
from harness.metrics.overlap import SparseRows


class Groups(NamedTuple):
    """A few rows that belong to each row."""

    members: Integers  # (M, k), each line filled from the left
    sizes: Integers  # (M,)


_compiled = compiled()
# A sum in any order fits in vector registers; which order is settled when it is compiled.
_compiled_sum = compiled(fastmath={"reassoc", "nsz", "contract"})


def encode(units: Units, nearest: Integers, scale: Floats, k1: int, k2: int) -> SparseRows:
    """Return what each of M rows weighs its k-reciprocal neighbours, as rows that sum to one.

    Takes the nearest rows (M, at least k1 + 1 and k2, or M) of each, and the factors (M,) by which
    squared distances from a row are multiplied. A row that is in no list, its own included, as
    happens where more than k1 others equal it, weighs nothing until its neighbours are averaged.
    """
    groups = reciprocal_groups(nearest, k1 + 1)
    # NOTE rounded to even, as the authors' code does; the paper halves k and does not say.
    small_groups = reciprocal_groups(nearest, round(k1 / 2) + 1)
    features = units.buffer.numpy()
    rows = _in_blocks(partial(_weigh, features, scale, groups, small_groups), units.size)
    return rows if k2 == 1 else _in_blocks(partial(_average, rows, nearest, k2), units.size)


@_compiled
def reciprocal_groups(nearest: Integers, k: int) -> Groups:
    """Keep of the k nearest rows of each row those that have it among their own k nearest."""
    members = np.empty((len(nearest), min(k, nearest.shape[1])), np.int64)
    sizes = np.zeros(len(nearest), np.int64)
    for row in range(len(nearest)):
        for near in nearest[row, :k]:
            if _contains(nearest[near, :k], row):
                members[row, sizes[row]] = near
                sizes[row] += 1
    return Groups(members, sizes)


@_compiled
def _contains(rows: Integers, wanted: int) -> bool:
    for row in rows:  # noqa: SIM110  numba compiles no generator expression
        if row == wanted:
            return True
    return False


Block = tuple[Integers, Floats, Integers]  # columns and values row after row, and sizes (c,)


def _in_blocks(work: Callable[[int, int], Block], count: int) -> SparseRows:
    blocks: list[Any] = each_block(work, count)
    columns, values, sizes = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return SparseRows(columns, values, np.concatenate([[0], np.cumsum(sizes)]))


@_compiled
def _weigh(
    features: Floats, scale: Floats, groups: Groups, small_groups: Groups, start: int, stop: int
) -> Block:
    """Weigh the expanded groups of some rows by exp(-distance), so that each sums to one."""
    count = len(scale)
    longest = min(groups.members.shape[1] * (small_groups.members.shape[1] + 1), count)
    columns = np.empty((stop - start) * longest, np.int64)
    values = np.empty(len(columns), np.float32)
    sizes = np.empty(stop - start, np.int64)
    own, known = np.full(count, -1), np.full(count, -1)
    end = 0
    for row in range(start, stop):
        size = _expand(row, groups, small_groups, own, known, columns[end:])
        _weigh_row(features, scale[row], row, columns[end : end + size], values[end:])
        sizes[row - start] = size
        end += size
    return columns[:end].copy(), values[:end].copy(), sizes


@_compiled
def _expand(
    row: int, groups: Groups, small_groups: Groups, own: Integers, known: Integers, out: Integers
) -> int:
    """Write a row's group, and the small groups of its members that are mostly in it.

    `own` and `known` (M,) hold the last row whose group, or expanded group, each row was in.
    """
    group = groups.members[row, : groups.sizes[row]]
    own[group] = row
    end = _append_new(group, row, known, out, 0)
    for member in group:
        small = small_groups.members[member, : small_groups.sizes[member]]
        # NOTE more than two thirds, as in the authors' code; the paper prints "at least".
        if 3 * _count_equal(own, small, row) > 2 * len(small):
            end = _append_new(small, row, known, out, end)
    return end


@_compiled
def _append_new(rows: Integers, owner: int, known: Integers, out: Integers, end: int) -> int:
    """Write the rows that the owner does not know yet; return the new end."""
    for row in rows:
        if known[row] != owner:
            known[row] = owner
            out[end] = row
            end += 1
    return end


@_compiled
def _count_equal(values: Integers, places: Integers, wanted: int) -> int:
    count = 0
    for place in places:
        count += values[place] == wanted
    return count


@_compiled
def _weigh_row(features: Floats, scale: np.float32, row: int, near: Integers, out: Floats) -> None:
    """Write exp(-distance) of each near row, over their sum."""
    total = np.float32(0)
    for place in range(len(near)):
        cosine = _dot(features[row], features[near[place]])
        out[place] = np.exp(np.float32(2) * scale * (cosine - np.float32(1)))
        total += out[place]
    for place in range(len(near)):
        out[place] /= total


@_compiled_sum
def _dot(one: Floats, other: Floats) -> np.float32:
    total = np.float32(0)
    for index in range(len(one)):
        total += one[index] * other[index]
    return total


@_compiled
def _average(rows: SparseRows, nearest: Integers, k2: int, start: int, stop: int) -> Block:
    """Average the vectors of the k2 nearest rows of some rows."""
    capacity = 0
    for near in nearest[start:stop, :k2].flat:
        capacity += rows.offsets[near + 1] - rows.offsets[near]
    columns, values = np.empty(capacity, np.int64), np.empty(capacity, np.float32)
    sizes = np.empty(stop - start, np.int64)
    sums = np.zeros(len(nearest), np.float32)
    end = 0
    for row in range(start, stop):
        begin, neighbours = end, nearest[row, :k2]
        for near in neighbours:
            end = _add_row(rows, near, sums, columns, end)
        for place in range(begin, end):
            values[place] = sums[columns[place]] / np.float32(len(neighbours))
            sums[columns[place]] = 0
        sizes[row - start] = end - begin
    return columns[:end].copy(), values[:end].copy(), sizes


@_compiled
def _add_row(rows: SparseRows, row: int, sums: Floats, columns: Integers, end: int) -> int:
    """Add one sparse row to sums (M,); append its columns that were zero, return the new end."""
    for place in range(rows.offsets[row], rows.offsets[row + 1]):
        column = rows.columns[place]
        if sums[column] == 0:
            columns[end] = column
            end += 1
        sums[column] += rows.values[place]
    return end
