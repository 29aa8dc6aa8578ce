"""Negatives that look alike, pairs fused with them, and the loss that tells them apart."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Encoded
from methods.blocks.matching import (
    NO_PAIR,
    Negatives,
    draw_negatives,
    fuse_with_negatives,
    labels_with_negatives,
    matching_loss,
    pairs_with_negatives,
)

PEOPLE = torch.tensor([2, 0, 2, 1])
SAME = PEOPLE[:, None] == PEOPLE[None, :]
EVERYBODY = torch.ones(4, 4, dtype=torch.bool)
OF_TEXTS = torch.tensor([2.0, -1.0, 5.0, 0.5]).expand(4, 4)
OF_IMAGES = torch.tensor([0.0, 1.0, -2.0, 3.0]).expand(4, 4)


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of a seed."""
    return torch.Generator().manual_seed(seed)


def odds_of(logits: list[float], row: int, added: float | None) -> list[float]:
    """Return how likely each column is drawn for a row.

    Without anything added the softmax is of the columns that do not match, else of all.
    """
    others = [j for j in range(4) if not SAME[row, j]]
    total = sum(math.exp(logits[j]) for j in (others if added is None else range(4)))
    odds = [(j in others) * (math.exp(logits[j]) / total + (added or 0)) for j in range(4)]
    return [odd / sum(odds) for odd in odds]


@pytest.mark.parametrize("added", [None, 0.3])
def test_negatives_follow_the_softmax_over_other_people(added: float | None) -> None:
    """Of 5,000 draws each column has its share, to a fiftieth; what is added evens them."""
    draw = generator()
    settings = () if added is None else (added,)
    drawn = [draw_negatives(OF_TEXTS, OF_IMAGES, SAME, draw, *settings) for _ in range(5_000)]
    for side, logits in (("images", OF_TEXTS), ("texts", OF_IMAGES)):
        found = torch.stack([getattr(one, side) for one in drawn])  # (5000, 4)
        for i in range(4):
            for j, odds in enumerate(odds_of(logits[i].tolist(), i, added)):
                assert float((found[:, i] == j).float().mean()) == pytest.approx(odds, abs=0.02)


@pytest.mark.parametrize("added", [0.0, 1e-5])
def test_a_match_is_never_drawn_however_near(added: float) -> None:
    """The others' odds would vanish beside it."""
    logits = torch.where(SAME, 1000.0, -1000.0).requires_grad_()
    for seed in range(20):
        for drawn in draw_negatives(logits, logits, SAME, generator(seed), added):
            assert not SAME[torch.arange(4), drawn].any()


@pytest.mark.parametrize("added", [0.0, 1e-5])
def test_who_is_alone_in_a_batch_has_himself(added: float) -> None:
    """Nothing fails, and that negative has no label and is no pair that is judged."""
    drawn = draw_negatives(OF_TEXTS, OF_IMAGES, EVERYBODY, generator(), added)
    assert [one.tolist() for one in drawn] == [[0, 1, 2, 3]] * 2
    assert labels_with_negatives(EVERYBODY).tolist() == [[1, NO_PAIR, NO_PAIR]] * 4
    judged = pairs_with_negatives(drawn, EVERYBODY)
    assert [one.tolist() for one in judged] == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 1, 1, 1]]


def test_own_pairs_come_first_then_other_images_then_other_texts() -> None:
    """A row without a negative has none, and labels say which pairs are right."""
    same = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 1]], dtype=torch.bool)
    negatives = Negatives(torch.tensor([0, 2, 1]), torch.tensor([0, 2, 1]))
    judged = pairs_with_negatives(negatives, same)
    assert judged.texts.tolist() == [0, 1, 2, 1, 2, 2, 1]
    assert judged.images.tolist() == [0, 1, 2, 2, 1, 1, 2]
    assert judged.labels.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert labels_with_negatives(same).tolist() == [[1, NO_PAIR, NO_PAIR], [1, 0, 0], [1, 0, 0]]


class Pairing:
    """Stands for a model: what it fuses is the pair's numbers, in the first token."""

    mapped = 0  # images, to keys and values

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert texts.mask is not None
        assert images.tokens is not None
        self.mapped = len(images.tokens)
        text, image = texts.tokens[:, 0, 0], images.tokens[image_of_text, 0, 0]
        first = torch.stack([text, image, texts.mask.sum(dim=1)], dim=1)  # (3 B, 3)
        return torch.stack([first, torch.full_like(first, -1.0)], dim=1)


@pytest.mark.parametrize(("numbers", "mapped"), [(None, 4), ([[0, 1], [1, 0]], 2)])
def test_each_pair_is_fused_with_another_image_and_with_another_text(
    numbers: list[list[int]] | None, mapped: int
) -> None:
    """In this order, and a text keeps its own mask; what is numbered alike is mapped once."""

    def of(*numbers: int) -> Encoded:
        ids = torch.tensor(numbers)
        mask = torch.arange(5)[None, :] < (1 + ids % 10)[:, None]
        return Encoded(ids[:, None].float(), ids[:, None, None].float(), mask)

    model, known = Pairing(), None if numbers is None else torch.tensor(numbers)
    rows = of(10, 11), of(20, 21), of(12, 13), of(21, 20)
    found = fuse_with_negatives(cast(Any, model), *rows, known)
    assert found.tolist() == [
        [[10, 20, 1], [10, 21, 1], [12, 20, 3]],
        [[11, 21, 2], [11, 20, 2], [13, 21, 4]],
    ]
    assert model.mapped == mapped


def cross_entropy(logits: list[float], label: int) -> float:
    """Return -log of the softmax at a label."""
    largest = max(logits)
    return largest + math.log(sum(math.exp(v - largest) for v in logits)) - logits[label]


@pytest.mark.parametrize("same", [SAME, EVERYBODY], ids=["four people", "one person"])
def test_matching_is_the_mean_over_pairs_and_real_negatives(same: Tensor) -> None:
    """Of four people's pairs three each; of one person's the pairs alone."""
    logits = 30 * torch.randn(4, 3, 2, generator=generator(), dtype=torch.float64)
    labels = labels_with_negatives(same)
    terms = [
        cross_entropy(scores, label)
        for row, kinds in zip(logits.tolist(), labels.tolist(), strict=True)
        for scores, label in zip(row, kinds, strict=True)
        if label != NO_PAIR
    ]
    assert len(terms) == (4 if same is EVERYBODY else 12)
    assert float(matching_loss(logits, labels)) == pytest.approx(sum(terms) / len(terms))
