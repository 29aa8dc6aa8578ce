"""A contact sheet: families of PaperDolls with their images and a caption each.

`python -m harness.data.paperdolls.sheet docs/paperdolls.png` draws the one in the README.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import islice

from PIL import Image, ImageDraw, ImageFont

from .build import Photo, photographs_of
from .drawing.canvas import HEIGHT, WIDTH
from .looks import PAPERDOLLS, Sizes
from .people.attributes import Person
from .people.families import families

_PAPER, _INK, _FAINT = (252, 250, 246), (44, 42, 40), (132, 126, 120)
_GAP, _MARGIN = 6, 28
_LINE, _LETTER = 17, 6.3  # height of a line and mean width of a letter, in pixels
_CAPTION_LINES = 5


def contact_sheet(
    numbers: Sequence[int] = (1, 6, 19), seed: int = 0, zoom: int = 3, images: int = 3
) -> Image.Image:
    """Return a sheet with a row for each family of the training split, by its number from 0.

    A person has `images` images, at `zoom` times their size, with the first one's caption below.
    """
    listing = list(islice(families("train", seed, PAPERDOLLS.families), max(numbers) + 1))
    block = images * (WIDTH * zoom + 3) + 4 * _GAP
    height = HEIGHT * zoom + (_CAPTION_LINES + 2) * _LINE
    widest = max(len(listing[number]) for number in numbers)
    size = (2 * _MARGIN + widest * block - 4 * _GAP, _MARGIN + len(numbers) * height)
    sheet = Image.new("RGB", size, _PAPER)
    for row, number in enumerate(numbers):
        start = sum(len(family) for family in listing[:number])
        for column, person in enumerate(listing[number]):
            photos = photographs_of(
                person, start + column, "train", seed, Sizes(images=(images, images)), PAPERDOLLS
            )
            place = (_MARGIN + column * block, _MARGIN + row * height)
            _lay_out(sheet, place, list(photos), _difference(listing[number][0], person), zoom)
    return sheet


def _lay_out(
    sheet: Image.Image, place: tuple[int, int], photos: Sequence[Photo], title: str, zoom: int
) -> None:
    """Put one person onto the sheet."""
    left, top = place
    pen = ImageDraw.Draw(sheet)
    pen.text((left, top - _LINE - 1), title, _FAINT, ImageFont.load_default(12.5))
    for turn, photo in enumerate(photos):
        large = photo.image.resize((WIDTH * zoom, HEIGHT * zoom), Image.Resampling.NEAREST)
        sheet.paste(large, (left + turn * (WIDTH * zoom + 3), top))
    width = len(photos) * (WIDTH * zoom + 3)
    lines = textwrap.wrap(photos[0].captions[0].text, int(width / _LETTER))
    for number, line in enumerate(lines):
        height = top + HEIGHT * zoom + 6 + number * _LINE
        pen.text((left, height), line, _INK, ImageFont.load_default(13))


def _difference(base: Person, person: Person) -> str:
    """Return what tells a person from the base of the family."""
    facts = base.facts()
    changed = [name for name, value in person.facts().items() if facts.get(name, "") != value]
    names = sorted({name.split(".")[0] for name in changed})
    return f"differs in: {', '.join(names)}" if names else "first of the family"


if __name__ == "__main__":
    contact_sheet().quantize(256, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)
