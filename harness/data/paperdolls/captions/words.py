"""The words of captions: for everything that can be named, the common forms and the rarer ones.

The first common form is the plainest. Rare forms come up only in looks whose wording asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Forms:
    """Ways to say one thing."""

    common: tuple[str, ...]
    rare: tuple[str, ...] = ()


def _forms(table: Mapping[str, str]) -> dict[str, Forms]:
    """Parse "trousers, pants | slacks": common forms, then rare ones."""
    forms = {}
    for value, text in table.items():
        common, _, rare = text.partition("|")
        forms[value] = Forms(_split(common), _split(rare))
    return forms


def _split(text: str) -> tuple[str, ...]:
    return tuple(form.strip() for form in text.split(",") if form.strip())


KINDS = _forms({
    "man": "man | guy, gentleman, male pedestrian",
    "woman": "woman | lady, female pedestrian",
    "boy": "boy | young boy, lad, schoolboy",
    "girl": "girl | young girl, little girl, schoolgirl",
    "older man": "old man | elderly man, senior gentleman, grandfather",
    "older woman": "old woman | elderly lady, senior lady, grandmother",
    "person": "person | pedestrian, someone, individual",
})  # fmt: skip

COLOURS = _forms({
    "black": "black | jet black",
    "white": "white | bright white",
    "gray": "gray | grey, ash-coloured",
    "red": "red | scarlet, crimson",
    "maroon": "maroon | burgundy, dark red, wine-red",
    "pink": "pink | rose-coloured",
    "orange": "orange | tangerine",
    "yellow": "yellow | lemon",
    "green": "green | emerald",
    "olive": "olive | army green, khaki green",
    "turquoise": "turquoise | teal, cyan",
    "light blue": "light blue | sky blue, pale blue",
    "blue": "blue | royal blue, cobalt",
    "navy": "navy | dark blue, navy blue",
    "purple": "purple | violet",
    "brown": "brown | chocolate",
    "beige": "beige | cream, tan",
})  # fmt: skip
HAIR_COLOURS = _forms({
    "black": "black | raven",
    "brown": "brown | brunette, chestnut",
    "blond": "blond | blonde, golden, fair",
    "red": "red | ginger, auburn",
    "gray": "gray | grey, silver",
    "white": "white | snow-white",
})  # fmt: skip
HAIR = _forms({
    "short": "short | close-cropped, short-cut",
    "medium": "medium-length | chin-length, bobbed",
    "long": "long | flowing, waist-length",
    "curly": "curly | frizzy, bushy",
    "ponytail": "ponytail | pony tail",
    "bun": "bun | top knot",
    "bald": "bald head | shaved head, hairless head",
})  # fmt: skip
UPPERS = _forms({
    "T-shirt": "T-shirt | tee, short-sleeved top",
    "shirt": "shirt | button-up, collared shirt",
    "jacket": "jacket | zip-up, windbreaker",
    "hoodie": "hoodie | hooded sweatshirt",
    "sweater": "sweater | jumper, pullover",
    "coat": "coat | overcoat, long coat",
    "vest": "vest | gilet, body warmer",
    "tank top": "tank top | sleeveless top, singlet",
    "dress": "dress | frock, one-piece dress",
    "any": "top | upper garment",
})  # fmt: skip
LOWERS = _forms({
    "trousers": "trousers, pants | slacks",
    "jeans": "jeans | denims",
    "shorts": "shorts | short pants, knee-length shorts",
    "track pants": "track pants | joggers, sweatpants",
    "skirt": "skirt | knee-length skirt",
    "long skirt": "long skirt | maxi skirt, ankle-length skirt",
    "leggings": "leggings | tights",
})  # fmt: skip
SHOES = _forms({
    "sneakers": "sneakers | trainers, running shoes",
    "boots": "boots | high boots",
    "sandals": "sandals | slippers, flip-flops",
    "heels": "heels | high heels, pumps",
    "leather shoes": "leather shoes | dress shoes, formal shoes",
    "any": "shoes | footwear",
})  # fmt: skip
BAGS = _forms({
    "backpack": "backpack | rucksack, knapsack",
    "handbag": "handbag | purse",
    "shoulder bag": "shoulder bag | messenger bag, satchel",
    "suitcase": "suitcase | trolley case, wheeled luggage",
    "shopping bag": "shopping bag | carrier bag, tote",
    "any": "bag",
})  # fmt: skip
HATS = _forms({
    "cap": "cap | baseball cap, peaked cap",
    "beanie": "beanie | woolly hat, bobble hat",
    "wide hat": "sun hat | wide-brimmed hat, broad-brimmed hat",
    "any": "hat",
})  # fmt: skip
ITEMS = _forms({
    "umbrella": "umbrella | folded umbrella, brolly",
    "phone": "phone | mobile phone, smartphone",
    "bottle": "bottle | water bottle, flask",
    "book": "book | paperback, notebook",
    "cup": "cup | coffee cup, takeaway cup",
})  # fmt: skip
GLASSES = _forms({
    "glasses": "glasses | spectacles, eyeglasses",
    "sunglasses": "sunglasses | shades, dark glasses",
    "any": "eyewear",
})  # fmt: skip
PATTERNS = _forms({
    "striped": "striped | stripy, banded",
    "checked": "checked | plaid, chequered",
    "dotted": "dotted | spotted, polka-dot",
    "two-tone": "two-tone | colour-block, two-coloured",
    "logo": "logo | print, emblem",
    "plain": "plain | solid, unpatterned",
})  # fmt: skip
SCARVES = _forms({"scarf": "scarf | neck scarf, shawl"})
BEARDS = _forms({"any": "beard | full beard"})

# Said in the plural, so without an article.
PLURALS = frozenset({*LOWERS, *SHOES, *GLASSES}) - {"skirt", "long skirt", "any"}
