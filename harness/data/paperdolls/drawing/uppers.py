"""What covers the upper body: torso and arms, with the trim that tells garments apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .canvas import Colour, Point, darker, lighter
from .figure import Figure, Joints, between
from .patterns import WHITE, draw_logo, lay_pattern

# How far a garment reaches down, how loosely it sits and how much it widens, in body units.
_HEM = {"coat": 62.0, "dress": 60.0, "jacket": 43.5, "hoodie": 43.0, "vest": 42.0}
_LOOSE = {"coat": 1.0, "jacket": 0.9, "hoodie": 0.9, "vest": 0.8, "dress": -0.2}
_FLARE = {"coat": 2.0, "dress": 3.4}
_BARE_ARMS = frozenset({"T-shirt", "dress", "tank top"})


def draw_upper(figure: Figure) -> None:
    """Draw torso and pattern; the arms come later, before or behind what is carried."""
    upper, pen = figure.person.upper, figure.pen
    colour = figure.cloth[upper.colour]
    outline = _torso(figure)
    neck = ((-1.9, 11.0), (1.9, 11.0), (2.2, 16.0), (-2.2, 16.0))
    pen.polygon(neck, darker(figure.skin, 0.86))
    pen.polygon(outline, colour)
    lay_pattern(figure, lambda stencil: stencil.polygon(outline, WHITE, edge=False))
    draw_logo(figure)
    if upper.inner:
        _opening(figure, figure.cloth[upper.inner])
    if trim := _TRIMS.get(upper.kind):
        fold = darker(colour, 0.62) if sum(colour) > 150 else lighter(colour, 0.22)
        trim(figure, colour, fold)


def draw_arm(figure: Figure, arm: Joints, shade: float = 1.0) -> None:
    """Draw an arm with its sleeve and hand."""
    upper, pen, thick = figure.person.upper, figure.pen, figure.build.limb
    skin = darker(figure.skin, shade)
    shoulder, elbow, hand = arm
    pen.ellipse(*hand, 1.75, 1.9, skin, edge=True)
    sleeve: tuple[Point, ...] = (shoulder, elbow, between(elbow, hand, 0.86))
    widths: tuple[float, ...] = (5.0 * thick, 4.5 * thick, 3.6)
    if upper.kind in _BARE_ARMS:
        pen.limb(arm, (3.3 * thick, 2.9 * thick, 2.3), skin)
        sleeve, widths = (shoulder, between(shoulder, elbow, 0.68)), (5.0 * thick, 4.9 * thick)
    if upper.kind == "tank top":
        return
    below = upper.inner if upper.kind == "vest" else None
    pen.limb(sleeve, widths, darker(figure.cloth[below or upper.colour], shade))
    lay_pattern(figure, lambda stencil: stencil.band(sleeve, widths, WHITE), shade)


def _torso(figure: Figure) -> list[Point]:
    """Return the outline of what covers the torso."""
    kind, shoulder, waist, hip = figure.person.upper.kind, figure.shoulder, figure.waist, figure.hip
    hem, loose = _HEM.get(kind, 41.6), _LOOSE.get(kind, 0.2)
    yoke = 2.4 if kind == "tank top" else 0.6
    right = [
        (2.6, 14.0),
        (shoulder - yoke - 1.6, 15.6),
        (shoulder - yoke + 0.4, 18.6),
        (shoulder - 1.2 + loose, 24.0),
        (waist + loose, 34.0),
        (hip + loose + 0.2, 41.5),
        (hip + loose + _FLARE.get(kind, 0.0), hem),
    ]
    return right + [(-x, y) for x, y in reversed(right)]


def _opening(figure: Figure, inner: Colour) -> None:
    """Draw what shows below an open garment."""
    if figure.view == "back":
        return
    upper, pen = figure.person.upper, figure.pen
    hem = {"coat": 40.0}.get(upper.kind, 42.0)
    if figure.is_side:
        front = figure.waist + 0.8
        pen.polygon(((1.6, 14.6), (4.6, 18), (front, 34), (front, hem), (front - 2.4, hem),
                     (2.6, 24)), inner, edge=False)  # fmt: skip
        return
    wide = {"coat": 2.4, "vest": 2.0}.get(upper.kind, 2.9)
    pen.polygon(((-2.6, 14.2), (2.6, 14.2), (wide, 24), (wide * 0.8, hem), (-wide * 0.8, hem),
                 (-wide, 24)), inner, edge=False)  # fmt: skip
    for side in (-1, 1):
        collar = ((side * 2.4, 13.8), (side * 4.6, 16.6), (side * 2.9, 21.5))
        pen.polygon(collar, darker(figure.cloth[upper.colour], 0.8), edge=False)
        pen.line(((side * wide, 22), (side * wide * 0.8, hem)), 0.6, (70, 70, 74))


def _neckline(figure: Figure, colour: Colour, fold: Colour) -> None:
    if figure.view == "front":
        deep = 1.8 if figure.person.upper.kind == "T-shirt" else 3.4
        figure.pen.ellipse(0, 14.2, 2.7, deep, figure.skin)


def _collar(figure: Figure, colour: Colour, fold: Colour) -> None:
    for side in (-1, 1):
        corner = ((side * 0.4, 15.2), (side * 3.4, 13.2), (side * 3.2, 17.4))
        figure.pen.polygon(corner, lighter(colour, 0.5))
    if figure.view != "back":
        front = figure.waist - 1.0 if figure.is_side else 0.0
        figure.pen.line(((front, 17), (front, 41)), 0.7, fold)


def _hood(figure: Figure, colour: Colour, fold: Colour) -> None:
    pen = figure.pen
    if figure.view == "back":
        pen.ellipse(0, 17.6, 4.6, 4.2, darker(colour, 0.86), edge=True)
    elif figure.is_side:
        pen.ellipse(-3.6, 16.0, 2.8, 3.2, darker(colour, 0.86), edge=True)
    else:
        pen.line(((-4.4, 14.4), (-2.2, 17.4), (0, 18.2), (2.2, 17.4), (4.4, 14.4)), 1.6, fold)
        for side in (-1.3, 1.3):
            pen.line(((side, 18), (side, 22.5)), 0.6, (235, 235, 230))
        pocket = ((-3.2, 33), (3.2, 33), (4.6, 39.5), (-4.6, 39.5))
        pen.polygon(pocket, darker(colour, 0.85))


def _knit(figure: Figure, colour: Colour, fold: Colour) -> None:
    figure.pen.line(((-figure.waist, 40.6), (figure.waist, 40.6)), 1.6, fold)
    figure.pen.line(((-2.4, 14.6), (0, 15.6), (2.4, 14.6)), 1.3, fold)


def _belt(figure: Figure, colour: Colour, fold: Colour) -> None:
    wide = figure.waist + 0.6
    figure.pen.line(((-wide, 35.0), (wide, 35.0)), 1.3, fold)
    if figure.person.upper.kind == "dress":
        _neckline(figure, colour, fold)
    elif figure.view == "front":
        figure.pen.line(((0, 40), (0, 61)), 0.7, fold)


def _quilting(figure: Figure, colour: Colour, fold: Colour) -> None:
    gap = 2.4 if figure.view == "front" else 0.0
    for height in (22.0, 27.0, 32.0, 37.0):
        for side in (-1, 1):
            seam = ((side * gap, height), (side * (figure.waist + 0.8), height))
            figure.pen.line(seam, 0.6, fold)


# What tells one kind of garment from another: figure, its colour, that of its folds.
_TRIMS: Mapping[str, Callable[[Figure, Colour, Colour], None]] = {
    "T-shirt": _neckline,
    "tank top": _neckline,
    "dress": _belt,
    "coat": _belt,
    "shirt": _collar,
    "hoodie": _hood,
    "sweater": _knit,
    "vest": _quilting,
}
