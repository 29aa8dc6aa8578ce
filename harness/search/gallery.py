"""Images that can be found: their names, embeddings, pixels and thumbnails; no torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.progress import Show

BATCH = 64  # images encoded at a time

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Images = NDArray[np.uint8]  # (B, 3, H, W)
Encode = Callable[[Images], Floats]  # -> (B, D)


@dataclass(frozen=True)
class Gallery:
    """M images."""

    label: str  # for a reader
    names: tuple[str, ...]  # M: paths within a folder, or ids
    embeddings: Floats  # (M, D)
    pixels: Callable[[Integers], Any]  # rows (B,) -> (B, 3, H, W) uint8, an array or a tensor
    thumbnail: Callable[[int], bytes | None]  # of a row, JPEG; None where there is none to show
    order: Integers  # (M,) the rows as they rank where they are as near
    folder: Path | None = None
    passed_over: tuple[tuple[str, str], ...] = ()  # files, and why
    others: int = 0  # files beside them that are not named as images are


class Reader(Protocol):
    """Images on their way to a gallery."""

    def encode(self, encode: Encode, show: Show) -> Gallery:
        """Return the gallery, with what is not known of it encoded."""

    def close(self) -> None:
        """Stop reading."""


def in_batches(count: int) -> Iterator[Integers]:
    """Yield rows 0 to `count`, a batch at a time."""
    for start in range(0, count, BATCH):
        yield np.arange(start, min(start + BATCH, count))
