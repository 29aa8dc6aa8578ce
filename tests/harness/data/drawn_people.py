"""People as they were drawn when they were looked at; run as a script, it draws the picture anew.

A changed pixel changes the fingerprint of the dataset, and outdates every run on it. So the drawing
is changed on purpose or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from harness.data.paperdolls.build import Photo, photographs
from harness.data.paperdolls.looks import DATASETS, PRETRAINING, Look, Sizes

PICTURE = Path(__file__).parent / "drawn_people.png"
CAPTIONS = PICTURE.with_suffix(".txt")  # a line a person, look after look
LOOKS = (*DATASETS.values(), PRETRAINING)
PEOPLE = 48  # of each look, in a row
BLOCK = 8  # pixels whose mean colour the picture holds
PILLOW = "Pillow"  # under which name it says what drew it

Pixels = NDArray[np.uint8]


def describe_people() -> str:
    """Return a caption of the same image of each of them, a line each."""
    lines = []
    for look in LOOKS:
        lines += [photo.captions[0].text for photo in islice(photographs_of(look), PEOPLE)]
    return "\n".join(lines) + "\n"


def photographs_of(look: Look) -> Iterator[Photo]:
    """Yield one image each of the first people of a look."""
    sizes = Sizes(train=PEOPLE, images=(1, 1), captions=1)
    return photographs("train", sizes=sizes, look=look)


def draw_people() -> Pixels:
    """Return one image each of the first people of every look: (H, W, 3), a row a look."""
    rows = []
    for look in LOOKS:
        images = [np.asarray(photo.image) for photo in islice(photographs_of(look), PEOPLE)]
        rows.append(np.concatenate(images, axis=1))
    return np.concatenate(rows)


def shrink(pixels: Pixels) -> Pixels:
    """Return the mean colour of each block: (H / 8, W / 8, 3)."""
    height, width, _ = pixels.shape
    blocks = pixels.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return np.rint(blocks.mean((1, 3))).astype(np.uint8)


def main() -> None:
    """Write the picture and the captions."""
    CAPTIONS.write_text(describe_people(), encoding="utf-8")
    about = PngInfo()
    about.add_text(PILLOW, PIL.__version__)
    Image.fromarray(shrink(draw_people())).save(PICTURE, pnginfo=about, optimize=True)


if __name__ == "__main__":
    main()
