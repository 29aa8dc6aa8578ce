"""Cosines of many rows with many, and the nearest rows of each, a block of rows at a time.

A row is nearer than another where its cosine is higher or, at equal cosines, where it comes
earlier. No whole matrix is held. Every block belongs to one thread, so the number of threads
decides how long it takes, not what comes out. Everything is float32 on the CPU.

Shapes: Q queries, G gallery rows, M rows of either or both, D the width of a feature, c the rows
of one block, k the neighbours of a row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from harness.metrics import CHUNK, PADDING
from harness.metrics.counting import Floats, Integers, Positives, Tally, count_block

Result = TypeVar("Result")
Change = Callable[[int, Floats], None]  # the first query of a block (c, at least G), and the block


class Units(NamedTuple):
    """Features of length one, in a longer buffer: products of even sizes keep equal rows equal."""

    buffer: Tensor  # (M rounded up to PADDING, D)
    size: int  # M


class UnitFeatures(NamedTuple):
    """Queries and gallery, one after the other in one buffer."""

    buffer: Tensor  # (at least Q + G + PADDING, D), zeros past the end
    query_size: int
    gallery_size: int

    @property
    def queries(self) -> Units:
        """The queries, Q rows."""
        return self._units(0, self.query_size)

    @property
    def gallery(self) -> Units:
        """The gallery, G rows."""
        return self._units(self.query_size, self.gallery_size)

    @property
    def both(self) -> Units:
        """The queries and, after them, the gallery."""
        return self._units(0, self.query_size + self.gallery_size)

    def _units(self, start: int, size: int) -> Units:
        return Units(self.buffer[start : start + _padded(size)], size)


class Nearest(NamedTuple):
    """The nearest rows of each row, usually itself first, and how far the rows are spread."""

    rows: Integers  # (M, k), nearest first
    lowest: Floats  # (M,) the cosine of the row that is furthest of all


def unit_features(queries: Tensor, gallery: Tensor) -> UnitFeatures:
    """Normalise features (Q, D) and (G, D).

    Raises ValueError for empty inputs, shapes that do not fit, and features that are not finite.
    """
    for name, features in (("queries", queries), ("gallery", gallery)):
        if features.ndim != 2 or 0 in features.shape:
            shape = tuple(features.shape)
            raise ValueError(f"{name} must be (rows, width) and not empty; got {shape}")
    if queries.shape[1] != gallery.shape[1]:
        shapes = f"queries {tuple(queries.shape)} and gallery {tuple(gallery.shape)}"
        raise ValueError(f"{shapes} differ in width")
    count = len(queries) + len(gallery)
    buffer = torch.empty(_padded(count) + PADDING, queries.shape[1])
    buffer[count:].zero_()  # what lay there could overflow in a product
    _normalize("queries", queries, buffer)
    _normalize("gallery", gallery, buffer[len(queries) :])
    return UnitFeatures(buffer, len(queries), len(gallery))


def nearest_rows(units: Units, k: int) -> Nearest:
    """Find for each row the min(k, M) nearest of all rows, itself among them."""
    buffers = _Buffers(_padded(min(CHUNK, units.size)), len(units.buffer))

    def find(start: int, stop: int) -> Nearest:
        cosines = _multiply(units.buffer[start : _padded(stop)], units.buffer, buffers.cosines)
        cosines = cosines[: stop - start]
        return Nearest(top_rows(cosines, units.size, k), cosines[:, : units.size].min(1))

    blocks = each_block(find, units.size)
    return Nearest(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def top_rows(cosines: Floats, gallery_size: int, k: int) -> Integers:
    """Return the min(k, G) nearest columns of cosines (c, at least G), nearest first."""
    count, length = len(cosines), min(k, gallery_size)
    none = Positives(np.empty(0, np.int64), np.zeros(count + 1, np.int64))
    top = np.zeros((count, length), np.int64)
    scores = np.full((count, length), -np.inf, np.float32)
    tally = Tally(none.rows, np.zeros(count, np.bool_), top, scores)
    count_block(cosines, gallery_size, 0, none, tally)
    return top


def cosine_chunks(queries: Units, gallery: Units, change: Change) -> Iterator[Floats]:
    """Yield cosines (c, G) that cover the queries in order, each block changed in place.

    A chunk is a block for each thread; no more than one is held at a time.
    """
    step = CHUNK * torch.get_num_threads()
    for start in range(0, queries.size, step):
        rows = Units(queries.buffer[start : start + step], min(step, queries.size - start))
        yield _chunk(start, rows, gallery, change)


def each_block(work: Callable[[int, int], Result], count: int) -> list[Result]:
    """Call `work` with the start and stop of every CHUNK rows, in as many threads as torch uses.

    In each of them torch uses one: threads that share a product wait for each other at every one.
    """
    threads, starts = torch.get_num_threads(), range(0, count, CHUNK)
    stops = [min(start + CHUNK, count) for start in starts]
    try:
        with ThreadPoolExecutor(threads, "neighbours", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, starts, stops))
    finally:
        torch.set_num_threads(threads)  # also what any thread started from now on begins with


class _Buffers(threading.local):
    """What each thread multiplies in."""

    def __init__(self, rows: int, columns: int) -> None:
        self.cosines = torch.empty(rows, columns)


def _chunk(first: int, rows: Units, gallery: Units, change: Change) -> Floats:
    cosines = torch.empty(len(rows.buffer), len(gallery.buffer))

    def fill(start: int, stop: int) -> None:
        block = slice(start, _padded(stop))
        products = _multiply(rows.buffer[block], gallery.buffer, cosines[block])
        change(first + start, products[: stop - start])

    each_block(fill, rows.size)
    return cosines.numpy()[: rows.size, : gallery.size]


def _multiply(rows: Tensor, columns: Tensor, out: Tensor) -> Floats:
    product: Floats = torch.mm(rows, columns.T, out=out[: len(rows)]).numpy()
    return product


def _normalize(name: str, features: Tensor, out: Tensor) -> None:
    """Write features as rows of length one; a row of zeros stays."""

    def normalize(start: int, stop: int) -> None:
        rows = features[start:stop].detach().to("cpu", torch.float32).contiguous()
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        if len(broken := (~torch.isfinite(lengths)).nonzero()):
            row = f"{name} row {start + int(broken[0, 0])}"
            raise ValueError(f"{row} holds NaN, infinity or more than float32 can measure")
        torch.div(rows, lengths.clamp_min(1e-12), out=out[start:stop])

    each_block(normalize, len(features))


def _padded(count: int) -> int:
    return -(-count // PADDING) * PADDING
