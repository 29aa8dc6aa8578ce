"""Triplet losses by pair, from the similarities of a batch.

Shapes: B pairs; similarities (B, B) of anchors (rows), whose own pairs are on the diagonal, and
`same` (B, B) bool, which of them are of one person. Each returns (B,), of one direction.

Where an anchor has positives besides its own, its positive similarity is their mean, weighted by
the softmax of similarity / temperature among them; the weights have no gradient.

Qin et al., RDE, CVPR 2024, section 3.3.2. https://arxiv.org/abs/2308.09911
(code: https://github.com/QinYang79/RDE, model/objectives.py)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FAR = -1e4  # a similarity that weighs nothing beside any cosine, and is finite where all are so


def alignment(similarity: Tensor, same: Tensor, margin: float, temperature: float) -> Tensor:
    """Return TAL: [m - s+ + t log sum_j exp(s_ij / t)]_+ over the j of other people (eq. 5)."""
    others = similarity.masked_fill(same, FAR) / temperature  # (B, B)
    hardest = temperature * others.logsumexp(dim=1)  # (B,), a soft maximum
    return F.relu(margin - positive(similarity, same, temperature) + hardest)


def ranking(similarity: Tensor, same: Tensor, margin: float, temperature: float) -> Tensor:
    """Return TRL: [m - s+ + max_j s_ij]_+ over the j of other people (eq. 6)."""
    hardest = similarity.masked_fill(same, FAR).amax(dim=1)  # (B,)
    return F.relu(margin - positive(similarity, same, temperature) + hardest)


def summed_ranking(similarity: Tensor, same: Tensor, margin: float, temperature: float) -> Tensor:
    """Return TRL-S: sum_j [m - s+ + s_ij]_+ over the j of other people (section 3.3.2)."""
    others = similarity.masked_fill(same, FAR)  # (B, B)
    own = positive(similarity, same, temperature)[:, None]  # (B, 1)
    return F.relu(margin - own + others).sum(dim=1)


def positive(similarity: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Return the positive similarity of each anchor: (B, B), (B, B) -> (B,)."""
    weights = (similarity.detach() / temperature).masked_fill(~same, -torch.inf).softmax(dim=1)
    return (weights * similarity).sum(dim=1)
