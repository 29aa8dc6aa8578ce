"""What a caption says of which things, and what it has the person do, by `kinds`.

Words are counted from the caption's first; a span is (first, end).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from methods.blocks.phrases import Word, noun_phrases
from methods.blocks.text_negatives.kinds import SHADES_OF
from methods.blocks.text_negatives.meanings import (
    Meaning,
    action,
    is_quality,
    number,
    quality,
    thing,
)
from methods.blocks.word_fillers import is_word

LONGEST_NAME = 3  # words of the longest name in `THINGS`
DETERMINERS = frozenset({"DT", "PDT", "PRP$", "CD", "POS"})
NEGATIONS = frozenset({"no", "not", "n't", "without", "neither", "nor", "any"})
LINKS = frozenset({"is", "are", "was", "were"})  # the verb between a thing and its quality
JOINS = frozenset({"and", "&", "or"})


class Said(NamedTuple):
    """Words of a caption and what they mean."""

    span: tuple[int, int]
    meaning: Meaning


class Thing(NamedTuple):
    """A thing that a caption says to be there."""

    first: int  # its first word, after a determiner
    name: Said
    qualities: tuple[Said, ...]
    number: str  # as `meanings.number` says it
    determiner: int | None  # which word it is

    @property
    def start(self) -> int:
        """The first word, with the determiner."""
        return self.first if self.determiner is None else self.determiner

    def of_kind(self, kind: str) -> list[Meaning]:
        """What it is said to be, of one kind of qualities."""
        return [said.meaning for said in self.qualities if said.meaning.kind == kind]


class Reading(NamedTuple):
    """A caption as far as it is understood."""

    words: Sequence[Word]
    things: tuple[Thing, ...]
    actions: tuple[Said, ...]


def read(words: Sequence[Word]) -> Reading:
    """Return the known things and actions of a caption; what it says not to be there is neither."""
    found = [_thing(words, *span) for span in noun_phrases(words)]
    things = tuple(one for one in found if one is not None and not _is_denied(words, one))
    return Reading(words, things, tuple(_actions(words, things)))


def characters(words: Sequence[Word], span: tuple[int, int]) -> tuple[int, int]:
    """Return which characters of its caption a span of words is: (start, end)."""
    return words[span[0]].start, words[span[1] - 1].end


def _thing(words: Sequence[Word], first: int, end: int) -> Thing | None:
    """Return what a noun phrase names."""
    start, meaning = _name(words, first, end)
    if meaning is None:
        return None
    while start > first and _is_compound(words[start - 1].text):
        start -= 1
    first = _joined(words, first)
    places = [*_colours_joined(words, first, start), *_predicate(words, end)]
    qualities = tuple(
        Said(span, found)
        for span in places
        if (found := _quality(words, span, meaning.group)) is not None
    )
    has_determiner = first > 0 and words[first - 1].tag in DETERMINERS
    return Thing(
        first=first,
        name=Said((start, end), meaning),
        qualities=qualities,
        number=number(words[end - 1].text),
        determiner=first - 1 if has_determiner else None,
    )


def _name(words: Sequence[Word], first: int, end: int) -> tuple[int, Meaning | None]:
    """Return where the name in a noun phrase begins, the longest that is known, and what it is."""
    for start in range(max(first, end - LONGEST_NAME), end):
        if meaning := thing([word.text for word in words[start:end]]):
            return start, meaning
    return end, None


def _is_compound(word: str) -> bool:
    """Whether a word before a name goes along with it: "track pants", "high boots"."""
    return is_word(word) and not is_quality(word)


def _joined(words: Sequence[Word], first: int) -> int:
    """Return where a phrase begins with what is joined to it: "red and white striped | shirt"."""
    first = _first_quality(words, first)
    if first > 1 and words[first - 1].text.lower() in JOINS and is_quality(words[first - 2].text):
        first = _first_quality(words, first - 2)
    has_shade = first > 0 and words[first - 1].text.lower() in SHADES_OF
    return first - 1 if has_shade else first


def _first_quality(words: Sequence[Word], first: int) -> int:
    """Return where the qualities before a word begin, whatever their tags ("striped", VBN)."""
    while first > 0 and is_quality(words[first - 1].text):
        first -= 1
    return first


def _colours_joined(words: Sequence[Word], first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the words of a span, those as one that name one colour together: "navy blue"."""
    while first < end:
        last = first
        while last + 1 < end and _leads(words[last], words[last + 1]):
            last += 1
        yield first, last + 1
        first = last + 1


def _leads(word: Word, follower: Word) -> bool:
    is_shade = word.text.lower() in SHADES_OF or _is_colour(word)
    return is_shade and _is_colour(follower)


def _is_colour(word: Word) -> bool:
    found = quality(word.text, "worn")
    return found is not None and found.kind == "colour"


def _quality(words: Sequence[Word], span: tuple[int, int], group: str) -> Meaning | None:
    """Return what words say of a group; of two colours that are one, either may be meant."""
    found = [quality(word.text, group) for word in words[slice(*span)]]
    known = [one for one in found if one is not None]
    if len(known) < 2:
        return known[0] if known else None
    return known[0]._replace(senses=frozenset[int]().union(*(one.senses for one in known)))


def _predicate(words: Sequence[Word], end: int) -> list[tuple[int, int]]:
    """Return the words that a verb ties to the thing before it: "her coat is long and red"."""
    if end >= len(words) or words[end].text.lower() not in LINKS:
        return []
    last = end + 1
    while last < len(words) and (
        words[last].tag[:2] in ("JJ", "RB") or words[last].text.lower() in JOINS
    ):
        last += 1
    goes_on = last < len(words) and words[last].tag.startswith("NN")
    return [] if goes_on else list(_colours_joined(words, end + 1, last))


def _is_denied(words: Sequence[Word], one: Thing) -> bool:
    before = words[max(0, one.start - 1) : one.first]
    return any(word.text.lower() in NEGATIONS for word in before)


def _actions(words: Sequence[Word], things: Sequence[Thing]) -> Iterator[Said]:
    """Yield the verbs that are known, with what they act on or without anything."""
    objects = {one.start: one.name.meaning.group for one in things}
    for index, word in enumerate(words):
        if not word.tag.startswith("VB"):
            continue
        group = objects.get(index + 1, "")
        if not group and _begins_phrase(words, index + 1):
            continue  # it acts on what is not known
        if meaning := action(word.text, group):
            yield Said((index, index + 1), meaning)


def _begins_phrase(words: Sequence[Word], index: int) -> bool:
    if index >= len(words):
        return False
    return words[index].tag in DETERMINERS or words[index].tag[:2] in ("JJ", "NN")
