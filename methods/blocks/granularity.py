"""Parts of a person at one granularity: sections of an image, attended words of a caption.

Shapes: B items, N = rows x columns patches, L text tokens, K parts, C the encoder's width, D the
width of a part.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Squeeze and excitation: gates on channels from what all parts of an item hold on average.

    Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
    https://arxiv.org/abs/1709.01507
    """

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        narrow = max(width // reduction, 4)
        self.gates = nn.Sequential(
            nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width), nn.Sigmoid()
        )

    def forward(self, parts: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, K, D), (B, K) bool, True where a part is real -> (B, K, D)."""
        if mask is None:
            mask = torch.ones(parts.shape[:2], dtype=torch.bool, device=parts.device)
        weights: Tensor = (mask / mask.sum(dim=1, keepdim=True)).to(parts.dtype)  # (B, K)
        squeezed = torch.einsum("bk,bkd->bd", weights, parts)  # (B, D)
        gates: Tensor = self.gates(squeezed)  # (B, D)
        return parts * gates[:, None]  # (B, K, D)


def projection(width: int, part_width: int) -> nn.Linear:
    """Return a 1 x 1 convolution that starts as the identity, so that alignment stays."""
    project = nn.Linear(width, part_width)
    nn.init.eye_(project.weight)
    nn.init.zeros_(project.bias)
    return project


class ImageParts(nn.Module):
    """Horizontal sections of an image, from the head down; one part is the whole image's token."""

    def __init__(self, grid: tuple[int, int], width: int, part_width: int, parts: int) -> None:
        super().__init__()
        self.grid = grid
        self.parts = parts
        self.project = projection(width, part_width)
        self.attention = ChannelAttention(part_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Class token and patches (B, 1 + N, C) -> (B, K, D)."""
        pooled = tokens[:, :1] if self.parts == 1 else self.pool(tokens[:, 1:])  # (B, K, C)
        parts: Tensor = self.attention(self.project(pooled))  # (B, K, D)
        return parts

    def pool(self, patches: Tensor) -> Tensor:
        """(B, N, C) -> (B, K, C): maximum plus average of each section.

        Sections that do not divide the rows of the grid overlap, as in adaptive pooling.
        """
        count, _, width = patches.shape
        plane = patches.transpose(1, 2).reshape(count, width, *self.grid)  # (B, C, rows, columns)
        sections = (self.parts, 1)
        pooled = F.adaptive_max_pool2d(plane, sections) + F.adaptive_avg_pool2d(plane, sections)
        return pooled.flatten(2).transpose(1, 2)  # (B, K, C)


class TextParts(nn.Module):
    """Parts of a caption by learned attention over its tokens; one part is its first token."""

    def __init__(self, width: int, part_width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.project = projection(width, part_width)
        self.attention = ChannelAttention(part_width)
        self.heads = nn.Linear(part_width, parts, bias=False)

    def forward(self, whole: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """The whole caption's token (B, C), tokens (B, L, C), mask (B, L) bool -> (B, K, D)."""
        if self.parts == 1:
            part: Tensor = self.attention(self.project(whole[:, None]))  # (B, 1, D)
            return part
        return self.pool(self.attention(self.project(tokens), mask), mask)  # (B, K, D)

    def pool(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D), (B, L) bool -> (B, K, D): maximum plus average of what each head attends to.

        Weights are relative to even attention, under which a part pools as an image section does.
        """
        scores = self.heads(tokens).masked_fill(~mask[..., None], -torch.inf)  # (B, L, K)
        lengths = mask.sum(dim=1)[:, None, None]  # (B, 1, 1)
        weights = scores.softmax(dim=1) * lengths  # (B, L, K)
        attended = weights[..., None] * tokens[:, :, None]  # (B, L, K, D)
        highest = attended.masked_fill(~mask[..., None, None], -torch.inf).amax(dim=1)  # (B, K, D)
        pooled: Tensor = highest + attended.sum(dim=1) / lengths  # (B, K, D)
        return pooled
