"""Contrast of the pairs of a batch beyond one right answer a row, in float32 or float64.

Shapes: B pairs, D the width of a space.

Cao et al., "An Empirical Study of CLIP for Text-based Person Search", AAAI 2024.
https://arxiv.org/abs/2308.10045
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.losses import cosine, precise


class Side(NamedTuple):
    """One modality of a batch, encoded twice."""

    learning: Tensor  # (B, D)
    judging: Tensor  # (B, D), without gradient; alike but for what is drawn, as in dropout


def soft_contrastive(
    images: Side, texts: Side, target: Tensor, scale: Tensor, share: float, parts: int = 1
) -> Tensor:
    """Return the mean of both directions' contrast, the model judging a share of the target.

    Of a direction it is the mean over rows of -sum_j q_ij log p_ij, p the softmax. The target
    (B, B) is of images by texts and symmetric, rows sum to one. See `pair_logits` for the scale
    and the parts.
    """
    losses = []
    for rows, columns in ((images, texts), (texts, images)):
        judged = pair_logits(rows.judging, columns.judging, scale)  # (B, B)
        logits = pair_logits(rows.learning, columns.learning, scale, parts)  # (B, B)
        losses.append(F.cross_entropy(precise(logits), soft_target(judged, target, share)))
    return (losses[0] + losses[1]) / 2


def pair_logits(rows: Tensor, columns: Tensor, scale: Tensor, parts: int = 1) -> Tensor:
    """Return scale * cosine of each row and each column: (B, D), (B, D) -> (B, B).

    With more than one part, a row moves the columns of its own part of the batch alone: as where
    each of several graphics cards takes the others' embeddings without their gradients.
    """
    similarity = cosine(rows, columns)  # (B, B)
    if parts > 1:
        part = torch.arange(len(rows), device=rows.device) * parts // len(rows)  # (B,)
        own = part[:, None] == part[None, :]  # (B, B)
        similarity = torch.where(own, similarity, cosine(rows, columns.detach()))
    return scale * similarity


def limited(scale: Tensor, most: float) -> Tensor:
    """Return a scale that is not above a limit; what is cut off has a gradient still: () -> ()."""
    return scale - (scale - most).clamp_min(0).detach()


def soft_target(logits: Tensor, target: Tensor, share: float) -> Tensor:
    """Return a target of which a share is the model's own: (B, B), (B, B) -> (B, B).

    The softmax of the logits, by rows, is mixed in; nothing of it has a gradient.
    """
    return share * precise(logits.detach()).softmax(dim=1) + (1 - share) * target


def cyclic(images: Tensor, texts: Tensor) -> Tensor:
    """Return how unlike the geometries of images and texts are: (B, D), (B, D) -> ().

    The mean over pairs i, j of (s(I_i, I_j) - s(T_i, T_j))^2 + (s(I_i, T_j) - s(I_j, T_i))^2, s
    the cosine. Goel et al., "CyCLIP", NeurIPS 2022. https://arxiv.org/abs/2205.14459
    """
    within = cosine(images, images) - cosine(texts, texts)  # (B, B)
    across = cosine(images, texts)  # (B, B)
    return within.square().mean() + (across - across.T).square().mean()


def self_supervision(ones: Tensor, others: Tensor, temperature: float) -> Tensor:
    """Return how badly two views of an item find each other among all views: (B, D), (B, D) -> ().

    The mean over the 2 B views of -log of the softmax of cosine / temperature, the view itself
    left out. Chen et al., "SimCLR", ICML 2020, equation 1. https://arxiv.org/abs/2002.05709
    """
    views = torch.cat([ones, others])  # (2 B, D)
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    logits = (cosine(views, views) / temperature).masked_fill(itself, -torch.inf)  # (2 B, 2 B)
    partner = torch.arange(len(views), device=views.device).roll(len(ones))  # (2 B,)
    return F.cross_entropy(logits, partner)
