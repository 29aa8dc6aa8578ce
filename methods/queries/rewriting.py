"""What the transforms share that write other words into captions: draws, and the change itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from harness.data.schema import Split
from harness.seeding import derive

WORDS = "words"  # what stands for all of them on the command line
_SENTENCE_BEGINS = re.compile(r"(^|[.!?])\s*$")
_ARTICLE = re.compile(r"\b([Aa])n?(\s+)$")


@dataclass(frozen=True)
class Change:
    """Other words in the place of some characters of a caption."""

    start: int
    end: int
    text: str


def draws(name: str, split: Split, row: int) -> Generator:
    """Return the random numbers of a transform for a caption, the same for whoever is asked."""
    return np.random.default_rng(derive(0, "queries", name, split.fingerprint, split.name, row))


def rewrite(caption: str, changes: Sequence[Change]) -> str:
    """Put changes that do not overlap into a caption, with the article and the capital they need.

    "A red top" becomes "An orange top".
    """
    for change in sorted(changes, key=lambda one: -one.start):
        before, after = caption[: change.start], caption[change.end :]
        text = change.text
        if _SENTENCE_BEGINS.search(before):
            text = text[0].upper() + text[1:]
        article = "n" if text[0].lower() in "aeiou" else ""
        caption = _ARTICLE.sub(rf"\g<1>{article}\g<2>", before) + text + after
    return caption
