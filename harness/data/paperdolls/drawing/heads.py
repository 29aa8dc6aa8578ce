"""Heads: hair, face, beard, glasses, hats, and the scarf below them."""

from __future__ import annotations

from .canvas import Colour, darker, lighter
from .figure import Figure

_CHIN = 13.2


def draw_hair_behind(figure: Figure) -> None:
    """Draw the hair that hangs behind the body, before the body is drawn."""
    if figure.view == "back":
        return
    pen, size, hair = figure.pen, figure.build.head, darker(figure.hair, 0.9)
    style = figure.person.hair.kind
    back = -2.6 * size if figure.is_side else 0.0
    if style == "long":
        wide = (3.6 if figure.is_side else 5.6) * size
        pen.polygon(_fall(figure, back, wide, 24.0), hair)
    elif style == "medium":
        wide = (3.6 if figure.is_side else 5.4) * size
        pen.polygon(_fall(figure, back, wide, 15.5), hair)
    elif style == "ponytail" and figure.is_side:
        top = _CHIN - 8 * size
        pen.limb(
            ((-4.6 * size, top), (-7.2 * size, top + 5), (-6.6 * size, 21)),
            (2, 3.4, 1.6),
            hair,
        )
    elif style == "ponytail":
        pen.ellipse(0, _CHIN - 11.6 * size, 2.6 * size, 1.8 * size, hair, edge=True)


def draw_head(figure: Figure) -> None:
    """Draw head, face, hair and all that is worn on them."""
    pen, size = figure.pen, figure.build.head
    middle = _CHIN - 6 * size
    if figure.view != "back":
        pen.ellipse(0, middle, 4.5 * size, 6 * size, figure.skin, edge=True)
        _face(figure)
        _hair_around(figure)
    else:
        pen.ellipse(0, middle, 4.5 * size, 6 * size, figure.skin, edge=True)
        _hair_from_behind(figure)
    _eyewear(figure)
    _hat(figure)


def draw_scarf(figure: Figure) -> None:
    """Draw the scarf around the neck, with an end that hangs down."""
    if figure.person.scarf is None:
        return
    pen, colour = figure.pen, figure.cloth[figure.person.scarf.colour]
    wide = 3.9 if figure.is_side else 5.0
    if figure.view != "back":
        x = 2.6 if figure.is_side else -2.6
        pen.polygon(((x - 1.5, 15), (x + 1.5, 15), (x + 1.8, 27), (x - 1.4, 27)), colour)
        pen.line(((x - 1.4, 25.2), (x + 1.7, 25.2)), 0.8, darker(colour, 0.6))
    pen.ellipse(0, 14.6, wide, 2.6, colour, edge=True)
    pen.line(((-wide + 0.8, 15.0), (wide - 0.8, 15.0)), 0.5, darker(colour, 0.7))


def _fall(figure: Figure, x: float, wide: float, end: float) -> list[tuple[float, float]]:
    """Return the outline of hair that falls to the height `end`."""
    top = _CHIN - 9 * figure.build.head
    return [(x - wide * 0.8, top), (x + wide * 0.8, top), (x + wide, end - 3),
            (x + wide * 0.7, end), (x - wide * 0.7, end), (x - wide, end - 3)]  # fmt: skip


def _face(figure: Figure) -> None:
    pen, size = figure.pen, figure.build.head
    eyes, mouth = _CHIN - 6.0 * size, _CHIN - 2.4 * size
    dark = (44, 32, 30)
    lip = (
        (176, 72, 72)
        if figure.person.kind in ("woman", "older woman")
        else darker(figure.skin, 0.6)
    )
    if figure.person.beard:
        _beard(figure)
    if figure.is_side:
        pen.ellipse(4.5 * size, _CHIN - 5 * size, 1.0, 1.1, figure.skin)
        pen.ellipse(2.6 * size, eyes, 0.6, 0.8, dark)
        pen.line(((2.4 * size, mouth), (3.8 * size, mouth)), 0.7, lip)
        return
    for side in (-1, 1):
        pen.ellipse(side * 1.9 * size, eyes, 0.65, 0.85, dark)
    pen.line(((-1.1 * size, mouth), (1.1 * size, mouth)), 0.75, lip)
    pen.line(((0, eyes + 1), (0, eyes + 2.2)), 0.5, darker(figure.skin, 0.8))


