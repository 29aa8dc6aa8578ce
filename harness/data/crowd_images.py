"""The images of a crowd: drawn once and kept, or decoded from where they lie.

To draw a person takes longer than to encode the drawing with a small encoder, and all methods are
asked among the same: so what is drawn stays in the cache, 9 kB an image.

Shapes: b images, H and W the height and width that a method takes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from harness import paths
from harness.data.crowds import Crowd
from harness.data.decoding import decode, read_file
from harness.errors import HarnessError
from harness.files import process_tag

CHUNK = 1000  # images that are drawn, encoded and kept together
DECODING_THREADS = 4  # Pillow lets go of the interpreter while it decodes

Pixels = NDArray[np.uint8]
Images = Callable[[int, int], Pixels]  # the first and the one behind the last -> (b, 3, H, W)


def open_crowd(crowd: Crowd, size: tuple[int, int]) -> Images:
    """Return a reader of a crowd's images at (height, width); those that are drawn are kept."""
    if crowd.look:
        drawn = Drawn(crowd)
        return lambda start, stop: _resized(drawn.images(start, stop), size)
    return functools.partial(_decode_files, _reader(crowd), crowd, size)


class Drawn:
    """Drawn people as they are kept: chunk by chunk, as they were drawn, each whole or absent."""

    def __init__(self, crowd: Crowd) -> None:
        self._look = crowd.look
        self._folder = paths.cache_folder() / "crowds" / f"drawn-{crowd.content[:24]}"
        self._folder.mkdir(parents=True, exist_ok=True)

    def images(self, start: int, stop: int) -> Pixels:
        """Return (b, height, width, 3), drawing what is not there."""
        parts = []
        for number in range(start // CHUNK, -(-stop // CHUNK)):
            first = number * CHUNK
            rows = slice(max(start - first, 0), min(stop - first, CHUNK))
            parts.append(self._chunk(number, rows.stop)[rows])
        return np.concatenate(parts)

    def _chunk(self, number: int, needed: int) -> Pixels:
        """Return a chunk with as many images as are needed; who needs it at once waits."""
        file = self._folder / f"{number:06d}.npy"
        with FileLock(file.with_suffix(".lock")):
            kept = read_array(file)
            if kept is not None and len(kept) >= needed:
                return kept
            known = 0 if kept is None else len(kept)
            drawn = [self._draw(number * CHUNK + row) for row in range(known, needed)]
            whole = np.stack(drawn) if kept is None else np.concatenate([kept, np.stack(drawn)])
            write_array(file, whole)
            return whole

    def _draw(self, number: int) -> Pixels:
        from harness.data.paperdolls.looks import DATASETS
        from harness.data.paperdolls.strangers import draw_stranger

        return np.asarray(draw_stranger(number, DATASETS[self._look], _known(self._look)))


@functools.cache
def _known(look: str) -> frozenset[bytes]:
    from harness.data.paperdolls.looks import DATASETS
    from harness.data.paperdolls.strangers import people_of_test

    return people_of_test(DATASETS[look])


def _resized(images: Pixels, size: tuple[int, int]) -> Pixels:
    """Bring drawn images (b, height, width, 3) to (b, 3, H, W), as `decode` does."""
    height, width = size
    if images.shape[1:3] != size:
        resized = [
            np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC))
            for one in images
        ]
        images = np.stack(resized)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def _decode_files(
    read: Callable[[str], bytes], crowd: Crowd, size: tuple[int, int], start: int, stop: int
) -> Pixels:
    """Decode images that are not drawn. Raises HarnessError for one that is not what it was."""

    def decode_one(name: str) -> Pixels:
        try:
            return decode(read(name), size)
        except (OSError, ValueError) as error:
            told = f"{name} of {crowd.title} was an image a moment ago, and now {error}."
            raise HarnessError(told) from error

    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        return np.stack(list(pool.map(decode_one, crowd.files[start:stop])))


def _reader(crowd: Crowd) -> Callable[[str], bytes]:
    """Return what reads an image file of a crowd by its name."""
    if crowd.folder:
        folder = crowd.folder
        return lambda name: read_file(folder / name)
    from harness.data.loading import load_split

    assert crowd.located is not None
    located = crowd.located
    splits = functools.cache(lambda name: load_split(located, name))

    def read(name: str) -> bytes:
        split, _, row = name.partition("/")
        return splits(split).encoded(int(row))

    return read


def read_array(file: Path) -> NDArray[Any] | None:
    """Return an array of a file, mapped into memory; None where there is none, or not a whole."""
    with suppress(OSError, ValueError, EOFError):
        found: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        return found
    return None


def write_array(file: Path, values: NDArray[Any]) -> None:
    """Write an array as a file that is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    with unfinished.open("wb") as out:
        np.save(out, values)
    unfinished.replace(file)
