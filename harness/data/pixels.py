"""Decoded pixels: once into a memory-mapped cache, or anew at every access."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import paths
from harness.data.decoding import decode
from harness.data.decoding_key import decoding_key
from harness.data.schema import Integers, Split
from harness.errors import HarnessError

DECODING_THREADS = 4  # Pillow lets go of the interpreter while it decodes
CHUNK = 256

Pixels = Callable[[Integers], Tensor]  # rows (B,) -> (B, 3, H, W) uint8


def cache_bytes(images: int, size: tuple[int, int]) -> int:
    """Return how many bytes a cache of so many images of (height, width) takes."""
    return images * 3 * size[0] * size[1]


def pixel_folder(fingerprint: str) -> Path:
    """Return the folder of the cache for what this decoder makes of a dataset's content."""
    return paths.cache_folder() / "pixels" / f"{fingerprint[:24]}-{decoding_key()}"


def cache_file(folder: Path, split: str, size: tuple[int, int]) -> Path:
    """Return the file of the decoded images of a split at (height, width)."""
    return folder / f"{split}-{size[0]}x{size[1]}.npy"


def open_pixels(
    split: Split,
    size: tuple[int, int],
    cache: Path | None,
    progress: Callable[[int, int], None] | None = None,
) -> Pixels:
    """Return a reader of a split's images at (height, width).

    Args:
        cache: a folder that stands for the dataset's content and the decoder (`pixel_folder`);
            None decodes at every access.
        progress: called with images done and images in all while the cache is filled.

    Raises:
        HarnessError: an image cannot be decoded, and the message names it, or the disk of the
            cache has no room.
    """
    if cache is None:
        return lambda rows: torch.from_numpy(_decode_rows(split, rows, size))
    file = cache_file(cache, split.name, size)
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
        _refuse_too_large(cache_bytes(len(split.image_ids), size), file.parent, split.name)
        unfinished = file.with_suffix(".unfinished.npy")
        with open(unfinished, "wb") as out:
            _write(out, split, size, progress or (lambda done, count: None))
            os.fsync(out.fileno())
        unfinished.replace(file)


def _refuse_too_large(needed: int, folder: Path, name: str) -> None:
    """Refuse a cache for which there is no room, before a part of it is written.

    Raises:
        HarnessError: with what is needed, what is free, and what to do.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise HarnessError(
            f"The decoded images of split {name} take {needed / 1e6:,.1f} MB, and {folder} has "
            f"{free / 1e6:,.1f} MB free. Set HARNESS_CACHE to a folder on a larger disk, or give "
            "--pixel-cache off, which decodes images at every access."
        )


def _write(
    out: BinaryIO, split: Split, size: tuple[int, int], progress: Callable[[int, int], None]
) -> None:
    """Write a split's pixels as an array of NumPy's format, a chunk after the other."""
    count = len(split.image_ids)
    images = np.empty((min(CHUNK, count), 3, *size), np.uint8)  # (chunk, 3, H, W)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, 3, *size)}
    np.lib.format.write_array_header_1_0(out, header)
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        for start in range(0, count, CHUNK):
            rows = range(start, min(start + CHUNK, count))
            list(pool.map(lambda row: _decode(split, row, images[row % CHUNK]), rows))
            out.write(images[: len(rows)].data)
            progress(rows.stop, count)


def _decode_rows(split: Split, rows: Integers, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode rows to (B, 3, H, W)."""
    images = np.empty((len(rows), 3, *size), np.uint8)  # (B, 3, H, W)
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        list(pool.map(lambda row, image: _decode(split, int(row), image), rows, images))
    return images


def _decode(split: Split, row: int, into: NDArray[np.uint8]) -> None:
    """Decode a row into its place, (3, H, W)."""
    _, height, width = into.shape
    name = f"Split {split.name}, image {split.image_ids[row]!r}"
    try:
        encoded = split.encoded(row)
    except Exception as error:
        raise HarnessError(f"{name} cannot be read: {error}") from error
    try:
        into[:] = decode(encoded, (height, width))
    except ValueError as error:
        raise HarnessError(f"{name} {error}") from error
