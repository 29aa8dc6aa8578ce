"""The words of captions: for everything that can be named, the common forms, rarer and vague ones.

The first common form is the plainest. Rare and vague forms come up only in looks whose wording asks
for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Forms:
    """Ways to say one thing."""

    common: tuple[str, ...]
    rare: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()  # that fit other things too


def _forms(table: Mapping[str, str]) -> dict[str, Forms]:
    """Parse "trousers, pants | slacks | bottoms": common forms, rare ones, vague ones."""
    return {value: Forms(*map(_split, text.split("|"))) for value, text in table.items()}


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
    "black": "black | jet black | dark",
    "white": "white | bright white | light",
    "gray": "gray | grey, ash-coloured | dull",
    "red": "red | scarlet, crimson | bright",
    "maroon": "maroon | burgundy, dark red, wine-red | dark",
    "pink": "pink | rose-coloured | light",
    "orange": "orange | tangerine | bright",
    "yellow": "yellow | lemon | bright",
    "green": "green | emerald | bright",
    "olive": "olive | army green, khaki green | dark",
    "turquoise": "turquoise | teal, cyan | bright",
    "light blue": "light blue | sky blue, pale blue | light",
    "blue": "blue | royal blue, cobalt | bright",
    "navy": "navy | dark blue, navy blue | dark",
    "purple": "purple | violet | dark",
    "brown": "brown | chocolate | dark",
    "beige": "beige | cream, tan | light",
})  # fmt: skip
HAIR_COLOURS = _forms({
    "black": "black | raven | dark",
    "brown": "brown | brunette, chestnut | dark",
    "blond": "blond | blonde, golden, fair | light",
    "red": "red | ginger, auburn",
    "gray": "gray | grey, silver | light",
    "white": "white | snow-white | light",
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
    "T-shirt": "T-shirt | tee, short-sleeved top | top",
    "shirt": "shirt | button-up, collared shirt | top",
    "jacket": "jacket | zip-up, windbreaker | outer layer",
    "hoodie": "hoodie | hooded sweatshirt | top",
    "sweater": "sweater | jumper, pullover | top",
    "coat": "coat | overcoat, long coat | outer layer",
    "vest": "vest | gilet, body warmer | outer layer",
    "tank top": "tank top | sleeveless top, singlet | top",
    "dress": "dress | frock, one-piece dress",
    "any": "top | upper garment",
})  # fmt: skip
LOWERS = _forms({
    "trousers": "trousers, pants | slacks | bottoms",
    "jeans": "jeans | denims | bottoms, pants",
    "shorts": "shorts | short pants, knee-length shorts",
    "track pants": "track pants | joggers, sweatpants | bottoms, pants",
    "skirt": "skirt | knee-length skirt",
    "long skirt": "long skirt | maxi skirt, ankle-length skirt",
    "leggings": "leggings | tights | bottoms, pants",
})  # fmt: skip
SHOES = _forms({
    "sneakers": "sneakers | trainers, running shoes | shoes",
    "boots": "boots | high boots | shoes",
    "sandals": "sandals | slippers, flip-flops | shoes",
    "heels": "heels | high heels, pumps | shoes",
    "leather shoes": "leather shoes | dress shoes, formal shoes | shoes",
    "any": "shoes | footwear",
})  # fmt: skip
BAGS = _forms({
    "backpack": "backpack | rucksack, knapsack | bag",
    "handbag": "handbag | purse | bag",
    "shoulder bag": "shoulder bag | messenger bag, satchel | bag",
    "suitcase": "suitcase | trolley case, wheeled luggage | luggage",
    "shopping bag": "shopping bag | carrier bag, tote | bag",
    "any": "bag",
})  # fmt: skip
HATS = _forms({
    "cap": "cap | baseball cap, peaked cap | hat",
    "beanie": "beanie | woolly hat, bobble hat | hat",
    "wide hat": "sun hat | wide-brimmed hat, broad-brimmed hat | hat",
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
    "striped": "striped | stripy, banded | patterned",
    "checked": "checked | plaid, chequered | patterned",
    "dotted": "dotted | spotted, polka-dot | patterned",
    "two-tone": "two-tone | colour-block, two-coloured | patterned",
    "logo": "logo | print, emblem",
    "plain": "plain | solid, unpatterned",
})  # fmt: skip
SCARVES = _forms({"scarf": "scarf | neck scarf, shawl"})
BEARDS = _forms({"any": "beard | full beard"})

# Said in the plural, so without an article.
PLURALS = frozenset({*LOWERS, *SHOES, *GLASSES}) - {"skirt", "long skirt", "any"}
