"""The noun phrases of captions in word pieces, each with one word masked.

Shapes: P phrases, L tokens of the longest with its start and end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

import torch
from torch import Tensor

from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.phrases import Word, noun_phrases

Phrase = list[list[int]]  # the word pieces of each word


class MaskedPhrases(NamedTuple):
    """Phrases side by side, each with one word masked."""

    ids: Tensor  # (P, L)
    masked: Tensor  # (P, L)
    chosen: Tensor  # (P, L) bool, the pieces of the masked word
    row: Tensor  # (P,) the caption of the batch that each belongs to


def phrase_spans(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Return where the noun phrases stand, (first, end) words; the whole caption if none."""
    return noun_phrases(words) or [(0, len(words))]


def parse_phrases(
    words: Sequence[Word], pieces: Callable[[str], list[int]], longest: int
) -> list[Phrase]:
    """Return the phrases of `phrase_spans` in word pieces.

    One that is longer than `longest` pieces loses its last words. What has no pieces, such as
    punctuation that the encoder does not read, is no word.
    """
    phrases = [
        [found for word in words[start:end] if (found := pieces(word.text))]
        for start, end in phrase_spans(words)
    ]
    return [_cut(phrase, longest) for phrase in phrases]


def mask_phrases(
    phrases: Sequence[tuple[int, Phrase]],
    words: Sequence[int],
    vocabulary: Vocabulary,
    device: torch.device,
) -> MaskedPhrases:
    """Mask a word of each phrase, given with its row; `words` numbers the word, from 0."""
    ids, chosen = [], []
    for (_, phrase), word in zip(phrases, words, strict=True):
        flags = [number == word for number, pieces in enumerate(phrase) for _ in pieces]
        ids.append([vocabulary.start, *chain.from_iterable(phrase), vocabulary.end])
        chosen.append([False, *flags, False])
    padded = _padded(ids, vocabulary.pad, device)  # (P, L)
    hidden = _padded(chosen, False, device)  # (P, L)
    row = torch.tensor([row for row, _ in phrases], device=device)  # (P,)
    return MaskedPhrases(padded, padded.masked_fill(hidden, vocabulary.mask), hidden, row)


def _cut(phrase: Phrase, longest: int) -> Phrase:
    lengths = accumulate(len(word) for word in phrase)
    return [word for word, length in zip(phrase, lengths, strict=True) if length <= longest]


def _padded(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> Tensor:
    longest = max(map(len, rows))
    padded = [[*row, *[filler] * (longest - len(row))] for row in rows]
    return torch.tensor(padded, device=device)
