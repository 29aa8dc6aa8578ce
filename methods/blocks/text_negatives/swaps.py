"""Nouns of a caption that change places, so that each is said to be what the other is.

"A red T-shirt and white shoes" becomes "red shoes and a white T-shirt": wrong of both, where the
two are worn, carried or otherwise of one group of `kinds.THINGS`, and their qualities differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random

from methods.blocks.phrases import Word
from methods.blocks.text_negatives.changes import Change, Edit, article
from methods.blocks.text_negatives.reading import Reading, Thing, characters

MOST_THINGS = 50  # of a caption; beyond them are none in a caption that is one
ARTICLES = frozenset({"a", "an"})
LAYERS = frozenset({"over", "under", "beneath", "underneath"})  # between two things worn
OF_A_PLACE = frozenset({"length", "sleeves"})  # qualities that other things have not, or otherwise
FINITE = frozenset({"VBZ", "VBP", "VBD"})  # verbs that agree with a noun before them


def swaps(caption: str, reading: Reading, draw: Random) -> Iterator[Change]:
    """Yield, in a random order, the swaps of two nouns that make a caption wrong."""
    pairs = [
        (one, other)
        for one, other in combinations(reading.things[:MOST_THINGS], 2)
        if _contradict(one, other) and _stay_a_sentence(reading.words, one, other)
    ]
    for one, other in draw.sample(pairs, len(pairs)):
        yield _swap(caption, reading.words, one, other)


def _contradict(one: Thing, other: Thing) -> bool:
    """Whether two things differ, are of one group, and in some kind of quality do not agree."""
    is_one, is_other = one.name.meaning, other.name.meaning
    if is_one.group != is_other.group or is_one.agrees(is_other):
        return False
    kinds = {said.meaning.kind for said in one.qualities}
    return any(_differ(one, other, kind) for kind in kinds)


def _differ(one: Thing, other: Thing, kind: str) -> bool:
    others = other.of_kind(kind)
    return bool(others) and not any(a.agrees(b) for a in one.of_kind(kind) for b in others)


def _stay_a_sentence(words: Sequence[Word], one: Thing, other: Thing) -> bool:
    """Whether nouns can change places: as many of both, or articles that go along with them."""
    if one.name.meaning.kind != other.name.meaning.kind and any(
        _is_of_its_place(words, thing) for thing in (one, other)
    ):
        return False
    if one.number == other.number:
        return True
    return all(_can_be_counted_anew(words, thing) for thing in (one, other))


def _is_of_its_place(words: Sequence[Word], thing: Thing) -> bool:
    """Whether what is said of a thing makes sense of what is in the same place alone."""
    start, end = thing.start, thing.name.span[1]
    around = [*words[max(0, start - 1) : start], *words[end : end + 1]]
    has_layer = any(word.text.lower() in LAYERS for word in around)
    return has_layer or any(said.meaning.kind in OF_A_PLACE for said in thing.qualities)


def _can_be_counted_anew(words: Sequence[Word], thing: Thing) -> bool:
    """Whether neither a verb nor "a pair of" nor a determiner but an article counts a thing."""
    end = thing.name.span[1]
    before = words[thing.start - 1].text.lower() if thing.start else ""
    is_counted_after = end < len(words) and words[end].tag in FINITE
    determiner = "" if thing.determiner is None else words[thing.determiner].text
    fits = determiner in ARTICLES if thing.number == "one" else not determiner
    return fits and before != "of" and not is_counted_after


def _swap(caption: str, words: Sequence[Word], one: Thing, other: Thing) -> Change:
    spans = [characters(words, thing.name.span) for thing in (one, other)]
    names = [caption[start:end] for start, end in spans]
    edits = [Edit(*span, name) for span, name in zip(spans, reversed(names), strict=True)]
    numbers = {one.number, other.number}
    if len(numbers) > 1 and "one" in numbers:
        edits += [_article_edit(words, thing) for thing in (one, other)]
    return Change(tuple(edits), " <-> ".join(names))


def _article_edit(words: Sequence[Word], thing: Thing) -> Edit:
    """Take the article from what gets a plural, and give one to what gets a singular."""
    first = words[thing.first]
    if thing.determiner is None:
        return Edit(first.start, first.start, f"{article(first.text)} ")
    return Edit(words[thing.determiner].start, first.start, "")
