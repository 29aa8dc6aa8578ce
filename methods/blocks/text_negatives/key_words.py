"""The words of a caption that another can stand for, and which others make it wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from methods.blocks.phrases import Word
from methods.blocks.text_negatives.changes import Change, Edit
from methods.blocks.text_negatives.kinds import SHADED
from methods.blocks.text_negatives.meanings import (
    Meaning,
    action,
    alternatives,
    number,
    quality,
    spelled,
    thing,
)
from methods.blocks.text_negatives.reading import Reading, Said, Thing, characters

Pool = tuple[str, str, str]  # what substitutes share: kind, what they are said of, and form


class KeyWord(NamedTuple):
    """A word, or a few that are one, with what its substitutes have to be."""

    start: int  # characters of the caption
    end: int
    text: str
    form: str  # of a noun its number, of a verb its tag; an adjective has one form
    said: tuple[Meaning, ...]  # what it means, then what is said beside it
    is_shaded: bool = False  # whether it is a colour that is said to be dark or light

    @property
    def pool(self) -> Pool:
        """Among which words its substitutes are."""
        return self.said[0].kind, self.said[0].group, self.form

    @property
    def is_vague(self) -> bool:
        """Whether it agrees with all words of its kind, as "shoes" does: none replaces it."""
        meant = frozenset[int]().union(*(one.senses for one in self.said))
        return meant >= alternatives(self.said[0].kind)

    def accepts(self, other: str) -> bool:
        """Whether the caption is wrong, and still a sentence, with a word in the place of this."""
        found = self._meaning_of(other)
        if found is None or found.kind != self.said[0].kind:
            return False
        if self.is_shaded and spelled(other) not in SHADED:
            return False
        return not any(found.agrees(one) for one in self.said)

    def replaced_by(self, other: str) -> Change:
        """Return the change that puts another word in its place."""
        return Change((Edit(self.start, self.end, other),), f"{self.text} -> {other}")

    def _meaning_of(self, other: str) -> Meaning | None:
        group = self.said[0].group
        found = quality(other, group) or action(other, group)
        return found or (thing([other]) if number(other) == self.form else None)


class KeyWords(NamedTuple):
    """The key words of a caption."""

    nouns: tuple[KeyWord, ...]
    adjectives: tuple[KeyWord, ...]
    verbs: tuple[KeyWord, ...]


def key_words(caption: str, reading: Reading) -> KeyWords:
    """Return the words of known kinds."""
    words, things = reading.words, reading.things
    return KeyWords(
        tuple(_noun(caption, words, one, things) for one in things),
        tuple(
            _adjective(caption, words, one, said)
            for one in things
            for said in one.qualities
            if not _shades_a_name(words, said)
        ),
        tuple(_verb(caption, words, said) for said in reading.actions),
    )


def _noun(caption: str, words: Sequence[Word], one: Thing, things: Sequence[Thing]) -> KeyWord:
    """A noun; what else is said to be in its place ("a jacket over a shirt") is not put there."""
    kind = one.name.meaning.kind
    beside = [t.name.meaning for t in things if t is not one and t.name.meaning.kind == kind]
    start, end = characters(words, one.name.span)
    return KeyWord(start, end, caption[start:end], one.number, (one.name.meaning, *beside))


def _adjective(caption: str, words: Sequence[Word], one: Thing, said: Said) -> KeyWord:
    """An adjective; what a thing is said to be too ("black and white") does not replace it."""
    kind = said.meaning.kind
    beside = [s.meaning for s in one.qualities if s is not said and s.meaning.kind == kind]
    start, end = characters(words, said.span)
    is_shaded = kind == "colour" and _kind_at(words, said.span[0] - 1) == "shade"
    return KeyWord(start, end, caption[start:end], "", (said.meaning, *beside), is_shaded)


def _verb(caption: str, words: Sequence[Word], said: Said) -> KeyWord:
    start, end = characters(words, said.span)
    return KeyWord(start, end, caption[start:end], words[said.span[0]].tag, (said.meaning,))


def _shades_a_name(words: Sequence[Word], said: Said) -> bool:
    """Whether a word is the light or dark kind of a colour that has no other: "bright white"."""
    if said.meaning.kind != "shade" or _kind_at(words, said.span[1]) != "colour":
        return False
    return spelled(words[said.span[1]].text) not in SHADED


def _kind_at(words: Sequence[Word], index: int) -> str:
    """Return the kind of quality that a word tells of clothes; empty where it tells none."""
    inside = 0 <= index < len(words)
    found = quality(words[index].text, "worn") if inside else None
    return found.kind if found else ""
