"""Captions with some words in the place of others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_ARTICLE = re.compile(r"\b(an?)(\s+)$", re.IGNORECASE)
# What is said with a consonant first, though some of it is written with a vowel.
_CONSONANT = re.compile(r"[^aeiou]|uni|use|eu|one", re.IGNORECASE)


class Edit(NamedTuple):
    """Characters of a caption, and what takes their place; of no characters, an insertion."""

    start: int
    end: int
    text: str


class Change(NamedTuple):
    """What makes another text of a caption, and how that is told."""

    edits: tuple[Edit, ...]
    told: str


def changed(caption: str, edits: Iterable[Edit]) -> str:
    """Return a caption with its edits; capitals stay in their places, and articles fit."""
    text, end = "", 0
    for edit in sorted(edits):
        text += caption[end : edit.start]
        replaced = caption[edit.start : edit.end]
        text = _with_article(text, edit.text) if edit.text else text
        text += _cased(edit.text, replaced) if replaced and edit.text else edit.text
        end = edit.end
    return text + caption[end:]


def article(word: str) -> str:
    """Return "a" or "an"."""
    return "a" if _CONSONANT.match(word) else "an"


def _with_article(before: str, word: str) -> str:
    """Return the text before a word, with the article that the word needs, if it ends in one."""
    found = _ARTICLE.search(before)
    if found is None:
        return before
    fitting = article(word).capitalize() if found[1][0].isupper() else article(word)
    return f"{before[: found.start()]}{fitting}{found[2]}"


def _cased(word: str, replaced: str) -> str:
    """Give a word the capital of the one it replaces, or none; NIKE and T-shirt keep theirs."""
    if not word[1:2].islower():
        return word
    is_capital = replaced[0].isupper() and (len(replaced) == 1 or replaced[1].islower())
    return (word[0].upper() if is_capital else word[0].lower()) + word[1:]
