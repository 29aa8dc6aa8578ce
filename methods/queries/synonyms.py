"""synonyms: captions that say the same in other words.

Whatever has another word is said with one: all that clothes, hair, belongings and the person
themselves are called, colours and patterns too. Captions of drawn people take the forms of their
grammar, others the lexicon's, of which those are left out that say not quite the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.data.auditing.attributes import QUALITIES, THINGS
from harness.data.paperdolls.captions import words
from harness.data.paperdolls.captions.reading import OPEN, Mention, Reading, read
from harness.data.paperdolls.captions.words import Forms
from harness.data.schema import Split
from harness.registry import register_queries
from methods.queries.named import Named, find_named
from methods.queries.rewriting import WORDS, Change, draws, rewrite

NAME = "synonyms"
_FORMS: Mapping[str, Mapping[str, Forms]] = {
    "kind": words.KINDS,
    "hair.kind": words.HAIR,
    "hair.colour": words.HAIR_COLOURS,
    "upper.kind": words.UPPERS,
    "upper.pattern": words.PATTERNS,
    "lower.kind": words.LOWERS,
    "shoes.kind": words.SHOES,
    "bag.kind": words.BAGS,
    "hat.kind": words.HATS,
    "item.kind": words.ITEMS,
    "scarf.kind": words.SCARVES,
    "glasses.kind": words.GLASSES,
}
_GROUPS = ("garments", "footwear", "belongings", "colours", "patterns")
# Of the lexicon, which groups what counts as one: these do not stand for each other everywhere.
_LOOSE = frozenset({
    "tshirt", "tee", "button", "blouse", "tank", "singlet", "camisole", "garment", "zip", "hood",
    "warmer", "slacks", "dresses", "gown", "scarves", "tights", "footwear", "flop", "pump",
    "messenger", "shades", "luggage", "mobile", "notebook", "paperback", "hat", "beanie",
    "eyewear", "watches", "shoe", "ash", "rose", "brunette", "cream", "tan", "lemon", "check",
    "dot", "polka", "spotted", "pattern", "stripe",
})  # fmt: skip


@register_queries(NAME, group=WORDS)
def say_otherwise(split: Split, scale: str) -> list[str]:
    """Return the captions of a split, each in other words where there are any."""
    return [_change(split, row, caption) for row, caption in enumerate(split.captions)]


def _change(split: Split, row: int, caption: str) -> str:
    reading, rng = read(caption), draws(NAME, split, row)
    found = _of_grammar(reading) if reading else _of_lexicon(find_named(caption))
    changes = [
        Change(one.start, one.end, forms[rng.integers(len(forms))]) for one, forms in found if forms
    ]
    return rewrite(caption, changes)


def _of_grammar(reading: Reading) -> Iterator[tuple[Mention, list[str]]]:
    for one in reading.mentions:
        table = words.COLOURS if one.fact in _COLOURED else _FORMS.get(one.fact, {})
        forms = table.get(one.value) if one.value != OPEN else None
        said = [*forms.common, *forms.rare] if forms else []
        others = [form for form in said if form.lower() != one.text]
        # "Stripes" stand where no adjective can, and have no other word.
        yield one, others if len(others) < len(said) else []


def _of_lexicon(named: list[Named]) -> Iterator[tuple[Named, list[str]]]:
    for one in named:
        same = _SYNONYMS.get(one.first, []) if one.group in _GROUPS else []
        singular = one.text[:-1] if one.is_plural else one.text
        if singular in same:
            ending = "s" if one.is_plural else ""
            yield one, [f"{word}{ending}" for word in same if word != singular]


def _synonyms() -> dict[str, list[str]]:
    """Return, by the first word of the lexicon, all that say the same everywhere."""
    found: dict[str, list[str]] = {}
    groups = {**THINGS, **QUALITIES}
    for synonyms in " ".join(groups[group] for group in _GROUPS).split():
        first, *others = synonyms.split("/")
        found[first] = [word for word in (first, *others) if word not in _LOOSE]
    return found


_COLOURED = frozenset(
    f"{thing}.{part}"
    for thing in ("upper", "lower", "shoes", "bag", "hat", "item", "scarf")
    for part in ("colour", "second", "inner")
)
_SYNONYMS = _synonyms()