def _beard(figure: Figure) -> None:
    pen, size = figure.pen, figure.build.head
    colour = (86, 62, 48) if figure.person.hair.kind == "bald" else figure.hair
    x = 1.4 * size if figure.is_side else 0.0
    wide = (3.2 if figure.is_side else 4.3) * size
    jaw = [(x - wide, _CHIN - 5.2 * size), (x - 0.8 * wide, _CHIN - 3.4 * size),
           (x + 0.8 * wide, _CHIN - 3.4 * size), (x + wide, _CHIN - 5.2 * size),
           (x + 0.8 * wide, _CHIN - 1.0), (x + 0.3 * wide, _CHIN + 0.7),
           (x - 0.3 * wide, _CHIN + 0.7), (x - 0.8 * wide, _CHIN - 1.0)]  # fmt: skip
    pen.polygon(jaw, colour, edge=False)


def _hair_around(figure: Figure) -> None:
    """Draw the hair that frames the face, from the front or the side."""
    pen, size, hair = figure.pen, figure.build.head, figure.hair
    style = figure.person.hair.kind
    if style == "bald":
        return
    top, brow = _CHIN - 12.6 * size, _CHIN - 8.4 * size
    if style == "curly":
        _curls(figure, hair)
        return
    if figure.is_side:
        crown = [(4.3, -8.6), (3.4, -11.6), (0.6, -12.9), (-2.8, -12.0), (-5.0, -8.6), (-5.0, -4.6),
                 (-3.4, -3.2), (-1.4, -5.0), (-0.8, -8.2), (2.2, -9.2)]  # fmt: skip
        pen.polygon([(x * size, _CHIN + y * size) for x, y in crown], hair)
    else:
        crown = [(-4.9, -6.4), (-4.8, -9.4), (-3.2, -12.0), (0, -13.0), (3.2, -12.0), (4.8, -9.4),
                 (4.9, -6.4), (3.9, -8.4), (1.6, -9.4), (-2.0, -8.8), (-3.9, -8.2)]  # fmt: skip
        pen.polygon([(x * size, _CHIN + y * size) for x, y in crown], hair)
    if style in ("long", "medium"):
        _locks(figure, 24.0 if style == "long" else 15.5)
    if style == "bun":
        x = -3.4 * size if figure.is_side else 0.0
        pen.ellipse(x, top - 0.6, 2.6 * size, 2.2 * size, hair, edge=True)
    pen.line(((-2.0 * size, brow - 2.4 * size), (0.6 * size, brow - 3.0 * size)), 0.7,
             lighter(hair, 0.25))  # fmt: skip


def _locks(figure: Figure, end: float) -> None:
    """Draw the hair beside the face."""
    pen, size, hair = figure.pen, figure.build.head, figure.hair
    if figure.is_side:
        pen.polygon([(-5.0 * size, _CHIN - 9 * size), (-0.4 * size, _CHIN - 8.6 * size),
                     (-0.8 * size, _CHIN - 2), (-1.6, end - 1.5), (-4.4, end),
                     (-5.8 * size, end - 3)], hair)  # fmt: skip
        return
    for side in (-1, 1):
        lock = [(3.5, _CHIN - 9 * size), (4.9, _CHIN - 8 * size), (5.6, end - 4), (4.8, end),
                (3.6, end - 1), (3.6, _CHIN - 3 * size)]  # fmt: skip
        pen.polygon([(side * (x * size if y < _CHIN else x), y) for x, y in lock], hair)


def _curls(figure: Figure, hair: Colour) -> None:
    pen, size = figure.pen, figure.build.head
    shift = -1.6 if figure.is_side else 0.0
    rows = [
        (-5.0, -6.6),
        (-5.2, -9.2),
        (-3.6, -11.8),
        (-1.2, -13.2),
        (1.4, -13.2),
        (3.7, -11.8),
    ]
    ends = [(5.2, -9.2), (5.0, -6.6)] if not figure.is_side else [(4.6, -10.4)]
    for x, y in rows + ends:
        pen.ellipse(
            (x + shift) * size,
            _CHIN + y * size,
            2.2 * size,
            2.1 * size,
            hair,
            edge=True,
        )
    pen.ellipse(shift * size, _CHIN - 11.2 * size, 4.2 * size, 1.9 * size, hair)


