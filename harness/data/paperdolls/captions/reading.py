"""Reads what a caption of drawn people says: the grammar of captions the other way round.

Every word of such a caption is of the grammar, so nothing is guessed: a caption with any other word
is not read at all. A word that fits several values, as "top" and "dark" do, leaves the value open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from . import words
from .grammar import GRAMMARS
from .words import Forms

OPEN = ""  # in place of a value
MARKS = {"stripes": "striped", "checks": "checked", "dots": "dotted"}  # a pattern as a noun

_COLOURS, _SHADES, _CUT, _PATTERN, _MARK = "colour", "hair colour", "cut", "pattern", "mark"
_ADJECTIVES = frozenset({_COLOURS, _SHADES, _CUT, _PATTERN})
_NOUNS: Mapping[str, Mapping[str, Forms]] = {
    "kind": words.KINDS,
    "upper": words.UPPERS,
    "lower": words.LOWERS,
    "shoes": words.SHOES,
    "bag": words.BAGS,
    "hat": words.HATS,
    "item": words.ITEMS,
    "scarf": words.SCARVES,
    "glasses": words.GLASSES,
    "beard": words.BEARDS,
}
_HAIR_NOUNS = frozenset({"ponytail", "bun", "bald"})
_OPEN_VALUES = frozenset({"any", "person"})
_LINKING = frozenset({"a", "an", "and"})  # between a quality and its thing
_OTHERS = frozenset({"a", "an", "and", "with", "over", "in", "the", "is", "are", "has", "have",
                     "no", "he", "she", "they"})  # fmt: skip
_LONGEST = 3  # words of a form
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")


@dataclass(frozen=True)
class Mention:
    """Some characters of a caption that say a value of a fact, as `Person.facts` names them."""

    start: int
    end: int
    text: str  # in small letters
    fact: str  # "upper.colour"
    value: str  # OPEN where the word fits several


@dataclass(frozen=True)
class Reading:
    """What a caption says, in the order of its words."""

    mentions: tuple[Mention, ...]
    facts: Mapping[str, str]  # of what is named; no value is OPEN


def read(caption: str) -> Reading | None:
    """Return what a caption says; None where it is not of the grammar."""
    found = _Reader(caption)
    return found.reading() if found.follow() else None


def thing_of(fact: str) -> str:
    """Return the attribute of a fact: "upper" of "upper.colour"."""
    return fact.partition(".")[0]


@dataclass(frozen=True)
class _Word:
    start: int
    end: int
    text: str


@dataclass
class _Reader:
    """Goes through a caption once: qualities wait for the thing that they are said of."""

    caption: str
    mentions: list[Mention] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)  # things, without their parts
    waiting: list[_Word] = field(default_factory=list)
    last: str = ""  # the last other word, as "no" and "over"
    is_odd: bool = False  # says more of a thing than the grammar does

    def follow(self) -> bool:
        """Read the caption; return whether all of its words are known."""
        found = [_Word(*one.span(), one.group().lower()) for one in _WORD.finditer(self.caption)]
        place = 0
        while place < len(found):
            length = self._take(found[place : place + _LONGEST])
            if not length:
                return False
            place += length
        return bool(self.mentions) and not self.is_odd

    def reading(self) -> Reading:
        said = {one.fact: one.value for one in self.mentions if one.value != OPEN}
        return Reading(tuple(self.mentions), {**self.named, **said})

    def _take(self, ahead: Sequence[_Word]) -> int:
        """Take the longest form that the next words are, and return how many words it has."""
        for length in range(len(ahead), 0, -1):
            start, end = ahead[0].start, ahead[length - 1].end
            form = _Word(start, end, " ".join(self.caption[start:end].lower().split()))
            if form.text in _FORMS:
                self._see(form)
                return length
        word = ahead[0].text
        if word == "hair":
            self._settle("hair")
        elif word not in _FUNCTION_WORDS:
            return 0
        if word not in _LINKING:
            self.waiting.clear()
            self.last = word
        return 1

    def _see(self, form: _Word) -> None:
        roles = _FORMS[form.text]
        if roles.keys() & _ADJECTIVES:
            self.waiting.append(form)
            return
        if _MARK in roles:
            self._mark(form, roles[_MARK])
        else:
            ((thing, value),) = roles.items()
            self._name(thing, value, form)
        self.waiting.clear()
        self.last = ""

    def _mark(self, form: _Word, pattern: str) -> None:
        """Take "with white stripes", or a logo."""
        self._colours(["upper.second"])
        self._say(form, "upper.pattern", pattern)

    def _name(self, thing: str, value: str, form: _Word) -> None:
        if thing == "kind":
            self._say(form, "kind", value)
        elif thing == "bag" and self.last == "no":
            self.named["bag"] = "no"
        elif thing == "upper" and self.last == "over":
            self._colours(["upper.inner"])
        else:
            self._settle(thing)
            if thing != "beard":
                self._say(form, f"{thing}.kind", value)

    def _settle(self, thing: str) -> None:
        """Say what waits of a thing."""
        self.named[thing] = "yes"
        self._colours(["upper.colour", "upper.second"] if thing == "upper" else [f"{thing}.colour"])
        for form in self.waiting:
            roles = _FORMS[form.text]
            if thing == "hair" and _CUT in roles:
                self._say(form, "hair.kind", roles[_CUT])
            elif thing == "upper" and _PATTERN in roles:
                self._say(form, "upper.pattern", roles[_PATTERN])

    def _colours(self, facts: Sequence[str]) -> None:
        kind = _SHADES if facts[0].startswith("hair") else _COLOURS
        found = [form for form in self.waiting if kind in _FORMS[form.text]]
        self.is_odd |= len(found) > len(facts)
        for form, fact in zip(found, facts, strict=False):
            self._say(form, fact, _FORMS[form.text][kind])

    def _say(self, form: _Word, fact: str, value: str) -> None:
        self.mentions.append(Mention(form.start, form.end, form.text, fact, value))


def _tables() -> Iterator[tuple[str, str, Forms]]:
    """Yield the role, the value and the forms of all that can be named."""
    qualities = {_COLOURS: words.COLOURS, _SHADES: words.HAIR_COLOURS}
    for role, values in {**qualities, **_NOUNS}.items():
        for value, forms in values.items():
            yield role, OPEN if value in _OPEN_VALUES else value, forms
    for value, forms in words.HAIR.items():
        yield "hair" if value in _HAIR_NOUNS else _CUT, value, forms
    for value, forms in words.PATTERNS.items():
        yield _MARK if value == "logo" else _PATTERN, value, forms
    for noun, value in MARKS.items():
        yield _MARK, value, Forms((noun,))


def _forms() -> dict[str, dict[str, str]]:
    """Return, by form, what it may say by its role: the plainest meaning first."""
    found: dict[str, dict[str, str]] = {}
    known = list(_tables())
    for pick in ("common", "rare"):
        for role, value, forms in known:
            for form in getattr(forms, pick):
                found.setdefault(form.lower(), {}).setdefault(role, value)
    for role, _, forms in known:
        for form in forms.vague:  # whatever else it means: "pants" may be jeans
            found.setdefault(form.lower(), {})[role] = OPEN
    return found


def _function_words() -> frozenset[str]:
    """Return all words of the grammar that name nothing."""
    texts: list[str] = []
    for grammar in GRAMMARS.values():
        for template in grammar.templates:
            texts += [literal for literal, *_ in Formatter().parse(template)]
        texts += [*grammar.doing, *grammar.carrying]
        texts += [verb for verbs in grammar.verbs.values() for verb in verbs]
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text)) | _OTHERS


_FORMS = _forms()
_FUNCTION_WORDS = _function_words()
