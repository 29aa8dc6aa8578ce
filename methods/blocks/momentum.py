"""Momentum copies of encoders and queues of what they gave, as in MoCo and ALBEF.

Shapes: B items of a batch, Q slots of a queue, D the width of a feature.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MomentumCopy(nn.Module):
    """A module's moving average; it takes no gradient and is part of a checkpoint.

    He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020.
    https://arxiv.org/abs/1911.05722
    """

    def __init__(self, module: nn.Module, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards a module: new = momentum * old + (1 - momentum) * module."""
        for mine, new in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(new, 1 - self.momentum)


class FeatureQueue(nn.Module):
    """The last Q features with the labels of what they show; it is part of a checkpoint."""

    features: Tensor  # (Q, D)
    labels: Tensor  # (Q,)
    count: Tensor  # (), how many were ever pushed

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(size, width))
        self.register_buffer("labels", torch.zeros(size, dtype=torch.long))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor) -> None:
        """Take up (B, D) with (B,); the oldest give way. Of more than Q the last stay."""
        size = len(self.features)
        features, labels = features[-size:], labels[-size:]
        slots = (self.count + torch.arange(len(labels), device=labels.device)) % size  # (B,)
        self.features[slots] = features.to(self.features.dtype)
        self.labels[slots] = labels
        self.count += len(labels)

    def filled(self) -> tuple[Tensor, Tensor]:
        """Return copies of the slots that were filled, (q, D) and (q,), so that a push later in
        the step changes no graph."""
        filled = min(int(self.count), len(self.features))
        return self.features[:filled].clone(), self.labels[:filled].clone()
