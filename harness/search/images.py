"""The images of a folder: found, read and decoded; no torch here.

Names come from anywhere and files may hold anything: what is no image of a person is told and
passed over, nothing outside the folder is read unless links are followed, and nothing large is
decoded.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.data.decoding import decode, decode_whole, read_file
from harness.data.image_kinds import readable_suffixes, why_unread

THUMBNAIL = 192  # pixels of height: two for each that a page shows
QUALITY = 80  # of its JPEG


@dataclass(frozen=True)
class Found:
    """What a folder holds, by path within it and in the order of paths."""

    images: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]  # path, why
    others: int  # files whose names are not those of images


@dataclass(frozen=True)
class ReadImage:
    """The content of an image file: pixels (3, H, W), or why there are none."""

    digest: bytes  # SHA-256 of the file
    pixels: NDArray[np.uint8] | None = None  # None where they are known already or broken
    problem: str = ""


def find_images(folder: Path, follow_links: bool = False) -> Found:
    """Return the image files below a folder; what begins with a dot is left aside.

    Links are passed over, or followed: linked folders last and in the order of their paths, and no
    folder twice, so that a loop of links ends.
    """
    walk = _Walk(folder, follow_links)
    while walk.waiting or walk.linked:
        if not walk.waiting:
            walk.linked.sort(reverse=True)
            walk.waiting.append(walk.linked.pop())
        walk.enter(walk.waiting.pop())
    return Found(tuple(sorted(walk.images)), tuple(sorted(walk.passed_over)), walk.others)


class _Walk:
    """What was found so far, and the folders that are still to be entered."""

    def __init__(self, folder: Path, follow_links: bool) -> None:
        self.images: list[str] = []
        self.passed_over: list[tuple[str, str]] = []
        self.others = 0  # files whose names are not those of images
        self.waiting: list[str] = [str(folder)]
        self.linked: list[str] = []
        self._folder = folder
        self._follow_links = follow_links
        self._entered: set[str] = set()

    def enter(self, place: str) -> None:
        """Look at what lies in a folder."""
        real = os.path.realpath(place)
        if real in self._entered:
            self._pass_over(place, "is a link to a folder that was searched already")
            return
        self._entered.add(real)
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            self._pass_over(place, f"cannot be opened: {error.strerror}")
            return
        for entry in entries:
            if not entry.name.startswith("."):
                self._look_at(entry)

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        if not entry.is_symlink():
            self._take(entry, self.waiting)
        elif not self._follow_links:
            self._pass_over(entry.path, "is a link, which --follow-links follows")
        else:
            try:
                entry.stat()
            except OSError as error:
                self._pass_over(entry.path, f"is a link that cannot be followed: {error.strerror}")
            else:
                self._take(entry, self.linked)

    def _take(self, entry: os.DirEntry[str], folders: list[str]) -> None:
        suffix = Path(entry.name).suffix.lower()
        if entry.is_dir():
            folders.append(entry.path)
        elif suffix in readable_suffixes():
            if entry.is_file():
                self.images.append(_within(self._folder, entry.path))
            else:
                self._pass_over(entry.path, "is no file")
        elif why := why_unread(suffix):
            self._pass_over(entry.path, why)
        else:
            self.others += 1

    def _pass_over(self, path: str, why: str) -> None:
        self.passed_over.append((_within(self._folder, path), why))


def read_image(file: Path, size: tuple[int, int], known: Container[bytes]) -> ReadImage:
    """Read a file and, unless its content is known, decode it to (height, width)."""
    try:
        encoded = read_file(file)
    except (OSError, ValueError) as error:
        return ReadImage(b"", problem=_shortened(error))
    digest = hashlib.sha256(encoded).digest()
    if digest in known:
        return ReadImage(digest)
    try:
        return ReadImage(digest, decode(encoded, size))
    except ValueError as error:
        return ReadImage(digest, problem=_shortened(error))


def make_thumbnail(file: Path) -> bytes | None:
    """Return a small JPEG of an image file, without its metadata; None where it is gone."""
    small = io.BytesIO()
    try:
        image = decode_whole(read_file(file))
    except (OSError, ValueError):
        return None
    image.thumbnail((2 * THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)
    image.save(small, "JPEG", quality=QUALITY)
    return small.getvalue()


def _within(folder: Path, path: str | Path) -> str:
    return os.path.relpath(path, folder)


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
