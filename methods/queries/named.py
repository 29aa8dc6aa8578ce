"""Words of captions that people wrote: what of clothes, hair and belongings they name.

By the project's small lexicon, so that a caption may name more than is found here, never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.data.auditing.attributes import QUALITIES, look_up

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*", re.IGNORECASE)
_SHADES = frozenset({*QUALITIES["shades"].split(), "bright", "pale", "deep", "royal", "sky", "jet"})
SHIRT = re.compile(r"t-?\s?shirts?", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """Some characters of a caption that the lexicon knows; a colour has its shade with it."""

    start: int
    end: int
    text: str  # in small letters
    group: str  # as `harness.data.auditing.attributes` has it
    first: str  # the word of the lexicon that says the same

    @property
    def is_plural(self) -> bool:
        """Whether it ends as a plural does that has a singular here."""
        return self.text.endswith("s") and look_up(self.text[:-1])[1] == self.first


def find_named(caption: str) -> list[Named]:
    """Return what a caption names, in order."""
    found: list[Named] = []
    for start, end, text in _words(caption):
        group, first = look_up(text)
        if not group:
            continue
        if group == "colours" and found and _is_shade_of(found[-1], caption[found[-1].end : start]):
            shade = found.pop()
            start, text = shade.start, f"{shade.text} {text}"
        found.append(Named(start, end, text, group, first))
    return found


def _words(caption: str) -> Iterator[tuple[int, int, str]]:
    for one in _WORD.finditer(caption):
        parts: Sequence[tuple[int, int]] = [one.span()]
        if "-" in one.group() and not SHIRT.fullmatch(one.group()):
            parts = [(one.start() + p.start(), one.start() + p.end())
                     for p in re.finditer("[a-zA-Z]+", one.group())]  # fmt: skip
        for start, end in parts:
            text = caption[start:end].lower()
            yield start, end, "tshirt" if SHIRT.fullmatch(text) else text


def _is_shade_of(before: Named, between: str) -> bool:
    return between in (" ", "-") and (before.group == "shades" or before.text in _SHADES)
