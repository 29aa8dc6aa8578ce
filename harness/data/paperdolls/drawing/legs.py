"""Legs, shoes, and what covers the lower body."""

from __future__ import annotations

from .canvas import Colour, Point, darker, lighter
from .figure import Figure, Joints, between

_TROUSER_WIDTHS = {
    "trousers": (7.4, 6.0, 5.4),
    "jeans": (7.0, 5.4, 4.6),
    "track pants": (7.4, 6.2, 4.6),
    "leggings": (6.4, 4.6, 3.4),
}


def draw_legs(figure: Figure) -> None:
    """Draw both legs with what covers them, and the shoes."""
    far, near = figure.legs()
    for leg, shade in ((far, 0.82 if figure.is_side else 1.0), (near, 1.0)):
        _leg(figure, leg, shade)
        _shoe(figure, leg, shade)
        _trouser_leg(figure, leg, shade)
        if figure.person.shoes.kind == "boots":
            _shaft(figure, leg, shade)
    _seat(figure)


def _leg(figure: Figure, leg: Joints, shade: float) -> None:
    thick = figure.build.limb
    widths = (5.4 * thick, 4.2 * thick, 2.9 * thick)
    figure.pen.limb(leg, widths, darker(figure.skin, shade))


def _trouser_leg(figure: Figure, leg: Joints, shade: float) -> None:
    lower, pen, thick = figure.person.lower, figure.pen, figure.build.limb
    if lower is None or lower.kind in ("skirt", "long skirt"):
        return
    colour = darker(figure.cloth[lower.colour], shade)
    hip, knee, ankle = leg
    if lower.kind == "shorts":
        pen.limb((hip, between(hip, knee, 0.92)), (7.4 * thick, 7.0 * thick), colour)
        return
    widths = tuple(width * thick for width in _TROUSER_WIDTHS[lower.kind])
    end = between(knee, ankle, 0.82 if lower.kind == "leggings" else 0.98)
    pen.limb((hip, knee, end), widths, colour)
    if lower.kind == "track pants":
        side = 0.0 if figure.is_side else (2.5 if hip[0] > 0 else -2.5)
        stripe = [(x + side, y) for x, y in (hip, knee, end)]
        pen.line(stripe, 1.3, (240, 240, 240) if sum(colour) < 560 else (40, 40, 44))
    if lower.kind == "jeans":
        seam = lighter(colour, 0.35)
        pen.line((between(hip, knee, 0.3), knee), 1.7, lighter(colour, 0.22))
        pen.line([(end[0] - 2.0, end[1]), (end[0] + 2.0, end[1])], 1.2, seam)


def _seat(figure: Figure) -> None:
    """Draw the part of trousers that joins the legs, or a skirt."""
    lower, pen, hip = figure.person.lower, figure.pen, figure.hip
    if lower is None:
        return
    colour = figure.cloth[lower.colour]
    if lower.kind in ("skirt", "long skirt"):
        hem, wide = (58.0, hip + 2.6) if lower.kind == "skirt" else (74.0, hip + 2.2)
        pen.polygon(((-hip + 1, 37), (hip - 1, 37), (wide, hem), (-wide, hem)), colour)
        for share in (-0.45, 0.1, 0.55):
            pen.line(((share * hip, 42), (share * wide, hem - 1)), 0.5, darker(colour, 0.8))
        return
    inset = 0.6 if lower.kind == "leggings" else 0.0
    wide = hip - inset
    pen.polygon(((-wide, 38), (wide, 38), (wide, 45), (0, 49), (-wide, 45)), colour, edge=False)
    if not figure.is_side:
        pen.line(
            ((0, 43), (0, 60 if lower.kind != "shorts" else 56)),
            0.5,
            darker(colour, 0.6),
        )
    if lower.kind == "jeans" and figure.view == "back":
        for x in (-3.4, 3.4):
            pen.box(x, 46, 1.9, 1.9, lighter(colour, 0.18))


def _shoe(figure: Figure, leg: Joints, shade: float) -> None:
    shoes, pen = figure.person.shoes, figure.pen
    colour = darker(figure.cloth[shoes.colour], shade)
    x, y = leg[2]
    toe = 3.4 if figure.is_side else 0.9 * (1 if leg[0][0] > 0 else -1)
    heel = 2.0 if figure.is_side else 0.0
    sole = y + 4.8
    if shoes.kind == "sandals":
        pen.ellipse(x + toe * 0.5, y + 3.4, 2.2 + toe * 0.35 * figure.is_side, 1.5, figure.skin)
        pen.line(((x - heel - 1.4, sole), (x + abs(toe) + 1.2, sole)), 1.3, colour)
        pen.line(((x - 1.8, y + 1.2), (x + 1.8, y + 1.2)), 1.3, colour)
        pen.line(
            ((x - 1.2 + toe * 0.5, y + 3.0), (x + 1.4 + toe * 0.5, y + 3.0)),
            1.4,
            colour,
        )
        return
    if figure.is_side:
        top = (
            (x - heel, y + 0.4),
            (x + 1.6, y + 0.4),
            (x + 5.0, y + 3.0),
            (x + 5.2, sole),
        )
        pen.polygon((*top, (x - heel - 0.3, sole)), colour)
    else:
        pen.ellipse(x + toe * 0.4, y + 2.4, 2.6, 2.7, colour, edge=True)
    _sole(figure, (x + (1.4 if figure.is_side else toe * 0.4), sole), colour)


def _shaft(figure: Figure, leg: Joints, shade: float) -> None:
    """Draw what of a boot rises over the leg."""
    colour = darker(figure.cloth[figure.person.shoes.colour], shade)
    x, y = leg[2]
    top = (x + (leg[1][0] - x) * 0.4, y - 8.0)
    figure.pen.limb((top, (x, y + 2)), (5.8, 5.0), colour)


def _sole(figure: Figure, middle: Point, colour: Colour) -> None:
    """Draw what tells one kind of shoe from another at the ground."""
    kind, pen = figure.person.shoes.kind, figure.pen
    x, y = middle
    half = 3.6 if figure.is_side else 2.5
    if kind == "sneakers":
        white = (250, 250, 248) if sum(colour) < 660 else (150, 150, 154)
        pen.line(((x - half, y), (x + half, y)), 1.3, white)
    elif kind == "heels":
        pen.ellipse(x, y - 3.4, 1.6, 1.5, figure.skin)
        pen.line(((x - half + 0.5, y - 2), (x - half + 0.5, y + 1)), 0.9, colour)
    elif kind == "leather shoes":
        pen.line(((x - half, y), (x + half, y)), 0.8, darker(colour, 0.4))
        pen.line(((x - 0.8, y - 3.0), (x + 0.6, y - 3.0)), 0.8, lighter(colour, 0.55))
