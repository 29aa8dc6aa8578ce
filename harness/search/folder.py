"""A folder of images as a gallery: read and decoded ahead in threads, encoded once by content."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from joblib import cpu_count

from harness.data.image_kinds import readable_suffixes
from harness.errors import HarnessError
from harness.progress import Show
from harness.search.cache import StoredEmbeddings
from harness.search.gallery import BATCH, Encode, Floats, Gallery, Images, Integers
from harness.search.images import ReadImage, find_images, make_thumbnail, read_image

AHEAD_BYTES = 2**28  # of pixels that wait to be encoded
KEPT = 1024  # images encoded between two writes to the cache


class FolderReader:
    """The images of a folder, being read from the moment that this is made.

    Decoding lets go of the interpreter, so it goes on while torch is imported and while it encodes.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        stored: StoredEmbeddings,
        follow_links: bool = False,
    ) -> None:
        """`size` is the height and width that a method takes.

        Raises:
            HarnessError: there is no such folder, or no image in it.
        """
        if not folder.is_dir():
            raise HarnessError(f"--gallery {folder}: there is no such folder.")
        found = find_images(folder, follow_links)
        if not found.images:
            kinds = ", ".join(readable_suffixes())
            told = _told(found.passed_over)
            raise HarnessError(f"--gallery {folder}: no image in it ({kinds}){told}.")
        self._folder, self._size, self._stored = folder, size, stored
        self._found = found
        self._waiting: deque[Future[ReadImage]] = deque()
        self._unread = iter(found.images)
        self._pool = ThreadPoolExecutor(cpu_count(), "gallery")
        for _ in range(max(BATCH, AHEAD_BYTES // (3 * size[0] * size[1]))):
            self._read_next()

    def close(self) -> None:
        """Leave aside what is not read yet."""
        self._pool.shutdown(cancel_futures=True)

    def encode(self, encode: Encode, show: Show) -> Gallery:
        """Return the gallery; what was encoded until an interruption is kept for the next time.

        Raises:
            HarnessError: no file of the folder is an image.
        """
        encoding = _Encoding(encode, self._stored)
        passed_over = list(self._found.passed_over)
        digests: dict[str, bytes] = {}
        count = len(self._found.images)
        try:
            for done, (name, image) in enumerate(self._images(), start=1):
                if image.problem:
                    passed_over.append((name, image.problem))
                else:
                    digests[name] = image.digest
                    encoding.take(image)
                show("reading images", done, count)
            encoding.encode_waiting()
        finally:
            encoding.keep()
        if not digests:
            raise HarnessError(f"--gallery {self._folder}: no image in it{_told(passed_over)}.")
        return self._gallery(digests, passed_over)

    def _gallery(self, digests: dict[str, bytes], passed_over: list[tuple[str, str]]) -> Gallery:
        names = tuple(digests)
        return Gallery(
            label=self._folder.absolute().name,
            names=names,
            embeddings=np.stack([self._stored.known[digest] for digest in digests.values()]),
            pixels=partial(_read_pixels, self._folder, names, self._size),
            thumbnail=lambda row: make_thumbnail(self._folder / names[row]),
            order=np.arange(len(names)),
            folder=self._folder,
            passed_over=tuple(sorted(passed_over)),
            others=self._found.others,
        )

    def _images(self) -> Iterator[tuple[str, ReadImage]]:
        for name in self._found.images:
            image = self._waiting.popleft().result()
            self._read_next()
            yield name, image

    def _read_next(self) -> None:
        if name := next(self._unread, None):
            known = self._stored.known
            self._waiting.append(
                self._pool.submit(read_image, self._folder / name, self._size, known)
            )


class _Encoding:
    """Pixels that wait until they are a batch, and embeddings that wait to be kept."""

    def __init__(self, encode: Encode, stored: StoredEmbeddings) -> None:
        self._encode = encode
        self._stored = stored
        self._pixels: dict[bytes, Images] = {}
        self._new: dict[bytes, Floats] = {}

    def take(self, image: ReadImage) -> None:
        """Encode an image with others; one that is known, or a copy of one, is left aside."""
        if image.pixels is not None and image.digest not in self._new:
            self._pixels[image.digest] = image.pixels
        if len(self._pixels) == BATCH:
            self.encode_waiting()
        if len(self._new) >= KEPT:
            self.keep()

    def encode_waiting(self) -> None:
        if self._pixels:
            embeddings = self._encode(np.stack([*self._pixels.values()]))  # (B, D)
            self._new |= zip(self._pixels, embeddings, strict=True)
            self._pixels = {}

    def keep(self) -> None:
        self._stored.add(self._new)
        self._new = {}


def _read_pixels(
    folder: Path, names: tuple[str, ...], size: tuple[int, int], rows: Integers
) -> Images:
    """Decode rows again: (B,) -> (B, 3, H, W)."""
    return np.stack([_read_again(folder / names[row], size) for row in rows])


def _read_again(file: Path, size: tuple[int, int]) -> Images:
    image = read_image(file, size, ())
    if image.pixels is None:
        raise HarnessError(f"{file} was there a moment ago, and now {image.problem}.")
    return image.pixels


def _told(passed_over: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str:
    """Return the first reason why nothing is left, as the end of a message."""
    return f"; {passed_over[0][0]} {passed_over[0][1]}" if passed_over else ""
