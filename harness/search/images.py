"""The images of a folder: found, read and decoded; no torch here.

Names come from anywhere and files may hold anything: what is no image of a person is told and
passed over, nothing outside the folder is read, and nothing large is decoded.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from harness.data.importing.images import MOST_BYTES, MOST_PIXELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
# A JPEG is decoded at a half, a quarter or an eighth of its size where that is still as many times
# as large as asked for: photographs are, crops of people are not and keep every pixel.
SPARE = 2
THUMBNAIL = 192  # pixels of height: two for each that a page shows
QUALITY = 80  # of its JPEG


@dataclass(frozen=True)
class Found:
    """What a folder holds, by path within it and in the order of paths."""

    images: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]  # path, why


@dataclass(frozen=True)
class ReadImage:
    """The content of an image file: pixels (3, H, W), or why there are none."""

    digest: bytes  # SHA-256 of the file
    pixels: NDArray[np.uint8] | None = None  # None where they are known already or broken
    problem: str = ""


def find_images(folder: Path) -> Found:
    """Return the image files below a folder; links and what begins with a dot are left aside."""
    images: list[str] = []
    passed_over: list[tuple[str, str]] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            passed_over.append((_within(folder, place), f"cannot be opened: {error.strerror}"))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_symlink():
                passed_over.append((_within(folder, entry.path), "is a link"))
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                images.append(_within(folder, entry.path))
    return Found(tuple(sorted(images)), tuple(sorted(passed_over)))


def read_image(file: Path, size: tuple[int, int], known: Container[bytes]) -> ReadImage:
    """Read a file and, unless its content is known, decode it to (height, width)."""
    try:
        encoded = _read(file)
    except (OSError, ValueError) as error:
        return ReadImage(b"", problem=_shortened(error))
    digest = hashlib.sha256(encoded).digest()
    if digest in known:
        return ReadImage(digest)
    try:
        return ReadImage(digest, decode(encoded, size))
    except ValueError as error:
        return ReadImage(digest, problem=_shortened(error))


def decode(encoded: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image file to (3, H, W) at (height, width), upright as its camera was held.

    Raises:
        ValueError: it cannot be decoded or is too large; the message says why.
    """
    height, width = size
    image = _open(encoded, SPARE * max(size))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))  # (3, H, W)


def make_thumbnail(file: Path) -> bytes | None:
    """Return a small JPEG of an image file, without its metadata; None where it is gone."""
    small = io.BytesIO()
    try:
        image = _open(_read(file), SPARE * THUMBNAIL)
        image.thumbnail((2 * THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC)
        image.save(small, "JPEG", quality=QUALITY, exif=b"", icc_profile=None)
    except (OSError, ValueError):
        return None
    return small.getvalue()


def _read(file: Path) -> bytes:
    if (size := file.stat().st_size) > MOST_BYTES:
        raise ValueError(f"has {size:,} bytes, more than {MOST_BYTES:,}")
    return file.read_bytes()


def _open(encoded: bytes, enough: int) -> Any:
    """Return an image in RGB, of which `enough` pixels a side will do."""
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"has {width} x {height} pixels, more than {MOST_PIXELS:,}")
            opened.draft("RGB", (enough, enough))
            return _upright(opened).convert("RGB")
    except ValueError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(f"is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # of broken files: without a common base
        raise ValueError(f"cannot be decoded: {error or type(error).__name__}") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its metadata say; where those are broken, it stays as it is."""
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except Exception:  # as above: the pixels may be whole all the same, and tell if they are not
        return image


def _within(folder: Path, path: str | Path) -> str:
    return os.path.relpath(path, folder)


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
