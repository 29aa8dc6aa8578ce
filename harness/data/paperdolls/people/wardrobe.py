"""What people can look like: kinds, garments, colours and how common each is (relative weights)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Weights = Mapping[str, float]

WEIGHT_OF_KIND: Weights = {
    "man": 5, "woman": 5, "boy": 1.5, "girl": 1.5, "older man": 1.2, "older woman": 1.2,
}  # fmt: skip
SKINS = ("pale", "light", "tan", "brown", "dark")
GLASSES: Weights = {"none": 6.5, "glasses": 2.2, "sunglasses": 1.3}
OPTIONAL: Weights = {
    "hat": 0.3,
    "scarf": 0.15,
    "bag": 0.7,
    "item": 0.4,
}  # probabilities

HAIR_COLOURS: Mapping[str, Weights] = {
    "young": {"black": 4, "brown": 3.5, "blond": 2, "red": 1},
    "older": {"gray": 4, "white": 4, "black": 1, "brown": 1},
}
CLOTH_COLOURS: Weights = {
    "black": 2, "white": 1.8, "gray": 1.5, "red": 1.4, "maroon": 0.8, "pink": 1, "orange": 0.9,
    "yellow": 1, "green": 1, "olive": 0.8, "turquoise": 0.8, "light blue": 1, "blue": 1.4,
    "navy": 1, "purple": 0.9, "brown": 0.9, "beige": 1,
}  # fmt: skip
LEG_COLOURS: Weights = {
    "black": 2.5, "white": 0.8, "gray": 1.5, "navy": 1.3, "blue": 1, "brown": 1, "beige": 1.2,
    "olive": 0.9, "red": 0.6, "maroon": 0.5, "green": 0.5, "purple": 0.4, "pink": 0.5,
}  # fmt: skip
DENIM_COLOURS: Weights = {
    "blue": 3,
    "light blue": 2,
    "navy": 2,
    "black": 1.5,
    "gray": 1,
}
SHOE_COLOURS: Weights = {
    "black": 2.5, "white": 2.5, "gray": 1, "red": 1, "blue": 1, "brown": 1.4, "yellow": 0.6,
    "pink": 0.6, "green": 0.6, "beige": 0.8,
}  # fmt: skip
ACCESSORY_COLOURS: Weights = {
    "black": 2.2, "red": 1.2, "blue": 1.1, "brown": 1.2, "gray": 1, "green": 0.9, "yellow": 0.8,
    "pink": 0.8, "purple": 0.7, "orange": 0.8, "white": 0.9, "beige": 0.7, "navy": 0.8,
}  # fmt: skip

# Lower garments that a coat covers altogether.
COVERED_BY_COAT = frozenset({"shorts", "skirt"})

# Garments that show another colour below, and the patterns each garment comes in.
OPEN_UPPERS = frozenset({"jacket", "coat", "vest"})
_PLAIN: Weights = {"plain": 1}
_PRINTED: Weights = {
    "plain": 4, "striped": 1.6, "checked": 0.6, "dotted": 0.8, "logo": 1.5, "two-tone": 1,
}  # fmt: skip
PATTERNS: Mapping[str, Weights] = {
    "T-shirt": _PRINTED,
    "shirt": {"plain": 3, "striped": 1.3, "checked": 2.2, "dotted": 0.6},
    "hoodie": {"plain": 4, "logo": 2, "two-tone": 1.5, "striped": 0.6},
    "sweater": {"plain": 4, "striped": 2, "two-tone": 1, "dotted": 0.4, "checked": 0.5},
    "tank top": {"plain": 3, "striped": 1, "logo": 0.8},
    "dress": {
        "plain": 3,
        "dotted": 1.5,
        "striped": 1.2,
        "checked": 0.8,
        "two-tone": 0.6,
    },
    "jacket": {"plain": 5, "two-tone": 1},
    "coat": {"plain": 5, "checked": 1},
    "vest": _PLAIN,
}


@dataclass(frozen=True)
class Wardrobe:
    """What one kind of person wears and carries."""

    hair: Weights
    uppers: Weights
    lowers: Weights
    shoes: Weights
    hats: Weights
    bags: Weights
    items: Weights
    beard: float = 0.0  # probability


_ITEMS: Weights = {"umbrella": 1, "phone": 1, "bottle": 1, "book": 1, "cup": 0.8}
_MAN = Wardrobe(
    hair={"short": 5, "curly": 1.2, "bald": 1, "medium": 0.8, "long": 0.3},
    uppers={"T-shirt": 4, "shirt": 2.5, "jacket": 2.5, "hoodie": 2, "sweater": 1.6, "coat": 1.2,
            "vest": 1, "tank top": 0.5},
    lowers={"trousers": 4, "jeans": 3.5, "shorts": 2, "track pants": 1.2},
    shoes={"sneakers": 4, "leather shoes": 2, "boots": 1.2, "sandals": 0.7},
    hats={"cap": 3, "beanie": 1.5, "wide hat": 0.7},
    bags={"backpack": 3, "shoulder bag": 1.6, "suitcase": 1, "shopping bag": 0.8},
    items=_ITEMS,
    beard=0.25,
)  # fmt: skip
_WOMAN = Wardrobe(
    hair={"long": 4, "medium": 2, "ponytail": 2, "bun": 1.2, "short": 0.8, "curly": 1},
    uppers={"T-shirt": 3, "shirt": 2, "jacket": 2, "hoodie": 1, "sweater": 1.8, "coat": 1.5,
            "dress": 3, "vest": 0.7, "tank top": 0.9},
    lowers={"trousers": 2.5, "jeans": 3, "shorts": 1.3, "skirt": 2.2, "long skirt": 1,
            "leggings": 1.4},
    shoes={"sneakers": 3, "heels": 2, "boots": 1.6, "sandals": 1.3, "leather shoes": 0.6},
    hats={"cap": 1, "beanie": 1.3, "wide hat": 1.5},
    bags={"handbag": 2.5, "shoulder bag": 1.8, "backpack": 1.5, "suitcase": 0.9,
          "shopping bag": 0.9},
    items=_ITEMS,
)  # fmt: skip
_BOY = Wardrobe(
    hair={"short": 5, "curly": 1.2, "medium": 0.8},
    uppers={
        "T-shirt": 4,
        "shirt": 1,
        "jacket": 1.5,
        "hoodie": 2.5,
        "sweater": 1.5,
        "vest": 0.5,
    },
    lowers={"trousers": 2, "jeans": 3, "shorts": 3, "track pants": 2},
    shoes={"sneakers": 5, "boots": 1, "sandals": 1},
    hats={"cap": 3, "beanie": 2},
    bags={"backpack": 5, "shoulder bag": 1},
    items={"umbrella": 1, "bottle": 1, "book": 1.5, "phone": 0.5},
)
_GIRL = Wardrobe(
    hair={"long": 3, "ponytail": 3, "medium": 2, "bun": 1, "curly": 1},
    uppers={
        "T-shirt": 3,
        "dress": 3,
        "jacket": 1.2,
        "hoodie": 1.5,
        "sweater": 1.5,
        "vest": 0.4,
    },
    lowers={"trousers": 1.5, "jeans": 2.5, "shorts": 2, "skirt": 2.5, "leggings": 2},
    shoes={"sneakers": 4, "boots": 1.5, "sandals": 1.5},
    hats={"cap": 1, "beanie": 2, "wide hat": 1.2},
    bags={"backpack": 4, "shoulder bag": 1, "handbag": 0.7},
    items={"umbrella": 1, "bottle": 1, "book": 1.5, "phone": 0.5},
)
WARDROBES: Mapping[str, Wardrobe] = {
    "man": _MAN,
    "woman": _WOMAN,
    "boy": _BOY,
    "girl": _GIRL,
    "older man": _MAN,
    "older woman": _WOMAN,
}

_SPECIAL_COLOURS: Mapping[str, Weights] = {
    "jeans": DENIM_COLOURS,
    "trousers": LEG_COLOURS,
    "shorts": LEG_COLOURS,
    "track pants": LEG_COLOURS,
    "leggings": LEG_COLOURS,
    "sneakers": SHOE_COLOURS,
    "sandals": SHOE_COLOURS,
    "boots": {"black": 3, "brown": 3, "beige": 1, "red": 1, "yellow": 0.8, "gray": 1},
    "leather shoes": {"black": 4, "brown": 4, "white": 1, "beige": 1},
    "heels": {"black": 3, "red": 2, "beige": 1.5, "white": 1.2, "pink": 1},
    "phone": {"black": 1},
    "cup": {"white": 1},
}
_CLOTHES = frozenset({"skirt", "long skirt", *PATTERNS})


def colours_of(kind: str) -> Weights:
    """Return the colours that a garment, a bag or anything else comes in."""
    return _SPECIAL_COLOURS.get(kind) or (CLOTH_COLOURS if kind in _CLOTHES else ACCESSORY_COLOURS)
