"""In what two descriptions contradict each other: "bag blue, not purple".

Only contradictions count, never what one of them leaves out: a caption names a part of what there
is. So a thing is compared with the same part of the body alone, a kind with kinds that are never
worn together, and a colour with colours that nobody takes for it. A word is read as said of a thing
where nothing but other qualities stands between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.data.auditing.attributes import QUALITIES, look_up

# Part of a person -> kinds that exclude one another there, each with the words that name it. A word
# behind the bar names the part and leaves its kind open.
PARTS: Mapping[str, str] = {
    "sex": "man=man,boy woman=woman,girl",
    "top": "| shirt polo top",
    "jacket": "| jacket coat blazer windbreaker",
    "trousers": "trousers=trouser,jean,legging,jogger shorts=shorts skirt=skirt | capri",
    "shoes": "sneakers=sneaker boots=boot sandals=sandal heels=heels loafers=loafer "
    "| shoe footwear",
    "bag": "backpack=backpack handbag=handbag suitcase=suitcase | bag satchel tote",
    "hat": "| hat cap",
}
# Hair is told by its length as well as by its colour.
LENGTHS: Mapping[str, frozenset[str]] = {
    "long": frozenset({"long", "ponytail", "braid", "bun"}),
    "short": frozenset({"short"}),
    "bald": frozenset({"bald"}),
}
HAIR = "hair"
# Colour word -> every plain colour that people may mean by it. Two words contradict each other
# where they share none.
MEANT: Mapping[str, str] = {
    "black": "black", "raven": "black", "white": "white", "gray": "gray", "silver": "gray white",
    "red": "red", "maroon": "red brown purple", "wine": "red purple brown", "pink": "pink",
    "orange": "orange", "yellow": "yellow", "gold": "yellow brown", "green": "green",
    "turquoise": "green blue", "blue": "blue", "navy": "blue black", "purple": "purple",
    "brown": "brown", "beige": "beige brown white", "khaki": "beige brown green",
    "olive": "green brown", "blond": "yellow", "ginger": "orange red brown",
}  # fmt: skip
CATEGORIES: Mapping[str, str] = {
    "sex": "sex", "top": "garment", "jacket": "garment", "trousers": "garment", "shoes": "shoes",
    "bag": "bag", "hat": "garment", HAIR: "hair",
}  # fmt: skip
COLOUR = "colour"  # the category of what differs in colour alone, but for hair, shoes and bags
# Between a colour and its thing, where no other quality is.
_JOINING = frozenset(
    {"and", "coloured", "colored", "royal", "sky", "jet", "army", "bright", "pale", "deep"}
)
_COVERING = "over"  # what stands behind it is worn below another thing


@dataclass(frozen=True)
class Trait:
    """What can be said of a part: its kind, its colour or, of hair, its length."""

    part: str
    aspect: str  # "kind", "colour" or "length"

    @property
    def category(self) -> str:
        """Return what it is summed up under: colour, garment, hair, bag, shoes or sex."""
        category = CATEGORIES[self.part]
        return COLOUR if self.aspect == "colour" and category == "garment" else category


@dataclass(frozen=True)
class Contradiction:
    """A trait that a description gives another value than was asked for."""

    trait: Trait
    found: str
    wanted: str

    def __str__(self) -> str:
        if self.trait.aspect == "kind":
            return f"{self.found}, not {self.wanted}"
        return f"{self.trait.part} {self.found}, not {self.wanted}"


Traits = Mapping[Trait, frozenset[str]]  # the values that were said


def find_contradictions(asked: Traits, given: Traits) -> tuple[Contradiction, ...]:
    """Return in what the descriptions of an image contradict the one that was asked for."""
    return tuple(
        Contradiction(trait, say_values(given[trait]), say_values(values))
        for trait, values in asked.items()
        if trait in given and not meanings(trait, values) & meanings(trait, given[trait])
    )


def meanings(trait: Trait, values: frozenset[str]) -> frozenset[str]:
    """Return what may be meant by values: two that share nothing contradict each other."""
    if trait.aspect != "colour":
        return values
    return frozenset(colour for word in values for colour in MEANT[word].split())


def say_values(values: frozenset[str]) -> str:
    """Write what was said of a trait, in one way or in several."""
    return " or ".join(sorted(values))


def read_traits(caption: str) -> Traits:
    """Return what a description says of each part."""
    said: dict[Trait, set[str]] = {}
    for part, kind, qualities in _things(caption):
        if part == "trousers" and "short" in qualities:
            kind = "shorts"  # "short pants"
        if kind:
            said.setdefault(Trait(part, "kind"), set()).add(kind)
        colours = {word for word in qualities if word in MEANT}
        if len(colours) == 1:  # of two, nobody knows which is the main one
            said.setdefault(Trait(part, "colour"), set()).update(colours)
        if part == HAIR:
            lengths = {n for n, words in LENGTHS.items() if words & {kind, *qualities}}
            said.setdefault(Trait(part, "length"), set()).update(lengths)
    return {
        trait: frozenset(values)
        for trait, values in said.items()
        if values and (trait.part, trait.aspect) != (HAIR, "kind")
    }


def merge_traits(of_captions: Iterable[Traits]) -> Traits:
    """Return all that several descriptions of one image say.

    One that agrees is then enough: what people describe in two ways contradicts nothing.
    """
    merged: dict[Trait, frozenset[str]] = {}
    for traits in of_captions:
        for trait, values in traits.items():
            merged[trait] = merged.get(trait, frozenset()) | values
    return merged


def _things(caption: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the part, the kind (empty where it is left open) and the qualities of what is named."""
    plain = re.sub(r"\bt[- ]shirt", "tshirt", caption.lower())
    for clause in re.split("[.,;:]", plain):
        yield from _things_of(re.findall("[a-z]+", clause))


def _things_of(words: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Read one clause. "Tank top" is one thing of two words, and what a coat covers is none."""
    qualities: list[str] = []
    thing: tuple[str, str, list[str]] | None = None
    is_covered = False
    for word in words:
        group, known = look_up(word)
        place = _PLACES.get(known)
        if place and thing and thing[0] == place[0] and not qualities:
            thing = (place[0], thing[1] or place[1], thing[2])
            continue
        if thing and not is_covered:
            yield thing
        is_covered = word == _COVERING or (is_covered and thing is None)
        thing = (*place, qualities) if place else None
        is_joining = group in QUALITIES or word in _JOINING
        qualities = [*qualities, known] if is_joining and not place else []
    if thing and not is_covered:
        yield thing


def _places() -> dict[str, tuple[str, str]]:
    places: dict[str, tuple[str, str]] = {}
    for part, text in PARTS.items():
        named, _, open_ = text.partition("|")
        for entry in named.split():
            kind, _, words = entry.partition("=")
            places.update(dict.fromkeys(words.split(","), (part, kind)))
        places.update(dict.fromkeys(open_.split(), (part, "")))
    return places | {word: (HAIR, word) for word in ("hair", "ponytail", "bun", "braid")}


_PLACES = _places()
