"""Negatives that look alike, pairs fused with them, and the loss that tells them apart."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from harness.method import Encoded
from methods.blocks.matching import draw_negatives, fuse_with_others, matching_loss

PEOPLE = torch.tensor([2, 0, 2, 1])
SAME = PEOPLE[:, None] == PEOPLE[None, :]


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator of a seed."""
    return torch.Generator().manual_seed(seed)


def test_negatives_follow_the_softmax_over_other_people() -> None:
    """Of 20,000 draws each other column has its share, to a hundredth."""
    logits = torch.tensor([2.0, -1.0, 5.0, 0.5]).expand(4, 4)
    draw = generator()
    drawn = torch.stack([draw_negatives(logits, SAME, draw) for _ in range(20_000)])
    for i in range(4):
        others = [j for j in range(4) if not SAME[i, j]]
        exponents = {j: math.exp(float(logits[i, j])) for j in others}
        for j in range(4):
            expected = exponents.get(j, 0.0) / sum(exponents.values())
            assert float((drawn[:, i] == j).float().mean()) == pytest.approx(expected, abs=0.01)


def test_a_match_is_never_drawn_however_near() -> None:
    """The others' odds would vanish beside it."""
    logits = torch.where(SAME, 1000.0, -1000.0)
    for seed in range(20):
        drawn = draw_negatives(logits, SAME, generator(seed))
        assert not SAME[torch.arange(4), drawn].any()


def test_who_is_alone_in_a_batch_has_himself() -> None:
    """Nothing fails, and `matching_loss` leaves that negative out."""
    everybody = torch.ones(3, 3, dtype=torch.bool)
    assert draw_negatives(torch.zeros(3, 3), everybody, generator()).tolist() == [0, 1, 2]


class Pairing:
    """Stands for a model: what it fuses is the pair's numbers, in the first token."""

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert texts.mask is not None
        assert images.tokens is not None
        text, image = texts.tokens[:, 0, 0], images.tokens[image_of_text, 0, 0]
        first = torch.stack([text, image, texts.mask.sum(dim=1)], dim=1)  # (3 B, 3)
        return torch.stack([first, torch.full_like(first, -1.0)], dim=1)


def test_each_pair_is_fused_with_another_image_and_with_another_text() -> None:
    """In this order, and a text keeps the mask that is its own."""

    def of(*numbers: int) -> Encoded:
        ids = torch.tensor(numbers)
        mask = torch.arange(5)[None, :] < (1 + ids % 10)[:, None]
        return Encoded(ids[:, None].float(), ids[:, None, None].float(), mask)

    found = fuse_with_others(cast(Any, Pairing()), of(10, 11), of(20, 21), of(12, 13), of(22, 23))
    assert found.tolist() == [
        [[10, 20, 1], [10, 22, 1], [12, 20, 3]],
        [[11, 21, 2], [11, 23, 2], [13, 21, 4]],
    ]


def cross_entropy(logits: list[float], label: int) -> float:
    """Return -log of the softmax at a label."""
    largest = max(logits)
    return largest + math.log(sum(math.exp(v - largest) for v in logits)) - logits[label]


@pytest.mark.parametrize("alone", [False, True])
def test_matching_is_the_mean_over_pairs_and_real_negatives(alone: bool) -> None:
    """Of four people's pairs three each; of one person's the pairs alone."""
    logits = 30 * torch.randn(4, 3, 2, generator=generator(), dtype=torch.float64)
    same = torch.ones(4, 4, dtype=torch.bool) if alone else SAME
    terms = []
    for row in logits.tolist():
        terms.append(cross_entropy(row[0], 1))
        terms += [] if alone else [cross_entropy(row[1], 0), cross_entropy(row[2], 0)]
    assert float(matching_loss(logits, same)) == pytest.approx(sum(terms) / len(terms))
