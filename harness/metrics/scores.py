"""Exact retrieval metrics by query: Rank-k, average precision and inverse negative penalty.

A gallery row ranks before another where its score is higher or, at equal scores, where it comes
earlier in the gallery. So no match wins a tie because it is one. Where the gallery's order tells of
people, `harness.evaluation` draws another one before it scores.

The gallery is never sorted. The rank of a positive is one plus the number of gallery rows before
it, counted while a block of scores is at hand: time grows with the positives of a query. Every
block belongs to one thread, so the number of threads decides how long it takes, not what comes out.

Shapes: Q queries, G gallery rows, D the width of an embedding, c the queries of one block, P the
positives of one query, T the length of the top lists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from threading import local
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.metrics.counting import Floats, Integers, Positives, Tally, count_block

CHUNK = 512  # queries in one matrix product; another value moves the last bit of some scores
PADDING = 64  # products are this even: at a ragged edge, equal embeddings get unequal scores

Array = NDArray[Any] | Tensor
Ids = Array | Sequence[int] | Sequence[str]  # of people, one a row
Progress = Callable[[int, int], None]  # (queries done, queries in all)


@dataclass(frozen=True)
class QueryScores:
    """What each query scored. Ranks start at 1."""

    first_hit: NDArray[np.int64]  # (Q,) rank of the first positive
    average_precision: NDArray[np.float64]  # (Q,) from 0 to 1
    inverse_negative_penalty: NDArray[np.float64]  # (Q,) from 0 to 1
    hit_values: NDArray[np.int64]  # ranks of all positives, query after query, ascending in each
    hit_offsets: NDArray[np.int64]  # (Q + 1,) where each query starts in `hit_values`
    tied: NDArray[np.bool_]  # (Q,) whether another order of equal scores would change the figures
    top_rows: NDArray[np.int64]  # (Q, T) first gallery rows, in rank order
    top_scores: NDArray[np.float32]  # (Q, T) their scores

    @property
    def hit_ranks(self) -> list[NDArray[np.int64]]:
        """Return the ranks of all positives of each query, ascending: Q arrays (P,)."""
        return np.split(self.hit_values, self.hit_offsets[1:-1])


class _Stretch(NamedTuple):
    first_query: int
    query_count: int
    block: Callable[[int], Floats]  # scores (c, at least G) of CHUNK queries from this one on


def score_queries(
    query_features: Array,
    gallery_features: Array,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    normalize: bool = True,
    top: int = 0,
    progress: Progress | None = None,
) -> QueryScores:
    """Rank the gallery for every query by cosine, or by the plain product, in float32 on the CPU.

    Takes features (Q, D) and (G, D), and the ids (Q,) and (G,) of the people they show. Keeps the
    first T = min(top, G) gallery rows of each query. Uses as many threads as torch does.

    Raises ValueError for empty inputs, shapes that do not fit, features or scores that are not
    finite in float32, and a query without a positive.
    """
    sizes = _sizes(query_features, gallery_features)
    positives = _find_positives(query_ids, gallery_ids, sizes)
    with _workers() as pool:
        block = _products(query_features, gallery_features, normalize, pool)
        return _score([_Stretch(0, sizes[0], block)], positives, sizes[1], top, pool, progress)


def score_rows(
    rows: Array | Iterable[Array], query_ids: Ids, gallery_ids: Ids, *, top: int = 0
) -> QueryScores:
    """Rank the gallery for every query by given scores, compared in float32.

    Takes scores (Q, G), or chunks of them (c, G) that cover the queries in order; the rest is as
    in `score_queries`.
    """
    sizes = len(query_ids), len(gallery_ids)
    positives = _find_positives(query_ids, gallery_ids, sizes)
    chunks = [rows] if isinstance(rows, Tensor | np.ndarray) else rows
    with _workers() as pool:
        return _score(_given(chunks, sizes), positives, sizes[1], top, pool)


def join(parts: Sequence[QueryScores]) -> QueryScores:
    """Put together what was scored a part of the queries at a time, in their order."""
    names = [field.name for field in fields(QueryScores) if field.name != "hit_offsets"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    counts = np.concatenate([np.diff(part.hit_offsets) for part in parts])
    return QueryScores(**joined, hit_offsets=np.concatenate([[0], np.cumsum(counts)]))


def summarize(scores: QueryScores) -> dict[str, float]:
    """Return Rank-1, Rank-5, Rank-10, mAP and mINP in percent, named r1 r5 r10 map minp."""
    by_query: dict[str, NDArray[Any]] = {
        **{f"r{k}": scores.first_hit <= k for k in (1, 5, 10)},
        "map": scores.average_precision,
        "minp": scores.inverse_negative_penalty,
    }
    return {name: 100.0 * float(values.mean()) for name, values in by_query.items()}


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Yield as many threads as torch uses, in each of which torch uses one.

    They wait for each other only at the end; threads that share each product wait at every one,
    for long on a busy machine. Nor is torch's own pool needed, which hangs after a fork.
    """
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, "metrics", torch.set_num_threads, (1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # also what any thread started from now on begins with


def _score(
    stretches: Iterable[_Stretch],
    positives: Positives,
    gallery_size: int,
    top: int,
    pool: ThreadPoolExecutor,
    progress: Progress | None = None,
) -> QueryScores:
    """Score stretches that cover the queries in order."""
    if top < 0:
        raise ValueError(f"top must not be negative; got {top}")
    query_count, length = len(positives.offsets) - 1, min(top, gallery_size)
    tally = Tally(
        np.ones_like(positives.rows),
        np.zeros(query_count, np.bool_),
        np.zeros((query_count, length), np.int64),
        np.full((query_count, length), -np.inf, np.float32),
    )
    done = 0
    for stretch in stretches:
        count = partial(_count_from, stretch, gallery_size, positives, tally)
        for counted in pool.map(count, range(0, stretch.query_count, CHUNK)):
            done += counted
            if progress:
                progress(done, query_count)
    return _query_scores(positives.offsets, tally)


def _count_from(
    stretch: _Stretch, gallery_size: int, positives: Positives, tally: Tally, start: int
) -> int:
    """Fill the tally for CHUNK queries of a stretch; return how many there were."""
    block = stretch.block(start)
    first_query = stretch.first_query + start
    broken = int(count_block(block, gallery_size, first_query, positives, tally))
    if broken >= 0:
        raise ValueError(f"the scores of query row {broken} hold NaN or infinity in float32")
    return len(block)


def _query_scores(offsets: Integers, tally: Tally) -> QueryScores:
    starts, counts, ranks = offsets[:-1], np.diff(offsets), tally.ranks
    nth_hit = np.arange(1, len(ranks) + 1) - np.repeat(starts, counts)
    return QueryScores(
        first_hit=ranks[starts],
        average_precision=np.add.reduceat(nth_hit / ranks, starts) / counts,
        inverse_negative_penalty=counts / ranks[offsets[1:] - 1],
        hit_values=ranks,
        hit_offsets=offsets,
        tied=tally.tied,
        top_rows=tally.top_rows,
        top_scores=tally.top_scores,
    )


def _sizes(query_features: Array, gallery_features: Array) -> tuple[int, int]:
    """Return (Q, G) of features that can be compared."""
    shapes = tuple(query_features.shape), tuple(gallery_features.shape)
    for name, shape in zip(("query_features", "gallery_features"), shapes, strict=True):
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{name} must be (rows, width) and not empty; got {shape}")
    if shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"query_features {shapes[0]} and gallery_features {shapes[1]} differ in width"
        )
    return shapes[0][0], shapes[1][0]


