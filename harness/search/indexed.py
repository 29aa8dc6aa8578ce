"""An index over a gallery: kept in the cache by what it holds, and asked for the nearest of a text.

Files lie in one folder, each named by a hash of the embeddings, the settings and the library, with
a checksum before what the library reads: what was cut short or damaged is built anew. No torch.

Shapes: M images of the gallery in the order of ties, D the width of an embedding, k found.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.files import process_tag
from harness.indexes import KINDS, Floats, Index, Integers, library
from harness.progress import Show

KEPT = 8  # indexes of the folder, those that were used last
CHECKSUM = 32  # bytes


class IndexedGallery:
    """Images of length one that are found through an index."""

    def __init__(self, index: Index, units: Floats) -> None:
        """`units` are the rows of the index (M, D)."""
        self._index = index
        self._units = units

    def nearest(self, query: Floats, count: int) -> tuple[Floats, Integers]:
        """Return the cosines (k,) and places (k,) of those nearest to a query (D,), best first.

        Of equal ones the first come first. An index may find fewer than are asked for.
        """
        most = len(self._units)
        width = min(count, most)
        while True:
            width = min(width + 1, most)  # one more tells whether the last is equal to others
            _, [found] = self._index.nearest(query[None], width)
            places = found[found >= 0]
            scores = self._cosines(query, places)
            best = np.lexsort((places, -scores))
            scores, places = scores[best], places[best]
            if len(places) <= count or width == most or scores[-1] < scores[count - 1]:
                return scores[:count], places[:count]
            width *= 2

    def _cosines(self, query: Floats, places: Integers) -> Floats:
        """Return cosines that are equal where rows are, which those of an index need not be."""
        rows = self._units[places].astype(np.float64)
        return (rows @ query.astype(np.float64)).astype(np.float32)


def open_index(kind: str, units: Floats, folder: Path, show: Show) -> Index:
    """Return an index over rows (M, D) of length one from a folder, or build and keep it.

    Raises HarnessError: rows that are not finite.
    """
    settings = f"{KINDS[kind].settings(len(units))} {library()} {units.shape}"
    digest = hashlib.sha256(settings.encode())
    digest.update(np.ascontiguousarray(units).data)
    file = folder / f"index-{digest.hexdigest()[:32]}"
    with contextlib.suppress(OSError, ValueError):
        return _read(file)
    show("building an index", 0, len(units))
    try:
        index = Index.build(kind, units)
    except ValueError as error:
        raise HarnessError(f"--index {kind}: embeddings of the gallery: {error}") from error
    with contextlib.suppress(OSError):  # where the disk refuses, the next search builds it again
        _keep(file, index.write())
    show("building an index", len(units), len(units))
    return index


def _read(file: Path) -> Index:
    """Read an index. Raises OSError or ValueError: it is not there, or not whole."""
    content = file.read_bytes()
    checksum, body = content[:CHECKSUM], content[CHECKSUM:]
    if hashlib.sha256(body).digest() != checksum:
        raise ValueError("is damaged")
    index = Index.read(body)
    os.utime(file)
    return index


def _keep(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    unfinished.write_bytes(hashlib.sha256(body).digest() + body)
    unfinished.replace(file)
    by_use = sorted(file.parent.glob("index-*"), key=lambda one: one.stat().st_mtime)
    for unused in by_use[:-KEPT]:
        unused.unlink(missing_ok=True)
