"""How opaque the pixels of an image file are; no torch here.

This is the part of the rule of `harness.data.decoding` that is about transparency. A PNG without
alpha may name one transparent colour, by its samples as they are stored. Pillow compares it with
samples that it has spread to 255, or with the upper eight bits of 16, and so misses it.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SPREAD = {"L;2": 85, "L;4": 17}  # by how samples are stored: what Pillow multiplies them by
GREY = "I;16B"
COLOURS = "RGB;16B"  # of 16 bits, of which Pillow reads the upper eight
LOWER = "RGB;16L"  # the same bytes, as if the other eight were the upper ones


def stored_as(image: Image.Image) -> str:
    """Return how the samples of a PNG that is not loaded yet are stored; "" of other kinds."""
    tiles = getattr(image, "tile", ())
    return str(tiles[0].args) if image.format == "PNG" and tiles else ""


def find_alpha(image: Image.Image, stored: str, encoded: bytes) -> Image.Image | None:
    """Return how opaque each pixel of a loaded image is; None where all are."""
    if not image.has_transparency_data:
        return None
    if stored in (*SPREAD, GREY, COLOURS):
        differs = _samples(image, stored, encoded) != np.asarray(image.info["transparency"])
        opaque = differs.any(axis=-1) if stored == COLOURS else differs  # (H, W)
        alpha = Image.fromarray(opaque.astype(np.uint8) * 255)
    else:
        alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema()[0] == 255 else alpha


def _samples(image: Image.Image, stored: str, encoded: bytes) -> NDArray[np.uint16]:
    """Return samples as they are stored: (H, W), or (H, W, 3) of colours."""
    samples = np.asarray(image, np.uint16)
    if stored != COLOURS:
        return samples // np.uint16(SPREAD.get(stored, 1))
    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as again:
        again.tile = [tile._replace(args=LOWER) for tile in again.tile]
        return samples << np.uint16(8) | np.asarray(again, np.uint16)
