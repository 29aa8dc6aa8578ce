"""What people carry: bags, and items in the other hand."""

from __future__ import annotations

from .canvas import Colour, darker, lighter
from .figure import Figure


def draw_bag_behind(figure: Figure) -> None:
    """Draw the part of a bag that the body hides."""
    bag, pen = figure.person.bag, figure.pen
    if bag is None or bag.kind != "backpack":
        return
    colour = figure.cloth[bag.colour]
    if figure.is_side:
        pen.polygon(((-3, 16), (-9.6, 18), (-11, 24), (-11, 36), (-9.4, 38.5), (-3, 38)), colour)
        pen.polygon(((-8, 28), (-11.8, 28.6), (-11.8, 36), (-8, 36.4)), darker(colour, 0.86))
    elif figure.view == "front":
        wide = figure.shoulder
        pen.box(0, 27, wide + 0.9, 10.0, darker(colour, 0.85))


def draw_bag(figure: Figure) -> None:
    """Draw the bag, or what of it lies before the body."""
    bag = figure.person.bag
    if bag is not None:
        _BAGS[bag.kind](figure, figure.cloth[bag.colour])


def draw_item(figure: Figure) -> None:
    """Draw the item in the hand."""
    item = figure.person.item
    if item is None or (figure.view == "back" and figure.raises_item):
        return
    pen, colour = figure.pen, figure.cloth[item.colour]
    x, y = figure.item_arm()[2]
    if item.kind == "umbrella":
        lean = 2.2 if figure.is_side else -0.6
        pen.line(((x, y - 3), (x + lean, y + 27)), 0.9, (60, 50, 46))
        pen.limb(((x + lean * 0.15, y + 3), (x + lean * 0.8, y + 21)), (3.9, 1.6), colour)
        pen.line(((x, y - 3), (x + 1.8, y - 3.4)), 1.0, (110, 76, 44))
    elif item.kind == "bottle":
        pen.box(x, y + 2.2, 1.6, 3.6, colour)
        pen.box(x, y - 2.4, 0.9, 1.1, lighter(colour, 0.6))
    elif item.kind == "book":
        pen.box(x, y - 0.6, 3.2, 4.0, colour)
        pen.line(((x - 2.2, y + 2.8), (x + 2.4, y + 2.8)), 0.9, (250, 248, 238))
    elif item.kind == "phone":
        pen.box(x, y - 2.2, 1.7, 3.0, (20, 20, 24))
        pen.box(x, y - 2.4, 1.0, 2.0, (150, 210, 250))
    else:
        pen.polygon(((x - 1.8, y - 4), (x + 1.8, y - 4), (x + 1.2, y + 1.6), (x - 1.2, y + 1.6)),
                    (246, 244, 238))  # fmt: skip
        pen.line(((x - 2.0, y - 4.2), (x + 2.0, y - 4.2)), 1.0, (120, 80, 50))
        pen.line(((x - 1.4, y - 1.2), (x + 1.4, y - 1.2)), 1.5, (170, 120, 80))
    if figure.raises_item:
        pen.ellipse(x - 1.3, y + 1.2, 1.4, 1.3, figure.skin, edge=True)


def _backpack(figure: Figure, colour: Colour) -> None:
    pen, wide = figure.pen, figure.shoulder
    if figure.view == "back":
        pen.polygon(((-5.4, 17), (-3.6, 15.4), (3.6, 15.4), (5.4, 17), (6.4, 25), (6.4, 37),
                     (5, 39), (-5, 39), (-6.4, 37), (-6.4, 25)), colour)  # fmt: skip
        pen.box(0, 32.5, 4.4, 4.2, darker(colour, 0.86))
        pen.line(((-4.2, 23.6), (4.2, 23.6)), 0.7, darker(colour, 0.55))
        pen.line(((-1.4, 15.6), (0, 14), (1.4, 15.6)), 0.8, darker(colour, 0.55))
    elif figure.is_side:
        pen.line(((-3.4, 16.2), (0.6, 16.8), (2.4, 21), (1.0, 27), (-3.4, 30)), 1.7, colour)
    else:
        for side in (-1, 1):
            strap = [
                (side * (wide - 3.0), 15.2),
                (side * (wide - 3.2), 23),
                (side * (wide - 1.8), 31),
            ]
            pen.line(strap, 2.6, darker(colour, 0.6))
            pen.line(strap, 2.0, colour)


def _shoulder_bag(figure: Figure, colour: Colour) -> None:
    pen = figure.pen
    if figure.is_side:
        pen.line(((-1.0, 15.6), (0.4, 38)), 1.2, darker(colour, 0.75))
        pen.box(0.6, 42.0, 4.6, 4.4, colour)
        pen.line(((-3.8, 41.4), (5.0, 41.4)), 0.7, darker(colour, 0.5))
        return
    hip = figure.hip + 1.6
    strap = [(-figure.shoulder + 3.4, 15.4), (hip - 1.0, 39)]
    pen.line(strap, 1.9, darker(colour, 0.55))
    pen.line(strap, 1.4, colour)
    pen.box(hip, 42.5, 3.8, 4.4, colour)
    pen.line(((hip - 3.4, 41.6), (hip + 3.4, 41.6)), 0.7, darker(colour, 0.5))


def _handbag(figure: Figure, colour: Colour) -> None:
    pen, (x, y) = figure.pen, figure.bag_arm()[2]
    x -= 0.5
    pen.line(((x - 2.2, y + 5), (x - 1.4, y + 0.6), (x + 1.4, y + 0.6), (x + 2.2, y + 5)), 0.9,
             darker(colour, 0.6))  # fmt: skip
    pen.polygon(((x - 2.8, y + 4.4), (x + 2.8, y + 4.4), (x + 4.2, y + 11.4), (x - 4.2, y + 11.4)),
                colour)  # fmt: skip
    pen.box(x, y + 6.2, 0.8, 0.8, (236, 206, 110))


def _shopping_bag(figure: Figure, colour: Colour) -> None:
    pen, (x, y) = figure.pen, figure.bag_arm()[2]
    pen.line(((x - 1.6, y + 4), (x, y), (x + 1.6, y + 4)), 0.8, (80, 70, 66))
    pen.box(x, y + 10.6, 3.9, 6.8, colour)
    pen.line(((x - 2.2, y + 10.4), (x + 2.2, y + 10.4)), 2.0, lighter(colour, 0.65))


def _suitcase(figure: Figure, colour: Colour) -> None:
    pen, (x, y) = figure.pen, figure.bag_arm()[2]
    away = x - 3.4 if figure.is_side else x - 0.9
    for side in (-1.3, 1.3):
        pen.line(((away + side, 64), (x + side * 0.8, y + 1)), 0.7, (96, 98, 104))
    pen.line(((x - 1.4, y + 0.8), (x + 1.4, y + 0.8)), 1.1, (60, 60, 64))
    pen.box(away, 72, 4.6, 9.4, colour)
    for height in (67.5, 72.0, 76.5):
        pen.line(((away - 3.8, height), (away + 3.8, height)), 0.6, darker(colour, 0.65))
    for side in (-3, 3):
        pen.ellipse(away + side, 82.4, 1.2, 1.2, (30, 30, 32))


_BAGS = {
    "backpack": _backpack,
    "shoulder bag": _shoulder_bag,
    "handbag": _handbag,
    "shopping bag": _shopping_bag,
    "suitcase": _suitcase,
}
