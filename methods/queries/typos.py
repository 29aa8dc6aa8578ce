"""typos: captions as typed in a hurry.

Of the words of four letters or more one in five, and at least one, has a slip: two letters swapped,
one left out, one doubled, or a neighbour of it on the keyboard. First and last letters stay, as in
Belinkov and Bisk, "Synthetic and Natural Noise Both Break Neural Machine Translation", ICLR 2018.
https://arxiv.org/abs/1711.02173
"""

from __future__ import annotations

import re

from numpy.random import Generator

from harness.data.schema import Split
from harness.registry import register_queries
from methods.queries.rewriting import WORDS, draws

NAME = "typos"
RATE = 0.2  # of the words that are long enough
SHORTEST = 4  # letters
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in _ROWS
    for place, letter in enumerate(row)
}


@register_queries(NAME, group=WORDS)
def mistype(split: Split, scale: str) -> list[str]:
    """Return the captions of a split with slips of the keyboard."""
    return [
        mistyped(caption, draws(NAME, split, row)) for row, caption in enumerate(split.captions)
    ]


def mistyped(caption: str, rng: Generator) -> str:
    """Return a caption with a slip in some of its words; itself where all are short."""
    found = list(_WORD.finditer(caption))
    if not found:
        return caption
    chosen = rng.random(len(found)) < RATE
    chosen[rng.integers(len(found))] |= not chosen.any()
    for word, is_wrong in reversed(list(zip(found, chosen, strict=True))):
        if is_wrong:
            caption = caption[: word.start()] + _slip(word.group(), rng) + caption[word.end() :]
    return caption


def _slip(word: str, rng: Generator) -> str:
    """Return a word that is not as it was, between its first letter and its last."""
    place = int(rng.integers(1, len(word) - 1))
    letter, after = word[place], word[place + 1]
    swapped = word[:place] + after + letter + word[place + 2 :]
    slips = [word[:place] + word[place + 1 :], word[:place] + letter + word[place:]]
    if place + 2 < len(word) and after != letter:
        slips.append(swapped)
    slips += [word[:place] + near + word[place + 1 :] for near in _BESIDE.get(letter, "")]
    return slips[rng.integers(len(slips))]
