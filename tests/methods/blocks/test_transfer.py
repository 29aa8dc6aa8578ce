"""What a step reads from a graphics card, and how it sends to it, on devices that are pretended."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.method import Batch
from methods.blocks.transfer import sent


def test_to_a_card_from_pinned_memory_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """To other devices as it is."""
    given = torch.arange(3)
    done: list[Any] = []

    def pinned(tensor: Tensor) -> Tensor:
        done.append("pinned")
        return tensor

    def moved(tensor: Tensor, device: torch.device, non_blocking: bool = False) -> Tensor:
        done.append((device.type, non_blocking))
        return tensor

    monkeypatch.setattr(Tensor, "pin_memory", pinned)
    monkeypatch.setattr(Tensor, "to", moved)
    assert sent(given, torch.device("cpu")) is given
    assert sent(given, torch.device("cuda")) is given
    assert done == [("cpu", False), "pinned", ("cuda", True)]


def test_indices_can_be_had_without_the_device() -> None:
    """A batch that is made without numbers has those of its indices."""
    numbers = torch.tensor([4, 2])
    images = torch.zeros(2, 3, 1, 1)
    batch = Batch(images, ["a", "b"], numbers, numbers + 1)
    assert (batch.image_numbers, batch.caption_numbers) == ([4, 2], [5, 3])
    there = numbers.to("meta")  # it holds no values: reading one would fail
    given = Batch(images, ["a", "b"], there, there, image_numbers=[4, 2], caption_numbers=[5, 3])
    assert (given.image_numbers, given.caption_numbers) == ([4, 2], [5, 3])
