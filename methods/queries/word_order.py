"""word-order: captions with the words of each sentence in any order.

A method that reads a bag of words loses nothing, and cannot tell a red top and blue jeans from a
blue top and red jeans. Yuksekgonul, Bianchi, Kalluri, Jurafsky and Zou, "When and Why
Vision-Language Models Behave like Bags-of-Words, and What to Do About It?", ICLR 2023.
https://arxiv.org/abs/2210.01936
"""

from __future__ import annotations

import re

from numpy.random import Generator

from harness.data.schema import Split
from harness.registry import register_queries
from methods.queries.rewriting import WORDS, draws

NAME = "word-order"
_SENTENCE = re.compile(r"([^.!?]+)([.!?]*)")
_AROUND = ",;:\"'()"


@register_queries(NAME, group=WORDS)
def shuffle(split: Split, scale: str) -> list[str]:
    """Return the captions of a split with their words shuffled."""
    return [
        shuffled(caption, draws(NAME, split, row)) for row, caption in enumerate(split.captions)
    ]


def shuffled(caption: str, rng: Generator) -> str:
    """Shuffle the words of each sentence; commas go, the end of a sentence and its capital stay."""
    sentences = []
    for text, end in _SENTENCE.findall(caption):
        words = [word.strip(_AROUND) for word in text.split()]
        known = [word for word in words if word]
        if known:
            known[0] = known[0][0].lower() + known[0][1:]
            mixed = " ".join(known[place] for place in rng.permutation(len(known)))
            sentences.append(f"{mixed[0].upper()}{mixed[1:]}{end}")
    return " ".join(sentences) or caption