def _find_positives(query_ids: Ids, gallery_ids: Ids, sizes: tuple[int, int]) -> Positives:
    queries = _ids("query_ids", query_ids, sizes[0])
    gallery = _ids("gallery_ids", gallery_ids, sizes[1])
    if (queries.dtype.kind in "iuf") != (gallery.dtype.kind in "iuf"):
        raise ValueError(f"query_ids are {queries.dtype}, but gallery_ids are {gallery.dtype}")
    order = np.argsort(gallery, kind="stable")  # the rows of one person stay ascending
    first = np.searchsorted(gallery, queries, "left", sorter=order)
    counts = np.searchsorted(gallery, queries, "right", sorter=order) - first
    if len(alone := np.flatnonzero(counts == 0)):
        absent = queries.tolist()[alone[0]]
        raise ValueError(f"query row {alone[0]} has no positive: no gallery id is {absent!r}")
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], counts)
    return Positives(order[places], offsets)


def _ids(name: str, ids: Ids, size: int) -> NDArray[Any]:
    array = ids.detach().cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype == object:
        array = _plain_ids(name, array)
    if array.size == 0 or array.shape != (size,):
        raise ValueError(f"{name} must hold one id a row, {size} in all; got {array.shape}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"{name} row {np.isnan(array).argmax()} is missing: it is NaN")
    return array


def _plain_ids(name: str, ids: NDArray[np.object_]) -> NDArray[Any]:
    """Return Python's strings or integers in a dtype of their own."""
    if not any(all(isinstance(one, kind) for one in ids.flat) for kind in (str, int | np.integer)):
        names = sorted({type(one).__name__ for one in ids.flat})
        raise ValueError(f"{name} must be all int or all str; got {', '.join(names)}")
    return np.array(ids.tolist())


class _Buffers(local):
    """What each thread multiplies in."""

    def __init__(self, rows: int, columns: int, width: int) -> None:
        self.queries = _empty(rows, width)
        self.scores = _empty(rows, columns)


def _products(
    queries: Array, gallery: Array, normalize: bool, pool: ThreadPoolExecutor
) -> Callable[[int], Floats]:
    """Return `_Stretch.block` of features: a block is gone once its thread asks for the next."""
    columns = _empty(_padded(len(gallery)), gallery.shape[1])

    def prepare(start: int) -> int:
        return _prepare("gallery_features", gallery, start, columns[start:], normalize)

    def block(start: int) -> Floats:
        count = _prepare("query_features", queries, start, buffers.queries, normalize)
        scores = buffers.scores[: _padded(count)]
        torch.mm(buffers.queries[: len(scores)], columns.T, out=scores)
        return scores.numpy()[:count]

    buffers = _Buffers(min(CHUNK, _padded(len(queries))), *columns.shape)
    deque(pool.map(prepare, range(0, len(gallery), CHUNK)), maxlen=0)
    return block


def _prepare(name: str, features: Array, start: int, out: Tensor, normalize: bool) -> int:
    """Write CHUNK rows from `start` on as finite float32, zeros past the end; return how many."""
    rows = torch.from_numpy(_take(features, start))
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    if len(broken := (~torch.isfinite(lengths)).nonzero()):
        row = start + int(broken[0, 0])
        raise ValueError(f"{name} row {row} holds NaN, infinity or more than float32 can measure")
    torch.div(rows, lengths.clamp_min(1e-12) if normalize else 1.0, out=out[: len(rows)])
    out[len(rows) : CHUNK].zero_()
    return len(rows)


def _given(chunks: Iterable[Array], sizes: tuple[int, int]) -> Iterator[_Stretch]:
    """Yield a stretch for each chunk of given scores, refusing what does not fit."""
    done = 0
    for chunk in chunks:
        if chunk.ndim != 2 or chunk.shape[1] != sizes[1]:
            shape = tuple(chunk.shape)
            raise ValueError(f"scores from row {done} on must be (rows, {sizes[1]}); got {shape}")
        if done + len(chunk) > sizes[0]:
            raise ValueError(f"{done + len(chunk)} or more rows of scores for {sizes[0]} queries")
        yield _Stretch(done, len(chunk), partial(_take, chunk))
        done += len(chunk)
    if done < sizes[0]:
        raise ValueError(f"{done} rows of scores for {sizes[0]} queries")


def _take(features: Array, start: int) -> Floats:
    """Return at most CHUNK rows as a contiguous copy; what float32 cannot hold is infinite."""
    rows = features[start : start + CHUNK]
    if isinstance(rows, Tensor):
        rows = rows.detach().to("cpu", torch.float32).numpy()
    with np.errstate(over="ignore"):
        return np.array(rows, np.float32, order="C")


def _empty(rows: int, columns: int) -> Tensor:
    return torch.empty(rows, columns, dtype=torch.float32, device="cpu")


def _padded(count: int) -> int:
    return -(-count // PADDING) * PADDING
