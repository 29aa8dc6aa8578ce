"""Words drawn by their odds, and captions that a model writes anew."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from harness.method import Encoded
from methods.blocks.drawn_words import are_words, draw_words, write_words
from methods.blocks.dual_encoder import Vocabulary

VOCABULARY = Vocabulary(size=9, pad=0, start=1, mask=2, end=8, length=12, trims=True)
SPECIAL = (0, 1, 2, 8)


def logits_of(count: int, seed: int = 0) -> Tensor:
    """Return random logits, of which the special tokens have the highest."""
    generator = torch.Generator().manual_seed(seed)
    found = 2 * torch.randn(count, 9, generator=generator, dtype=torch.float64)
    found[:, SPECIAL] = 9.0
    return found


def drawn_by_hand(logits: list[float], chance: float) -> int:
    """Go up the odds of the words until they exceed the chance."""
    words = [i for i in range(9) if i not in SPECIAL]
    total = sum(math.exp(logits[i]) for i in words)
    reached = 0.0
    for i in words:
        reached += math.exp(logits[i]) / total
        if reached > chance:
            return i
    raise AssertionError("odds sum to one")


def test_words_are_drawn_by_their_odds() -> None:
    """Each row by its own number from 0 up to 1."""
    logits, chances = logits_of(500), torch.rand(500, generator=torch.Generator().manual_seed(1))
    found = draw_words(logits, chances, VOCABULARY).tolist()
    pairs = zip(logits.tolist(), chances.tolist(), strict=True)
    assert found == [drawn_by_hand(row, chance) for row, chance in pairs]


@pytest.mark.parametrize("chance", [0.0, 1 - 2**-24])
def test_special_tokens_are_never_drawn(chance: float) -> None:
    """Not by the smallest nor by the largest number, whatever is likely."""
    found = draw_words(logits_of(200), torch.full((200,), chance), VOCABULARY)
    assert not torch.isin(found, torch.tensor(SPECIAL)).any()


def test_a_word_without_a_chance_is_not_drawn() -> None:
    """Odds of 0 take no place, at either end."""
    logits = torch.full((1, 9), -torch.inf)
    logits[0, 5] = 0.0
    for chance in (0.0, 0.5, 1 - 2**-24):
        assert draw_words(logits, torch.tensor([chance]), VOCABULARY).tolist() == [5]


def test_rows_hang_on_nothing_but_themselves() -> None:
    """In parts, down to none, the draws are those of the whole, in half precision too."""
    logits, chances = logits_of(7).bfloat16(), torch.linspace(0, 0.99, 7)
    whole = draw_words(logits, chances, VOCABULARY)
    parts = [
        draw_words(logits[part], chances[part], VOCABULARY)
        for part in (slice(0, 3), slice(3, 3), slice(3, 7))
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_words_are_told_from_start_end_and_padding() -> None:
    """A mask stands for a word."""
    ids = torch.tensor([[1, 4, 2, 7, 8, 0, 0], [1, 8, 0, 0, 0, 0, 0]])
    assert are_words(ids, VOCABULARY).int().tolist() == [[0, 1, 1, 1, 0, 0, 0], [0] * 7]


class Reader:
    """Stands for an encoder: a token is its id."""

    vocabulary = VOCABULARY

    @staticmethod
    def encode_tokens(ids: Tensor) -> Encoded:
        return Encoded(ids[:, 0], torch.nn.functional.one_hot(ids, 9).float())


class Writer:
    """Stands for a model that finds the word behind the one it reads most likely by far.

    Where the image is a 1, the word before it.
    """

    encoder = Reader()
    masked_word_head = nn.Identity()

    @staticmethod
    def fuse(texts: Encoded, images: Encoded) -> Tensor:
        assert texts.tokens is not None
        behind = torch.stack(
            [row.roll(-1 if image else 1, dims=1)
             for row, image in zip(texts.tokens, images.embedding, strict=True)]
        )  # fmt: skip
        return 100 * behind


def test_words_are_written_at_places_and_nowhere_else() -> None:
    """By the model's odds of that token, with the image in view."""
    ids = torch.tensor([[1, 4, 5, 6, 8], [1, 5, 4, 8, 0]])
    places = torch.tensor([[0, 1, 0, 1, 0], [0, 1, 1, 0, 0]]).bool()
    images = Encoded(torch.tensor([0, 1]))
    found = write_words(cast(Any, Writer()), ids, places, torch.full((2, 5), 0.5), images)
    assert found.tolist() == [[1, 5, 5, 7, 8], [1, 4, 3, 8, 0]]
