"""Negatives that look alike, pairs fused with them, and the loss that tells them apart."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Encoded
from methods.blocks import matching
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


# Pairs by their numbers.

JUDGED_PEOPLE = torch.tensor([0, 1, 0, 2])
JUDGED_SAME = JUDGED_PEOPLE[:, None] == JUDGED_PEOPLE[None, :]
LOGITS = torch.tensor(
    [[9.0, 1.0, 9.0, 0.0], [2.0, 9.0, 0.5, 1.0], [9.0, 0.0, 9.0, 3.0], [1.0, 1.0, 0.0, 9.0]]
)


def judged(logits: Tensor, same: Tensor, seed: int = 0) -> matching.Judged:
    """Return pairs, by a seed."""
    return matching.with_negatives(logits, same, torch.Generator().manual_seed(seed))


def test_own_pairs_come_first_then_other_images_then_other_texts() -> None:
    """No negative is of the same person, and labels say which pairs are right."""
    for seed in range(20):
        found = judged(LOGITS, JUDGED_SAME, seed)
        texts, images = found.texts.tolist(), found.images.tolist()
        assert texts[:8] == [0, 1, 2, 3, 0, 1, 2, 3]
        assert images[:4] + images[8:] == [0, 1, 2, 3, 0, 1, 2, 3]
        assert found.labels.tolist() == [1] * 4 + [0] * 8
        assert all(
            JUDGED_PEOPLE[t] != JUDGED_PEOPLE[i] for t, i in zip(texts[4:], images[4:], strict=True)
        )


def test_what_is_alike_is_drawn_as_often_as_the_softmax_says() -> None:
    """Of the columns that do not match, with a hundred-thousandth added to each."""
    drawn: Counter[tuple[str, int, int]] = Counter()
    for seed in range(3000):
        found = judged(LOGITS, JUDGED_SAME, seed)
        drawn["image of text", 1, int(found.images[5])] += 1
        drawn["text of image", 1, int(found.texts[9])] += 1
    for kind, logits in (("image of text", LOGITS.T), ("text of image", LOGITS)):
        total = sum(math.exp(one) for one in logits[1].tolist())
        odds = {
            column: math.exp(logits[1, column]) / total + 1e-5
            for column in range(4)
            if not JUDGED_SAME[1, column]
        }
        for column, odd in odds.items():
            share = drawn[kind, 1, column] / 3000
            assert share == pytest.approx(odd / sum(odds.values()), abs=0.03)


def test_one_without_a_negative_has_none() -> None:
    """In a batch of one person there are right pairs alone."""
    found = judged(LOGITS, torch.ones(4, 4, dtype=torch.bool))
    assert found.labels.tolist() == [1, 1, 1, 1]
    lonely = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 1]], dtype=torch.bool)
    assert judged(LOGITS[:3, :3], lonely).texts.tolist() == [0, 1, 2, 1, 2, 2, 1]


def test_the_loss_is_cross_entropy_over_all_pairs() -> None:
    """Against a loop."""
    logits = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = [1, 1, 0, 0, 0]
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        total -= math.log(math.exp(row[label]) / sum(map(math.exp, row)))
    found = matching.matching(logits, torch.tensor(labels))
    assert float(found) == pytest.approx(total / 5)


def test_rows_are_taken_with_their_masks_and_gradients() -> None:
    """A row that is named twice has the gradients of both."""
    tokens = torch.arange(12.0).view(3, 2, 2).requires_grad_()
    encoded = Encoded(torch.arange(6.0).view(3, 2), tokens, torch.eye(3, 2, dtype=torch.bool))
    found = matching.rows_of(encoded, torch.tensor([2, 0, 2]))
    assert found.tokens is not None
    assert found.mask is not None
    assert found.embedding.tolist() == [[4.0, 5.0], [0.0, 1.0], [4.0, 5.0]]
    assert found.mask.tolist() == [[False, False], [True, False], [False, False]]
    F.relu(found.tokens).sum().backward()  # type: ignore[no-untyped-call]  # of torch
    assert tokens.grad is not None
    assert tokens.grad[:, 0, 1].tolist() == [1.0, 0.0, 2.0]