def _hair_from_behind(figure: Figure) -> None:
    pen, size, hair = figure.pen, figure.build.head, figure.hair
    style = figure.person.hair.kind
    if style == "bald":
        return
    if style == "curly":
        _curls(figure, hair)
        pen.ellipse(0, _CHIN - 7.6 * size, 5.4 * size, 5.2 * size, hair)
        return
    pen.ellipse(0, _CHIN - 7.2 * size, 4.9 * size, 5.6 * size, hair, edge=True)
    if style == "long":
        pen.polygon(_fall(figure, 0, 5.2 * size, 26.0), hair)
        for x in (-2.4, 0.4, 2.8):
            pen.line(((x, 8), (x * 1.1, 24)), 0.5, darker(hair, 0.75))
    elif style == "medium":
        pen.polygon(_fall(figure, 0, 5.4 * size, 15.8), hair)
    elif style == "ponytail":
        pen.limb(((0, 6), (0.4, 14), (0, 24)), (3, 4, 1.8), hair)
        pen.line(((-1.4, 6.4), (1.4, 6.4)), 1.0, (214, 70, 90))
    elif style == "bun":
        pen.ellipse(0, _CHIN - 12.4 * size, 2.8 * size, 2.5 * size, hair, edge=True)


def _eyewear(figure: Figure) -> None:
    kind, pen, size = figure.person.glasses, figure.pen, figure.build.head
    if kind == "none" or figure.view == "back":
        return
    y = _CHIN - 6.0 * size
    frame, glass = (
        (26, 26, 30),
        (24, 24, 30) if kind == "sunglasses" else (214, 232, 240),
    )
    if figure.is_side:
        pen.line(((-1.8 * size, y - 0.5), (3.2 * size, y - 0.5)), 0.8, frame)
        pen.ellipse(3.0 * size, y, 1.5 * size, 1.6 * size, frame)
        pen.ellipse(3.0 * size, y, 0.8 * size, 0.9 * size, glass)
        return
    pen.line(((-4.4 * size, y - 0.4), (4.4 * size, y - 0.4)), 0.7, frame)
    for side in (-1, 1):
        pen.ellipse(side * 2.0 * size, y, 1.8 * size, 1.7 * size, frame)
        pen.ellipse(side * 2.0 * size, y, 1.1 * size, 1.0 * size, glass)


def _hat(figure: Figure) -> None:
    hat, pen, size = figure.person.hat, figure.pen, figure.build.head
    if hat is None:
        return
    colour = figure.cloth[hat.colour]
    brow = _CHIN - 8.8 * size
    top = brow - (5.0 if hat.kind != "beanie" else 5.6) * size
    half = 5.1 * size
    dome = [(-half, brow), (-half * 0.94, brow - 2.8 * size), (-half * 0.5, top),
            (half * 0.5, top), (half * 0.94, brow - 2.8 * size), (half, brow)]  # fmt: skip
    pen.polygon(dome, colour)
    if hat.kind == "wide hat":
        pen.ellipse(0, brow, 9.2 * size**0.5, 1.7, colour, edge=True)
        pen.line(((-half, brow - 1.6), (half, brow - 1.6)), 1.2, darker(colour, 0.5))
    elif hat.kind == "beanie":
        pen.line(((-half, brow - 0.8), (half, brow - 0.8)), 2.4, darker(colour, 0.82))
        pen.ellipse(0, top - 0.8, 1.8, 1.7, lighter(colour, 0.4), edge=True)
    elif figure.is_side:
        tip = 9.2 * size**0.5
        peak = ((2, brow - 0.4), (tip, brow + 0.8), (tip - 0.4, brow + 1.6), (2, brow + 1))
        pen.polygon(peak, darker(colour, 0.85))
    elif figure.view == "front":
        pen.ellipse(0, brow + 0.4, 4.9 * size, 1.4, darker(colour, 0.78), edge=True)
