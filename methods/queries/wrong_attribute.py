"""wrong-attribute: captions in which one attribute is not as it is.

A witness remembers a blue jacket that was green. Of clothes, hair and belongings one colour, one
kind or one pattern is said as another that shares nothing with it; who the person is stays.
Captions of drawn people are read by their grammar, others by the lexicon, which knows colours and
few kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.data.auditing.contradictions import MEANT
from harness.data.paperdolls.captions import words
from harness.data.paperdolls.captions.reading import MARKS, OPEN, Mention, Reading, read, thing_of
from harness.data.paperdolls.captions.words import PLURALS, Forms
from harness.data.paperdolls.people.wardrobe import CLOTH_COLOURS, PATTERNS, colours_of
from harness.data.schema import Split
from harness.registry import register_queries
from methods.queries.named import Named, find_named
from methods.queries.rewriting import WORDS, Change, draws, rewrite

NAME = "wrong-attribute"
_KINDS: Mapping[str, Mapping[str, Forms]] = {
    "upper.kind": words.UPPERS,
    "lower.kind": words.LOWERS,
    "shoes.kind": words.SHOES,
    "bag.kind": words.BAGS,
    "hat.kind": words.HATS,
    "item.kind": words.ITEMS,
    "glasses.kind": words.GLASSES,
}
# Values that cannot take each other's place in a sentence stand in different groups.
_CUTS = (("short", "medium", "long", "curly"), ("ponytail", "bun"))
_WITHOUT_LOWER = "dress"
# Of captions by people: kinds of one part of the body that are never worn together, by the word of
# the lexicon, with what each is called of one and of several.
_EXCLUDING: Sequence[Mapping[str, tuple[str, str]]] = (
    {"trouser": ("trousers",) * 2, "jean": ("jeans",) * 2, "shorts": ("shorts",) * 2},
    {one: (one, f"{one}s") for one in ("sneaker", "boot", "sandal", "loafer")},
    {one: (one, f"{one}s") for one in ("backpack", "handbag", "suitcase")},
)  # fmt: skip
_ALIKE = frozenset({"trouser", "jean"})  # nobody calls the one wrong where the other is worn
_PLAIN_COLOURS = (
    "black", "white", "gray", "red", "pink", "orange", "yellow", "green", "blue", "purple", "brown",
)  # fmt: skip


@register_queries(NAME, group=WORDS)
def say_wrongly(split: Split, scale: str) -> list[str]:
    """Return the captions of a split, each with one attribute wrong where it names any."""
    return [_change(split, row, caption) for row, caption in enumerate(split.captions)]


def _change(split: Split, row: int, caption: str) -> str:
    reading = read(caption)
    found: list[tuple[Mention | Named, Sequence[str]]] = []
    found.extend(wrong_mentions(reading) if reading else wrong_words(find_named(caption)))
    if not found:
        return caption
    rng = draws(NAME, split, row)
    place, values = found[int(rng.integers(len(found)))]
    wrong = values[int(rng.integers(len(values)))]
    return rewrite(caption, [Change(place.start, place.end, wrong)])


def wrong_mentions(reading: Reading) -> Iterator[tuple[Mention, Sequence[str]]]:
    """Yield what a caption of a drawn person says, with the words that would be wrong there."""
    for mention in reading.mentions:
        if mention.value != OPEN and (others := _others(mention, reading.facts)):
            yield mention, others


def _others(mention: Mention, facts: Mapping[str, str]) -> Sequence[str]:
    fact, value = mention.fact, mention.value
    if fact == "hair.kind":
        return [
            words.HAIR[other].common[0]
            for group in _CUTS
            if value in group
            for other in group
            if other != value
        ]
    if fact == "hair.colour":
        return [forms.common[0] for other, forms in words.HAIR_COLOURS.items() if other != value]
    if fact in _KINDS:
        return [_KINDS[fact][other].common[0] for other in _other_kinds(fact, value)]
    if fact == "upper.pattern":
        return _other_patterns(mention, facts)
    thing, _, part = fact.partition(".")
    return _other_colours(thing, facts) if part in ("colour", "second", "inner") else ()


def _other_kinds(fact: str, value: str) -> list[str]:
    if value == _WITHOUT_LOWER:
        return []
    is_plural = value in PLURALS
    return [
        other
        for other in _KINDS[fact]
        if other not in (value, "any", _WITHOUT_LOWER) and (other in PLURALS) == is_plural
    ]


def _other_patterns(mention: Mention, facts: Mapping[str, str]) -> list[str]:
    """Return patterns in the form that stands there, an adjective or, as "stripes", a noun."""
    nouns = {pattern: noun for noun, pattern in MARKS.items()}
    if mention.value not in nouns:
        return []
    worn = PATTERNS.get(facts.get("upper.kind", OPEN), nouns)
    possible = [one for one in nouns if one != mention.value and one in worn]
    if mention.text in MARKS:
        return [nouns[one] for one in possible]
    return [words.PATTERNS[one].common[0] for one in possible]


def _other_colours(thing: str, facts: Mapping[str, str]) -> list[str]:
    """Return colours that nothing of a thing has, of those that its kind comes in."""
    own = {value for fact, value in facts.items() if thing_of(fact) == thing}
    kind = facts.get(f"{thing}.kind", OPEN)
    possible = colours_of(kind) if kind != OPEN else CLOTH_COLOURS
    return [words.COLOURS[other].common[0] for other in possible if other not in own]


def wrong_words(named: Sequence[Named]) -> Iterator[tuple[Named, Sequence[str]]]:
    """Yield what a caption by people names, with the words that would be wrong there."""
    for one in named:
        if one.group in ("colours", "shades") and one.first in MEANT:
            meant = set(MEANT[one.first].split())
            yield one, [c for c in _PLAIN_COLOURS if not meant & set(MEANT[c].split())]
        for kinds in _EXCLUDING:
            if one.first in kinds:
                alike = _ALIKE if one.first in _ALIKE else {one.first}
                yield one, [kinds[other][one.is_plural] for other in kinds if other not in alike]
