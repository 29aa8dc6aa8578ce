"""Image files decoded by one rule, whoever looks at them; no torch here.

Training, evaluation, search, thumbnails, import and audit all see an image as this makes it:
eight bits of red, green and blue in sRGB, upright. What a file holds is brought to that, in order:

1. Of several frames or pages, the first.
2. Depth: samples of 16 bits become their upper eight; colours of a PPM, which says what white is,
   the nearest of 255 levels. Grey samples of 32 bits and fractions do not say what white is: it is
   the smallest of 1, 255, 65,535 and 2^32 - 1 that no sample exceeds twice over.
3. Colours: an embedded profile is followed to sRGB, by perceptual intent. One that is broken, that
   belongs to other channels, or that moves no colour by more than two levels is not. Grey,
   palettes, CMYK and Lab without a profile become RGB as Pillow converts them.
4. Transparency: what shows through is white. A transparent colour is compared as it is stored.
5. Orientation: the image is turned as its metadata say; broken metadata turn nothing.

Colours of eight bits with nothing of that keep every sample. Metadata stay behind.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from harness.data.colours import REDUCED, is_deep, to_rgb
from harness.data.image_kinds import readable_formats, why_unidentified
from harness.data.transparency import find_alpha, stored_as
from harness.printable import printable

MOST_PIXELS = 50_000_000  # the benchmarks' crops have well under one million
MOST_BYTES = 100_000_000

TURNED = "turned upright"
FIRST = "the first of several frames"

TURNS = {  # by orientation: what makes an image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PILLOW = r"PIL\."
SILENT = ("ignore", None, Warning, re.compile(PILLOW), 0)  # as `warnings` keeps a filter
PHOTOGRAPH = "MPO"  # a JPEG, beside which its camera stored others


@dataclass(frozen=True)
class Checked:
    """What an image file is, and what decoding changed of it."""

    kind: str  # "JPEG"
    conversions: tuple[str, ...] = ()  # empty where it is used as it is


def read_file(file: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        ValueError: there are more than an image of a person has.
        OSError: it cannot be read.
    """
    _refuse_bytes(file.stat().st_size)
    return file.read_bytes()


def decode(encoded: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image file to (3, H, W) at (height, width).

    Raises:
        ValueError: it is broken, too large or of a kind that is not read; the message goes on
            after its name.
    """
    height, width = size
    image = decode_whole(encoded)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))  # (3, H, W)


def decode_whole(encoded: bytes) -> Image.Image:
    """Decode an image file in its own size; raises as `decode` does."""
    image, _ = _decode(encoded)
    return image


def check_image(encoded: bytes) -> Checked:
    """Decode an image file once and tell what it is; raises as `decode` does."""
    _, checked = _decode(encoded)
    first = (FIRST,) if checked.kind != "JPEG" and _has_more_frames(encoded) else ()
    return Checked(checked.kind, (*first, *checked.conversions))


def _decode(encoded: bytes) -> tuple[Image.Image, Checked]:
    if not encoded:
        raise ValueError("is empty")
    _refuse_bytes(len(encoded))
    _silence()
    try:
        with Image.open(io.BytesIO(encoded), formats=readable_formats()) as opened:
            _refuse_pixels(*opened.size)
            return _apply_rule(opened, encoded)
    except _Refused:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(why_unidentified(encoded)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"has more than {MOST_PIXELS:,} pixels") from error
    except Exception as error:  # of broken files: without a common base
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"cannot be decoded: {printable(reason)}") from error


def _apply_rule(image: Image.Image, encoded: bytes) -> tuple[Image.Image, Checked]:
    kind = "JPEG" if image.format == PHOTOGRAPH else str(image.format)
    told = [REDUCED] if is_deep(image) else []
    stored = stored_as(image)
    # Pillow turns a TIFF while it loads; of a PNG it finds the orientation behind the pixels.
    turned = kind == "TIFF" and _orientation(image) in TURNS
    image.load()
    turn = TURNS.get(_orientation(image))
    image, changed = to_rgb(image, find_alpha(image, stored, encoded))
    told += changed
    if turn is not None:
        image = image.transpose(turn)
    if turned or turn is not None:
        told.append(TURNED)
    return image, Checked(kind, tuple(told))


def _orientation(image: Image.Image) -> int:
    """Return how the camera was held; 1, upright, where the metadata are broken."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as above: the pixels may be whole all the same
        return 1


def _has_more_frames(encoded: bytes) -> bool:
    """Tell whether there are frames after the first, as far as they can be found."""
    try:
        with Image.open(io.BytesIO(encoded), formats=readable_formats()) as opened:
            return bool(getattr(opened, "is_animated", False))
    except Exception:  # as above: the first frame is whole
        return False


class _Refused(ValueError):
    """What is too large to be an image of a person."""


def _refuse_bytes(count: int) -> None:
    if count > MOST_BYTES:
        raise _Refused(f"has {count:,} bytes, more than {MOST_BYTES:,}")


def _refuse_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _Refused(f"has {width} x {height} pixels, more than {MOST_PIXELS:,}")


def _silence() -> None:
    """Keep Pillow from warning, from now on: what matters in a broken file is an error.

    To set a filter and take it back at each image would race, in threads.
    """
    if SILENT not in warnings.filters:
        warnings.filterwarnings("ignore", module=PILLOW)
