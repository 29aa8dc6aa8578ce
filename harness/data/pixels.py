"""Decoded pixels: once into a memory-mapped cache, or anew at every access."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.data.schema import Integers, Split
from harness.errors import HarnessError

DECODING_THREADS = 4  # Pillow lets go of the interpreter while it decodes
CHUNK = 256

Pixels = Callable[[Integers], Tensor]  # rows (B,) -> (B, 3, H, W) uint8


def cache_bytes(images: int, size: tuple[int, int]) -> int:
    """Return how many bytes a cache of so many images of (height, width) takes."""
    return images * 3 * size[0] * size[1]


def open_pixels(
    split: Split,
    size: tuple[int, int],
    cache: Path | None,
    progress: Callable[[int, int], None] | None = None,
) -> Pixels:
    """Return a reader of a split's images at (height, width).

    Args:
        cache: a folder that stands for the dataset's content; None decodes at every access.
        progress: called with images done and images in all while the cache is filled.

    Raises:
        HarnessError: an image cannot be decoded; the message names it.
    """
    if cache is None:
        return lambda rows: torch.from_numpy(_decode(split, rows, size))
    file = cache / f"{split.name}-{size[0]}x{size[1]}.npy"
    if not file.is_file():
        _fill(file, split, size, progress)
    stored = np.load(file, mmap_mode="r")
    return lambda rows: torch.from_numpy(stored[rows])  # (B, 3, H, W), a copy


def _fill(
    file: Path,
    split: Split,
    size: tuple[int, int],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Decode a split into a file; processes that need it at once wait for the first."""
    from filelock import FileLock

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        if file.is_file():
            return
        count = len(split.image_ids)
        unfinished = file.with_suffix(".unfinished.npy")
        stored = np.lib.format.open_memmap(
            unfinished, mode="w+", dtype=np.uint8, shape=(count, 3, *size)
        )
        for start in range(0, count, CHUNK):
            rows = np.arange(start, min(start + CHUNK, count))
            stored[rows] = _decode(split, rows, size)
            if progress:
                progress(int(rows[-1]) + 1, count)
        stored.flush()
        unfinished.replace(file)


def _decode(split: Split, rows: Integers, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode rows to (B, 3, H, W)."""
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        images = list(pool.map(lambda row: _decode_one(split, int(row), size), rows))
    return np.stack(images)  # (B, 3, H, W)


def _decode_one(split: Split, row: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = size
    try:
        with Image.open(io.BytesIO(split.encoded(row))) as opened:
            image = opened.convert("RGB")
    except Exception as error:
        raise HarnessError(
            f"Split {split.name}, image {split.image_ids[row]!r} cannot be decoded: {error}"
        ) from error
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image).transpose(2, 0, 1)  # (3, H, W)
