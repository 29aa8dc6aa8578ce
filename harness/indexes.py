"""Approximate search: an index over a gallery, as people deploy one, with faiss. No torch here.

Rows and queries have length one, so an inner product is a cosine. Indexes are those that faiss
advises (https://github.com/facebookresearch/faiss/wiki/Guidelines-to-choose-an-index): HNSW where
memory suffices, of 4 to 64 links here 32; or lists (IVF), four times the root of the rows, but that
each has rows enough to be learnt from. How far a search looks, the guidelines leave to who asks;
the values below were tried on drawn people (docs/crowd.md). Indexes are built and asked in one
thread, and draw by seeds that are fixed: the same rows give the same index.

Shapes: N rows of the gallery, q queries, D the width of an embedding, k images for each query.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, unknown

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

NEAREST = 10  # images that a query asks for, where an index is judged
LISTS_PER_ROOT = 4  # lists of IVF for each of the root of the rows
ROWS_PER_LIST = 39  # that k-means of faiss asks for, or warns
SEED = 1234  # of k-means, as faiss has it; levels of HNSW come from one that cannot be set


@dataclass(frozen=True)
class Kind:
    """An index by its settings."""

    title: str  # for a reader
    factory: Callable[[int], str]  # for so many rows, as faiss.index_factory takes it
    search: str = ""  # how far a search looks, as faiss.ParameterSpace takes it
    is_exact: bool = False

    def settings(self, rows: int) -> str:
        """Return what it is set to for so many rows: "IVF1270,Flat, nprobe=16"."""
        return ", ".join(filter(None, (self.factory(rows), self.search)))


def _lists(rows: int) -> int:
    return max(1, min(LISTS_PER_ROOT * isqrt(rows), rows // ROWS_PER_LIST))


KINDS: Mapping[str, Kind] = {
    "flat": Kind("flat", lambda rows: "Flat", is_exact=True),
    "ivf": Kind("IVF", lambda rows: f"IVF{_lists(rows)},Flat", "nprobe=16"),
    "hnsw": Kind("HNSW", lambda rows: "HNSW32", "efSearch=64"),
}


def require_faiss() -> None:
    """Refuse where there is no faiss, and say what to do. Raises HarnessError."""
    try:
        import faiss  # noqa: F401 (is it there?)
    except ImportError as error:
        raise HarnessError("--index needs faiss: pip install 'tbpr-bench[faiss]'.") from error


def has_faiss() -> bool:
    """Tell whether faiss is installed, without importing it."""
    return importlib.util.find_spec("faiss") is not None


def refuse_unknown(kind: str, others: Iterable[str] = ()) -> None:
    """Refuse an index that is none of `KINDS` or of some other names. Raises HarnessError."""
    if kind not in {*KINDS, *others}:
        raise unknown("index", kind, [*KINDS, *others])


def library() -> str:
    """Return what searches, with its version."""
    import faiss

    return f"faiss {faiss.__version__}"


class Index:
    """Rows that can be asked for those nearest to a query."""

    def __init__(self, index: Any) -> None:
        """`index` is one of faiss; see `build` and `read`."""
        self._index = index

    @classmethod
    def build(cls, kind: str, rows: Floats) -> Index:
        """Return an index of one of `KINDS` over rows (N, D) of length one.

        Raises ValueError: there are none, or some are not finite.
        """
        import faiss

        if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
            raise ValueError(f"rows must be (N, D), not empty and finite; got {rows.shape}")
        settings = KINDS[kind]
        factory = settings.factory(len(rows))
        index = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        if settings.search:
            faiss.ParameterSpace().set_index_parameters(index, settings.search)
        if lists := faiss.try_extract_index_ivf(index):
            lists.cp.seed = SEED
            lists.cp.min_points_per_centroid = 1  # of one list: nothing is worth a warning
        with _one_thread():
            index.train(np.ascontiguousarray(rows))
            index.add(np.ascontiguousarray(rows))
        return cls(index)

    @classmethod
    def read(cls, content: bytes) -> Index:
        """Return an index from what `write` gave. Raises ValueError: it is none."""
        import faiss

        try:
            return cls(faiss.deserialize_index(np.frombuffer(content, np.uint8)))
        except RuntimeError as error:
            raise ValueError("is no index of faiss") from error

    def write(self) -> bytes:
        """Return all that an index holds."""
        import faiss

        return bytes(faiss.serialize_index(self._index))

    def nearest(self, queries: Floats, count: int) -> tuple[Floats, Integers]:
        """Return the scores (q, k) and rows (q, k) that it finds for queries (q, D), best first.

        Of equal scores the first row comes first. Where it finds fewer, rows are -1.
        """
        with _one_thread():
            scores, rows = self._index.search(np.ascontiguousarray(queries), count)
        order = np.lexsort((rows, -scores))
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    @property
    def size(self) -> int:
        """How many rows it holds."""
        return int(self._index.ntotal)

    @property
    def bytes(self) -> int:
        """How large it is on disk, which is about what it takes in memory."""
        import faiss

        counted = 0

        def count(part: Any) -> None:
            nonlocal counted
            counted += len(part)

        faiss.write_index(self._index, faiss.PyCallbackIOWriter(count))
        return counted


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let faiss use one thread: with several, graphs come out otherwise each time."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
