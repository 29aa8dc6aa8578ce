"""Noun phrases for what a caption names, such as "a red and white striped T-shirt"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.random import Generator

from harness.data.paperdolls.captions import words

from ..random_streams import pick
from .words import Forms

_ANYTHING = "any"  # the entry of a word list that fits all of it
_NOUNS: Mapping[str, Mapping[str, Forms]] = {
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
_MARKS = {"striped": "stripes", "checked": "checks", "dotted": "dots"}
_GATHERED = ("ponytail", "bun")


@dataclass(frozen=True)
class Phrases:
    """Words what is named; every call may choose other synonyms."""

    named: Mapping[str, str]  # facts
    rare: float  # probability of a rarer synonym
    rng: Generator
    vague: float = 0.0  # probability of a vague word

    def word(self, forms: Forms) -> str:
        """Return one of the forms."""
        if self.vague and forms.vague and self.rng.random() < self.vague:
            return pick(self.rng, forms.vague)
        rare = forms.rare and self.rng.random() < self.rare
        return pick(self.rng, forms.rare if rare else forms.common)

    def person(self) -> str:
        """Return what kind of person it is, without article."""
        return self.word(words.KINDS[self.named.get("kind", "person")])

    def thing(self, attribute: str) -> str:
        """Return a garment, a bag or anything else that has a kind and a colour."""
        kind = self.named.get(f"{attribute}.kind", _ANYTHING)
        noun = self.word(_NOUNS[attribute][kind])
        plural = kind in words.PLURALS or (kind == _ANYTHING and attribute in ("shoes", "glasses"))
        return _with_article(self._colour(f"{attribute}.colour"), noun, plural=plural)

    def upper(self) -> str:
        """Return what covers the upper body, with its pattern and what shows below it."""
        noun = self.word(words.UPPERS[self.named.get("upper.kind", _ANYTHING)])
        inner = self._colour("upper.inner")
        below = f" over {_with_article(inner, self.word(words.UPPERS[_ANYTHING]))}" if inner else ""
        return self._patterned(noun) + below

    def hair(self) -> str:
        """Return style and colour of the hair, or the one of them that is named."""
        style, colour = (
            self.named.get("hair.kind", ""),
            self.named.get("hair.colour", ""),
        )
        shade = self.word(words.HAIR_COLOURS[colour]) if colour else ""
        cut = self.word(words.HAIR[style]) if style else ""
        if style == "bald":
            return _with_article(cut)
        if style in _GATHERED and self.rng.random() < 0.5:
            return _joined(shade, "hair in", _with_article(cut))
        if style in _GATHERED:
            return _with_article(shade, cut)
        return _joined(cut, shade, "hair")

    def _patterned(self, noun: str) -> str:
        colour, second = self._colour("upper.colour"), self._colour("upper.second")
        pattern = self.named.get("upper.pattern")
        if pattern is None:
            return _with_article(colour, noun)
        adjective = self.word(words.PATTERNS[pattern])
        if pattern == "logo":
            return f"{_with_article(colour, noun)} with {_with_article(second, adjective)}"
        if second and pattern in _MARKS and self.rng.random() < 0.4:
            return f"{_with_article(colour, noun)} with {second} {_MARKS[pattern]}"
        both = f"{colour} and {second}" if colour and second else colour
        return _with_article(
            *((adjective, both) if pattern == "plain" else (both, adjective)), noun
        )

    def _colour(self, name: str) -> str:
        return self.word(words.COLOURS[self.named[name]]) if name in self.named else ""


def listed(phrases: Sequence[str]) -> str:
    """Return "one, two and three"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _with_article(*parts: str, plural: bool = False) -> str:
    phrase = _joined(*parts)
    if plural:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"
