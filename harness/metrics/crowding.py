"""Ranks in a gallery that grows: the same queries and matches among more and more strangers.

A match stands as far down its list as in the gallery alone, and further by each stranger that
scores higher, or as high and comes earlier in the order of ties. So strangers are counted, never
sorted: block by block, at every size of a ladder in one pass, with one block of scores a thread in
memory. A smaller crowd is the beginning of a larger one.

Shapes: Q queries, M images of the gallery, N strangers, D the width of an embedding, H matches of
all queries, L sizes of the ladder, c the queries of one block, b the strangers of one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.metrics import PADDING
from harness.metrics.compilation import compiled
from harness.metrics.counting import Flags, Floats, Integers
from harness.metrics.neighbours import Units, cosine_chunks, unit_features

BLOCK = 8192  # strangers that are scored at a time
FIRST = 100  # the smallest crowd of a ladder

Strangers = Callable[[int, int], NDArray[Any]]  # the first and the one behind the last -> (b, D)

_compiled = compiled()


def ladder(count: int) -> tuple[int, ...]:
    """Return the crowds that are scored on the way to one: 0, 100, 300, 1,000 and so on."""
    sizes, size = [0], FIRST
    while size < count:
        sizes += [size, 3 * size]
        size *= 10
    return (*(one for one in sizes if one < count), count)


@dataclass(frozen=True)
class Crowding:
    """What each query found in a gallery alone and among crowds that grow."""

    sizes: tuple[int, ...]  # L, strangers in the gallery, ascending from 0
    hit_offsets: Integers  # (Q + 1,) where each query starts among the matches
    hit_ranks: Integers  # (L, H) from 1, ascending in each query
    hit_scores: Floats  # (Q,) cosine of the best match
    other_scores: Floats  # (L, Q) cosine of the best image of anybody else
    tied: Flags  # (L, Q) whether a match scores the same as an image of somebody else


@dataclass(frozen=True)
class _Matches:
    """The matches of all queries, best first in each, with what crowds are counted against."""

    offsets: Integers  # (Q + 1,)
    scores: Floats  # (H,)
    places: Integers  # (H,) in the order of ties


def score_crowd(
    queries: Tensor,
    gallery: Tensor,
    people: tuple[Integers, Integers],
    strangers: Strangers,
    places: Integers,
    sizes: Sequence[int],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Crowding:
    """Rank a gallery and crowds of strangers by cosine, in float32.

    Args:
        queries: (Q, D).
        gallery: (M, D), in which every query has a match.
        people: of queries (Q,) and of the gallery (M,).
        strangers: returns rows of the features (N, D) of people who match no query.
        places: (M + N,) where the rows of the gallery and then the strangers stand among those
            that score the same.
        sizes: of crowds, ascending from 0 to N.

    Raises:
        ValueError: features that are not finite or do not fit, or a query without a match.
    """
    own = np.argsort(places[: len(gallery)])  # rows of the gallery in the order of ties
    units = unit_features(queries, gallery[torch.from_numpy(own)])
    matches, alone = _score_gallery(units.queries, units.gallery, (people[0], people[1][own]), own)
    matches = _Matches(matches.offsets, matches.scores, places[matches.places])
    ranks, tied = [alone.ranks], [alone.tied]
    best = [alone.best]
    counted = _Counted.start(matches)
    for start, stop in pairwise(sizes):
        for first in range(start, stop, BLOCK):
            last = min(first + BLOCK, stop)
            block = _unit_rows(strangers(first, last), first, units.queries.buffer.shape[1])
            _count(units.queries, block, matches, places[len(gallery) :][first:last], counted)
            progress(last, sizes[-1])
        ranks.append(alone.ranks + counted.before)
        tied.append(alone.tied | counted.tied)
        best.append(np.maximum(alone.best, counted.best))
    firsts = matches.scores[matches.offsets[:-1]]
    return Crowding(
        tuple(sizes), matches.offsets, np.stack(ranks), firsts, np.stack(best), np.stack(tied)
    )


@dataclass(frozen=True)
class _Counted:
    """What is counted of strangers so far."""

    before: Integers  # (H,) those that rank before each match
    tied: Flags  # (Q,)
    best: Floats  # (Q,)

    @classmethod
    def start(cls, matches: _Matches) -> _Counted:
        count = len(matches.offsets) - 1
        nobody = np.full(count, -np.inf, np.float32)
        return cls(np.zeros(len(matches.scores), np.int64), np.zeros(count, np.bool_), nobody)


@dataclass(frozen=True)
class _Alone:
    """What queries find in the gallery alone."""

    ranks: Integers  # (H,)
    tied: Flags  # (Q,)
    best: Floats  # (Q,) of anybody else; minus infinity where there is nobody


def _score_gallery(
    queries: Units, gallery: Units, people: tuple[Integers, Integers], rows: Integers
) -> tuple[_Matches, _Alone]:
    """Score a gallery that stands in the order of ties; places of matches are its `rows`."""
    counts, scores, places, ranks, tied, best = [], [], [], [], [], []
    query = 0
    for chunk in cosine_chunks(queries, gallery, lambda start, block: None):
        for row in chunk:
            is_match = people[1] == people[0][query]
            columns = np.flatnonzero(is_match)
            if not len(columns):
                raise ValueError(f"query row {query} has no match in the gallery")
            columns = columns[np.argsort(-row[columns], kind="stable")]
            others = row[~is_match]
            above = (others[:, None] > row[columns]).sum(0)  # (matches,)
            equal = others[:, None] == row[columns]
            earlier = (equal & (np.flatnonzero(~is_match)[:, None] < columns)).sum(0)
            counts.append(len(columns))
            scores.append(row[columns])
            places.append(rows[columns])
            ranks.append(np.arange(1, len(columns) + 1) + above + earlier)
            tied.append(bool(equal.any()))
            best.append(others.max(initial=-np.inf))
            query += 1
    offsets = np.concatenate([[0], np.cumsum(counts)])
    matches = _Matches(offsets, np.concatenate(scores), np.concatenate(places))
    found = np.concatenate(ranks), np.asarray(tied), np.asarray(best, np.float32)
    return matches, _Alone(*found)


def _count(
    queries: Units, block: Units, matches: _Matches, places: Integers, counted: _Counted
) -> None:
    """Add the strangers of a block (b, D), whose places are (b,), to what is counted."""

    def count(start: int, scores: Floats) -> None:
        _count_block(scores, start, places, *_columns(matches), *_columns(counted))

    for _ in cosine_chunks(queries, block, count):
        pass


def _columns(arrays: _Matches | _Counted) -> Iterator[NDArray[Any]]:
    yield from vars(arrays).values()


def _unit_rows(features: NDArray[Any], first: int, width: int) -> Units:
    """Return strangers (b, D), who begin with this number, in single precision and of length one.

    Raises ValueError for what is not finite or of another width.
    """
    if features.ndim != 2 or features.shape[1] != width:
        raise ValueError(f"strangers must be (rows, {width}); got {features.shape}")
    rows = torch.from_numpy(np.asarray(features, np.float32))
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if len(broken := (~torch.isfinite(lengths)).nonzero()):
        raise ValueError(f"stranger {first + int(broken[0, 0])} holds NaN or infinity")
    buffer = torch.zeros(-(-len(rows) // PADDING) * PADDING, width)
    torch.div(rows, lengths.clamp_min(1e-12), out=buffer[: len(rows)])
    return Units(buffer, len(rows))


@_compiled
def _count_block(
    scores: Floats,
    first_query: int,
    places: Integers,
    offsets: Integers,
    hit_scores: Floats,
    hit_places: Integers,
    before: Integers,
    tied: Flags,
    best: Floats,
) -> None:
    """Add scores (c, at least b) of strangers to what is counted of c queries."""
    width = len(places)
    for index in range(len(scores)):
        row, query = scores[index, :width], first_query + index
        best[query] = max(best[query], _highest(row))
        for hit in range(offsets[query], offsets[query + 1]):
            above, at_least = _count_both(row, hit_scores[hit])
            before[hit] += above
            if at_least > above:
                tied[query] = True
                before[hit] += _count_earlier(row, hit_scores[hit], places, hit_places[hit])


@_compiled
def _count_earlier(row: Floats, score: np.float32, places: Integers, place: int) -> int:
    count = 0
    for column in range(len(row)):
        if row[column] == score and places[column] < place:
            count += 1
    return count


@_compiled
def _highest(row: Floats) -> np.float32:
    highest = np.float32(-np.inf)
    for column in range(len(row)):
        highest = max(highest, row[column])
    return highest


# Counters of 32 bits, as in `harness.metrics.counting`: they fill vector registers.
@_compiled
def _count_both(values: Floats, bound: np.float32) -> tuple[np.int32, np.int32]:
    """Return how many values are above a bound, and how many at least as high."""
    above, at_least = np.int32(0), np.int32(0)
    for index in range(len(values)):
        above = np.int32(above + np.int32(values[index] > bound))
        at_least = np.int32(at_least + np.int32(values[index] >= bound))
    return above, at_least
