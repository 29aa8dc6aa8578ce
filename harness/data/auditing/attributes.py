"""How many attributes a description names, by a small lexicon of what people say of pedestrians."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Words joined by a slash say the same. A word that ends in s has no other form; all others are
# known with a plural s too. A hyphen parts words: "T-shirt" is a shirt, "wine-red" is red.
# Left out on purpose: person, pedestrian, pronouns (they tell nobody apart), build and pose.
THINGS: Mapping[str, str] = {
    "sex": """man/men/male/guy/gentleman/gentlemen/grandfather boy/lad/schoolboy
        woman/women/female/lady/ladies/grandmother girl/schoolgirl child/children/kid/toddler""",
    "hair": """hair/haired ponytail/pony bun/knot braid/pigtail bangs/fringe beard/bearded
        mustache/moustache""",
    "garments": """shirt/tshirt/tee/button polo top/blouse/tank/singlet/camisole/garment jacket/zip
        windbreaker blazer hoodie/hood sweater/jumper/pullover cardigan sweatshirt coat/overcoat
        vest/gilet/warmer dress/dresses/frock/gown suit uniform trouser/pant/slacks jean/denims
        shorts skirt legging/tights jogger/sweatpant capri sock stocking scarf/scarves/shawl tie
        belt glove apron""",
    "footwear": """shoe/footwear sneaker/trainer boot sandal/slipper/flop heels/pump loafer""",
    "belongings": """bag satchel/messenger tote backpack/rucksack/knapsack handbag/purse
        suitcase/luggage umbrella/brolly phone/cellphone/smartphone/mobile bottle/flask
        book/notebook/paperback cup hat/beanie cap helmet glasses/spectacles/eyeglasses/eyewear
        sunglasses/shades watch/watches headphone/earphone bracelet necklace lanyard laptop camera
        folder bike/bicycle stroller""",
    "marks": "stripe logo/emblem/print/graphic lettering/letter/writing",
}
QUALITIES: Mapping[str, str] = {
    "colours": """black white gray/grey/ash red/scarlet/crimson maroon/burgundy pink/rose
        orange/tangerine yellow/lemon green/emerald turquoise/teal/cyan/aqua blue/cobalt
        purple/violet/lavender brown/chocolate/brunette/chestnut beige/cream/tan blond/blonde/fair
        gold/golden ginger/auburn raven silver colorful/colourful/multicolored""",
    # Of a colour that follows they say which one, so that "dark blue" is one quality.
    "shades": "dark light navy olive khaki wine",
    "patterns": """striped/stripy/banded plaid/check/checked/checkered/chequered
        dotted/dot/spotted/polka floral/flowered patterned/pattern plain/solid/unpatterned
        camouflage/camo tone/toned/block printed""",
    "cuts": "long short medium curly/frizzy/bushy wavy straight bald/shaved/hairless/balding "
    "sleeveless knee ankle",
    "cloth": "denim leather fur",
    "age": "young/younger/little old/older/elderly/senior teenage/teenager adult",
}


def count_attributes(caption: str) -> int:
    """Return how many attributes of a person a description names.

    A thing (a man, hair, a jacket, a logo) counts once, however often it comes up, and a quality
    (a colour, a pattern, a cut, an age) once for each thing that follows it: "a man in a red jacket
    and red shoes" names a man, a jacket, that it is red, shoes, and that they are red: 5.
    """
    named: set[tuple[str, str]] = set()
    qualities: list[str] = []  # said, of a thing that is still to come
    for group, word in _known(caption):
        if group in THINGS:
            named.update((quality, word) for quality in ("", *qualities))
            qualities = []
        elif group == "colours" and qualities and qualities[-1] in _SHADES:
            qualities[-1] = word
        else:
            qualities.append(word)
    return len(named) + len(set(qualities))


def look_up(word: str) -> tuple[str, str]:
    """Return the group of a word and the first that says the same; nothing where it is unknown."""
    return _LEXICON.get(word, ("", ""))


def _known(caption: str) -> list[tuple[str, str]]:
    """Return the group and the first synonym of each word that the lexicon has, in order."""
    return [found for word in _WORD.findall(caption.lower()) if (found := _LEXICON.get(word))]


def _lexicon() -> dict[str, tuple[str, str]]:
    entries: dict[str, tuple[str, str]] = {}
    for group, text in {**THINGS, **QUALITIES}.items():
        for synonyms in text.split():
            first, *others = synonyms.split("/")
            for word in (first, *others):
                entries[word] = (group, first)
                if not word.endswith("s"):
                    entries.setdefault(f"{word}s", (group, first))
    return entries


_WORD = re.compile(r"[a-z]+")
_LEXICON = _lexicon()
_SHADES = frozenset(QUALITIES["shades"].split())
