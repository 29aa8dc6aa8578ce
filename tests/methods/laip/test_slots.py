"""Phrases by caption, and back."""

from __future__ import annotations

import torch

from methods.blocks.masked_phrases import MaskedPhrases
from methods.laip.slots import by_caption


def phrases(rows: list[int]) -> MaskedPhrases:
    """Return phrases of these captions, each with other ids."""
    ids = torch.arange(3 * len(rows)).view(-1, 3)
    return MaskedPhrases(ids, ids + 100, ids % 2 == 0, torch.tensor(rows))


def test_phrases_come_back_as_they_were() -> None:
    """In their order, each with its caption; a caption without any has empty slots."""
    given = phrases([0, 2, 2, 2, 3])
    slots = by_caption(given, 5)
    assert slots.ids.shape == (5, 3, 3)
    assert slots.filled.sum(dim=1).tolist() == [1, 0, 3, 1, 0]
    for part, other in zip(slots.phrases(), given, strict=True):
        assert torch.equal(part, other)


def test_captions_can_be_divided() -> None:
    """What a part of the captions holds is what they hold in the whole, numbered from the part."""
    given = phrases([0, 1, 1, 2, 2, 2])
    slots = by_caption(given, 3)
    part = type(slots)(*(each[1:] for each in slots)).phrases()
    assert torch.equal(part.ids, given.ids[1:])
    assert part.row.tolist() == [0, 0, 1, 1, 1]


def test_values_take_the_slots_of_their_phrases() -> None:
    """And come back with their gradients."""
    slots = by_caption(phrases([0, 0, 1]), 2)
    values = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    filled = slots.fill(values)
    assert filled.tolist() == [[[1.0], [2.0]], [[3.0], [0.0]]]
    (slots.take(filled) * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert values.grad is not None
    assert values.grad[:, 0].tolist() == [1.0, 10.0, 100.0]
