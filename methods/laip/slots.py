"""The phrases of a batch caption by caption, so that captions can be divided with their images.

Shapes: B captions, K slots of a caption, P phrases, L tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.blocks.masked_phrases import MaskedPhrases


class Slots(NamedTuple):
    """Phrases in the slots of their captions, the first ones of each."""

    ids: Tensor  # (B, K, L)
    masked: Tensor  # (B, K, L)
    chosen: Tensor  # (B, K, L) bool
    filled: Tensor  # (B, K) bool, on the processor: how many there are is known without waiting

    def places(self) -> Tensor:
        """Return which of B K slots are filled: (P,), on the processor."""
        return self.filled.flatten().nonzero()[:, 0]

    def phrases(self) -> MaskedPhrases:
        """Return them side by side, in the order of their captions."""
        places = self.places()
        there = places.to(self.ids.device)
        ids, masked, chosen = (
            part.flatten(0, 1).index_select(0, there)
            for part in (self.ids, self.masked, self.chosen)
        )  # (P, L) each
        row = (places // self.filled.shape[1]).to(self.ids.device)  # (P,)
        return MaskedPhrases(ids, masked, chosen, row)

    def fill(self, values: Tensor) -> Tensor:
        """Put what phrases have into their slots: (P, ...) -> (B, K, ...), 0 elsewhere."""
        empty = values.new_zeros(self.filled.numel(), *values.shape[1:])  # (B K, ...)
        slots = empty.index_copy(0, self.places().to(values.device), values)
        return slots.view(*self.filled.shape, *values.shape[1:])

    def take(self, values: Tensor) -> Tensor:
        """Return what `fill` was given: (B, K, ...) -> (P, ...)."""
        return values.flatten(0, 1).index_select(0, self.places().to(values.device))


def by_caption(phrases: MaskedPhrases, captions: int) -> Slots:
    """Lay phrases, whose rows ascend, out by their captions: as many slots as one has at most."""
    row = phrases.row.cpu()  # (P,)
    number = torch.arange(len(row)) - torch.searchsorted(row, row)  # (P,) within its caption
    filled = torch.zeros(captions, int(number.max()) + 1, dtype=torch.bool)
    filled[row, number] = True
    slots = Slots(phrases.ids, phrases.masked, phrases.chosen, filled)
    ids, masked, chosen = (slots.fill(part) for part in phrases[:3])
    return Slots(ids, masked, chosen, filled)
