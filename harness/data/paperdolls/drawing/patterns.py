"""Stripes, checks, dots and other patterns, laid over a garment that is drawn already."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from PIL import Image, ImageChops, ImageDraw

from .canvas import CANVAS_SIZE, Colour, Pen, darker
from .figure import Figure

WHITE: Colour = (255, 255, 255)


def lay_pattern(figure: Figure, shape: Callable[[Pen], None], shade: float = 1.0) -> None:
    """Lay the pattern's second colour over the shape, which is given by how to draw it in white."""
    upper, pen = figure.person.upper, figure.pen
    if upper.second is None or upper.pattern == "logo":
        return
    stencil = Pen(Image.new("RGB", CANVAS_SIZE), pen.frame)
    shape(stencil)
    mask = ImageChops.darker(stencil.image.getchannel(0), _marks(upper.pattern, pen))
    if box := mask.getbbox():
        second = darker(figure.cloth[upper.second], shade)
        pen.image.paste(second, box, mask.crop(box))


def draw_logo(figure: Figure) -> None:
    """Draw a badge on the chest, where there is one."""
    upper, pen = figure.person.upper, figure.pen
    if upper.second is None or upper.pattern != "logo" or figure.view != "front":
        return
    pen.ellipse(0, 25.5, 3.7, 3.7, figure.cloth[upper.second])
    arrow = ((-2.0, 24.4), (0, 27.6), (2.0, 24.4), (0, 23.4))
    pen.polygon(arrow, figure.cloth[upper.colour], edge=False)


def _marks(pattern: str, pen: Pen) -> Image.Image:
    """Return where a pattern shows its second colour, white on black."""
    if pattern == "two-tone":
        marks = Image.new("L", CANVAS_SIZE)
        ImageDraw.Draw(marks).rectangle((0, 0, CANVAS_SIZE[0], pen.place(0, 26.5)[1]), 255)
        return marks
    return _repeated(pattern)


@cache
def _repeated(pattern: str) -> Image.Image:
    width, height = CANVAS_SIZE
    marks = Image.new("L", CANVAS_SIZE)
    draw = ImageDraw.Draw(marks)
    if pattern == "striped":
        for top in range(0, height, 20):
            draw.rectangle((0, top, width, top + 9), 255)
    elif pattern == "checked":
        for top in range(0, height, 18):
            draw.rectangle((0, top, width, top + 5), 255)
        for left in range(0, width, 18):
            draw.rectangle((left, 0, left + 5, height), 255)
    else:
        for row, top in enumerate(range(0, height, 14)):
            for left in range(8 * (row % 2), width, 16):
                draw.ellipse((left, top, left + 7, top + 7), 255)
    return marks
