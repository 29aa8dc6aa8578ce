"""Features of every training item, kept from step to step.

Shapes: B items of a batch, M stored items, D the width of a feature.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.losses import cosine, precise


class MemoryBank(nn.Module):
    """A moving average of each item's L2-normalised feature; it is part of a checkpoint.

    Zhang et al., DGIA, ACM MM 2025, equation 11. https://arxiv.org/abs/2507.06744
    """

    features: Tensor  # (M, D), not of unit length once updated
    lengths: Tensor  # (M,) of the features, so that a similarity is one product and a division

    def __init__(self, count: int, width: int, new_share: float) -> None:
        """`new_share` is what a new feature weighs in the average."""
        super().__init__()
        self.new_share = new_share
        self.register_buffer("features", torch.zeros(count, width))
        self.register_buffer("lengths", torch.ones(count))

    @torch.no_grad()
    def fill(self, features: Tensor) -> None:
        """Store a first feature of every item: (M, D)."""
        self.features.copy_(F.normalize(precise(features), dim=-1))
        self.lengths.fill_(1.0)

    @torch.no_grad()
    def update(self, items: Tensor, features: Tensor) -> None:
        """Blend new features in: (B,) items, (B, D). An item given twice is averaged first."""
        features = F.normalize(precise(features), dim=-1)  # (B, D)
        unique = torch.unique(items)  # (U,)
        given = (unique[:, None] == items[None, :]).to(features.dtype)  # (U, B)
        mean = given @ features / given.sum(dim=1, keepdim=True)  # (U, D)
        blended = self.new_share * mean + (1 - self.new_share) * self.features[unique]  # (U, D)
        self.features[unique] = blended
        self.lengths[unique] = blended.norm(dim=-1)

    @torch.no_grad()
    def similarity(self, queries: Tensor) -> Tensor:
        """Return the cosine of queries and every stored feature: (B, D) -> (B, M)."""
        return cosine(queries, self.features, self.lengths)
