"""Places behind people, and things that stand before them. All draw on an oversampled canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numpy.random import Generator
from PIL.ImageDraw import ImageDraw

from .canvas import CANVAS_SIZE, OVERSAMPLING, Colour

Painter = Callable[[ImageDraw, Generator], None]

_WIDTH, _HEIGHT = CANVAS_SIZE


def _rect(
    draw: ImageDraw,
    left: float,
    top: float,
    right: float,
    bottom: float,
    colour: Colour,
) -> None:
    """Fill a rectangle given in final pixels."""
    draw.rectangle([side * OVERSAMPLING for side in (left, top, right, bottom)], colour)


def _disc(draw: ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    box = [side * OVERSAMPLING for side in (x - radius, y - radius, x + radius, y + radius)]
    draw.ellipse(box, colour)


def _mall(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-8, 8)
    _rect(draw, 0, 0, 32, 66, (226, 218, 204))
    _rect(draw, shift + 2, 14, shift + 20, 60, (178, 200, 206))
    _rect(draw, shift + 3, 16, shift + 10.5, 60, (196, 214, 218))
    _rect(draw, shift + 24, 10, shift + 26, 66, (196, 184, 166))
    _rect(draw, 0, 5, 32, 9, (206, 178, 146))
    _rect(draw, 0, 66, 32, 96, (204, 196, 186))
    for top in (70, 76, 85):
        _rect(draw, 0, top, 32, top + 0.6, (184, 176, 166))
    for left in (-4, 8, 20, 32):
        draw.line([((left + shift) * 4, 66 * 4), ((left * 1.5 - 6 + shift) * 4, 96 * 4)],
                  (184, 176, 166), 2)  # fmt: skip


def _crossing(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-6, 6)
    _rect(draw, 0, 0, 32, 50, (196, 214, 230))
    _rect(draw, shift - 8, 6, shift + 9, 50, (190, 164, 146))
    _rect(draw, shift + 13, 0, shift + 40, 50, (168, 170, 176))
    for top in (10, 20, 30):
        _rect(draw, shift + 1, top + 1, shift + 5, top + 6, (120, 136, 150))
        _rect(draw, shift + 17, top, shift + 28, top + 5, (126, 146, 164))
    _rect(draw, 0, 50, 32, 58, (178, 174, 168))
    _rect(draw, 0, 58, 32, 96, (112, 114, 118))
    for left in range(-12, 40, 10):
        draw.polygon([((left + shift + dx) * 4, y * 4) for dx, y in
                      ((0, 66), (5, 66), (6, 96), (-1, 96))], (214, 214, 210))  # fmt: skip


def _park(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-7, 7)
    _rect(draw, 0, 0, 32, 40, (190, 216, 232))
    _rect(draw, 0, 36, 32, 51, (120, 160, 102))
    for x, y, radius in ((-2, 26, 11), (10, 20, 9), (26, 24, 12), (38, 20, 10)):
        _disc(draw, x + shift, y, radius, (112, 158, 96))
        _disc(draw, x + shift - 2, y - 3, radius * 0.6, (132, 176, 108))
    _rect(draw, shift + 3, 30, shift + 5, 58, (122, 96, 72))
    _rect(draw, shift + 26, 32, shift + 28, 58, (122, 96, 72))
    _rect(draw, 0, 50, 32, 96, (142, 178, 104))
    draw.polygon([((x + shift) * 4, y * 4) for x, y in ((10, 50), (20, 50), (38, 96), (-8, 96))],
                 (206, 190, 158))  # fmt: skip


def _station(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-10, 10)
    _rect(draw, 0, 0, 32, 62, (148, 156, 164))
    for top in range(4, 62, 7):
        _rect(draw, 0, top, 32, top + 0.5, (132, 140, 150))
    _rect(draw, shift + 4, 12, shift + 24, 34, (92, 122, 140))
    _rect(draw, shift + 5.5, 14, shift + 22.5, 20, (232, 228, 214))
    _rect(draw, shift - 9, 0, shift - 5, 62, (104, 110, 118))
    _rect(draw, 0, 62, 32, 96, (134, 134, 136))
    _rect(draw, 0, 64.5, 32, 67.5, (214, 182, 66))


def _night(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-8, 8)
    _rect(draw, 0, 0, 32, 62, (84, 82, 104))
    for left, top in ((1, 8), (9, 8), (20, 14), (1, 22), (27, 30), (13, 34), (20, 44)):
        lit = (240, 206, 128) if (left + top) % 2 else (70, 72, 94)
        _rect(draw, left + shift, top, left + shift + 4, top + 7, lit)
    _rect(draw, shift + 26, 0, shift + 27, 66, (60, 60, 72))
    _rect(draw, 0, 62, 32, 96, (98, 96, 108))
    _disc(draw, 16 + shift, 92, 15, (126, 120, 116))


def _street(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-10, 10)
    _rect(draw, 0, 0, 32, 58, (194, 186, 172))
    _rect(draw, shift - 6, 0, shift + 8, 58, (206, 176, 148))
    for top in (8, 26):
        for left in (-3, 12, 22, 33):
            _rect(draw, left + shift, top, left + shift + 5.5, top + 11, (134, 146, 156))
    _rect(draw, shift + 9, 38, shift + 30, 52, (142, 64, 58))
    _rect(draw, 0, 58, 32, 63, (164, 160, 154))
    _rect(draw, 0, 63, 32, 96, (180, 178, 174))
    for left in (-12, 0, 12, 24, 36):
        draw.line([((left + shift) * 4, 63 * 4), ((left + shift + 5) * 4, 96 * 4)],
                  (160, 158, 154), 2)  # fmt: skip


def _studio(draw: ImageDraw, rng: Generator) -> None:
    base = int(rng.integers(188, 226))
    _rect(draw, 0, 0, 32, 96, (base, base, base + 8))
    _rect(draw, 0, 78, 32, 96, (base - 22, base - 22, base - 14))


def _brick(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(0, 8)
    _rect(draw, 0, 0, 32, 96, (206, 160, 140))
    for row, top in enumerate(range(0, 74, 5)):
        _rect(draw, 0, top, 32, top + 0.7, (226, 196, 180))
        for left in range(-8, 40, 8):
            edge = left + shift + 4 * (row % 2)
            _rect(draw, edge, top, edge + 0.6, top + 5, (226, 196, 180))
    _rect(draw, 0, 74, 32, 96, (196, 192, 190))


def _beach(draw: ImageDraw, rng: Generator) -> None:
    horizon = rng.uniform(32, 44)
    _rect(draw, 0, 0, 32, horizon, (176, 224, 248))
    _rect(draw, 0, horizon, 32, 58, (88, 176, 212))
    _rect(draw, 0, 58, 32, 96, (244, 226, 180))
    _disc(draw, rng.uniform(2, 30), 8, 4, (255, 248, 204))


def _corridor(draw: ImageDraw, rng: Generator) -> None:
    shift = rng.uniform(-8, 8)
    _rect(draw, 0, 0, 32, 72, (206, 220, 212))
    _rect(draw, shift + 6, 18, shift + 26, 72, (176, 194, 188))
    _rect(draw, 0, 72, 32, 96, (158, 170, 168))


def _post(draw: ImageDraw, rng: Generator) -> None:
    left = rng.uniform(1, 7) if rng.random() < 0.5 else rng.uniform(20, 26)
    _rect(draw, left, 0, left + 4.6, 96, (108, 110, 114))
    _rect(draw, left + 0.8, 0, left + 1.8, 96, (146, 148, 152))


def _hedge(draw: ImageDraw, rng: Generator) -> None:
    top = rng.uniform(76, 82)
    _rect(draw, 0, top + 2, 32, 96, (60, 104, 58))
    for x in range(0, 36, 4):
        _disc(draw, x, top + 2 + rng.uniform(-1, 1), 3.4, (70, 118, 66))


def _car(draw: ImageDraw, rng: Generator) -> None:
    paint: Colour = ((176, 180, 188), (70, 84, 110), (150, 56, 52))[int(rng.integers(3))]
    top = rng.uniform(77, 82)
    draw.rounded_rectangle((-80, top * 4, _WIDTH + 80, _HEIGHT + 40), 36, paint)
    _rect(draw, 0, top + 5.5, 32, top + 6.3, tuple(int(part * 0.7) for part in paint))  # type: ignore[arg-type]  # three parts


def _passer_by(draw: ImageDraw, rng: Generator) -> None:
    side = -2.0 if rng.random() < 0.5 else 34.0
    coat: Colour = ((70, 72, 80), (120, 100, 88), (60, 78, 96))[int(rng.integers(3))]
    top = rng.uniform(14, 26)
    _disc(draw, side, top, 5.5, (96, 70, 54))
    box = [part * 4 for part in (side - 8, top + 6, side + 8, 130)]
    draw.rounded_rectangle(box, 20, coat)


def _railing(draw: ImageDraw, rng: Generator) -> None:
    top = rng.uniform(56, 62)
    for height in (top, top + 9, top + 18):
        _rect(draw, 0, height, 32, height + 1.3, (92, 100, 108))
    post = rng.uniform(3, 29)
    _rect(draw, post, top, post + 1.6, 96, (92, 100, 108))


SCENES: Mapping[str, Painter] = {
    "mall": _mall,
    "crossing": _crossing,
    "park": _park,
    "station": _station,
    "night": _night,
    "street": _street,
    "studio": _studio,
    "brick": _brick,
    "beach": _beach,
    "corridor": _corridor,
}
OCCLUDERS: Mapping[str, Painter] = {
    "post": _post,
    "hedge": _hedge,
    "car": _car,
    "passer-by": _passer_by,
    "railing": _railing,
}
