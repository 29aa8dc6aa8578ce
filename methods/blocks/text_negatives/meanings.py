"""Looks up what words mean among the kinds of `kinds`, and whether two can both be true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from methods.blocks.text_negatives.kinds import (
    ACTIONS,
    PLURALS,
    QUALITIES,
    SPELLINGS,
    THINGS,
    UNCOUNTED,
)

REMEMBERED = 65_536  # words


class Meaning(NamedTuple):
    """What a word can mean."""

    group: str  # of `THINGS`: what it is of, or is said of
    kind: str
    senses: frozenset[int]  # the numbers of its meanings

    def agrees(self, other: Meaning) -> bool:
        """Whether both may be true of one thing."""
        return self.kind == other.kind and not self.senses.isdisjoint(other.senses)


@lru_cache(REMEMBERED)
def spelled(word: str) -> str:
    """Return a word without case, in its usual spelling."""
    word = word.casefold()
    for spelling, usual in SPELLINGS:
        word = word.replace(spelling, usual)
    return word


def stem(word: str) -> str:
    """Return a word in its usual spelling, without a plural's s."""
    return spelled(word).removesuffix("s")


def thing(words: Sequence[str]) -> Meaning | None:
    """Return what words name as a whole: ("tank", "top"); None where that is not known."""
    return _things().get(stem("_".join(words)))


@lru_cache(REMEMBERED)
def quality(word: str, group: str) -> Meaning | None:
    """Return what a word says of a group of `THINGS`; None where that is not known.

    A colour may be joined to what shades it or says that it is one: "dark-green", "rose-coloured".
    """
    known, word = _qualities(), spelled(word)
    first, _, last = word.rpartition("-")
    if (word, group) in known or not first:
        return known.get((word, group))
    if last == "colored":
        return known.get((first, group))
    shade, colour = known.get((first, group)), known.get((last, group))
    is_shaded = shade is not None and shade.kind in ("shade", "colour", "hair colour")
    return colour if is_shaded and colour and colour.kind.endswith("colour") else None


@lru_cache(REMEMBERED)
def is_quality(word: str) -> bool:
    """Whether a word says what some thing is like."""
    return any(quality(word, group) for group in THINGS)


def action(word: str, group: str) -> Meaning | None:
    """Return what a form of a verb tells of a group of `THINGS`, or of the person where it is "".

    None where that is not known.
    """
    return _actions().get((spelled(word), group))


@cache
def alternatives(kind: str) -> frozenset[int]:
    """Return the senses that words of a kind of things or qualities have between them."""
    of_things = {name: meanings for kinds in THINGS.values() for name, meanings in kinds.items()}
    of_qualities = {name: quality.meanings for name, quality in QUALITIES.items()}
    return frozenset(range(len((of_things | of_qualities)[kind])))


def number(word: str) -> str:
    """Say how a noun is counted: "one", "many" or, of what is not, "much"."""
    word = word.casefold()
    if word in UNCOUNTED:
        return "much"
    is_many = word in PLURALS or (word.endswith("s") and not word.endswith("ss"))
    return "many" if is_many else "one"


@cache
def _things() -> Mapping[str, Meaning]:
    return {
        stem(word): Meaning(group, kind, senses)
        for group, kinds in THINGS.items()
        for kind, meanings in kinds.items()
        for word, senses in _senses(meanings).items()
    }


@cache
def _qualities() -> Mapping[tuple[str, str], Meaning]:
    return {
        (spelled(word), group): Meaning(group, kind, senses)
        for kind, (groups, meanings) in QUALITIES.items()
        for word, senses in _senses(meanings).items()
        for group in groups
    }


@cache
def _actions() -> Mapping[tuple[str, str], Meaning]:
    return {
        (spelled(word), group): Meaning(group, kind, senses)
        for kind, (groups, meanings) in ACTIONS.items()
        for word, senses in _senses(meanings).items()
        for group in groups
    }


def _senses(meanings: Iterable[str]) -> dict[str, frozenset[int]]:
    """Return in which meanings each word stands, by their numbers."""
    found: dict[str, set[int]] = {}
    for sense, text in enumerate(meanings):
        for word in text.split():
            found.setdefault(word, set()).add(sense)
    return {word: frozenset(senses) for word, senses in found.items()}
