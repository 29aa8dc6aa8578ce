"""Parts of a person at one granularity: sections of an image, attended words of a caption.

Shapes: B items, N = rows x columns patches, L text tokens, K parts, C the encoder's width, D the
width of a part, d that of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

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

        Sections that do not divide the rows of the grid overlap, as in adaptive pooling, whose own
        functions do not repeat their bits on CUDA.
        """
        rows = patches.reshape(len(patches), *self.grid, -1)  # (B, rows, columns, C)
        sections = [rows[:, start:stop].flatten(1, 2) for start, stop in self.bounds()]
        return torch.stack([each.amax(dim=1) + each.mean(dim=1) for each in sections], dim=1)

    def bounds(self) -> list[tuple[int, int]]:
        """Return the first row of each section, and the one behind its last."""
        rows, parts = self.grid[0], self.parts
        return [(part * rows // parts, -(-(part + 1) * rows // parts)) for part in range(parts)]


class WeightedWords(nn.Module):
    """Words times the weight that each head gives them; the words themselves are the values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.scores = nn.Linear(width, heads, bias=False)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D), (B, L) bool -> (B, L, K, D), zero where no word is.

        Weights are relative to even attention, under which a part pools as an image section does.
        """
        scores = self.scores(words).masked_fill(~mask[..., None], -torch.inf)  # (B, L, K)
        weights = scores.softmax(dim=1) * mask.sum(dim=1)[:, None, None]  # (B, L, K)
        weighed: Tensor = weights[..., None] * words[:, :, None]  # (B, L, K, D)
        return weighed


class AttendedWords(nn.Module):
    """Multi-head attention of words to each other, its heads kept apart.

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.2, whose output is the
    sum over heads of what is returned here. https://arxiv.org/abs/1706.03762 Heads that do not
    divide the width are narrower.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * max(width // heads, 1)
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width, bias=False)  # a bias would be in every part
        for linear in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(B, L, D), (B, L) bool -> (B, L, K, D): what each head makes of each word."""
        query, key, value = (
            linear(words).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )  # (B, K, L, d)
        seen = mask[:, None, None].expand(-1, -1, mask.shape[1], -1)  # (B, 1, L, L)
        mixed = F.scaled_dot_product_attention(query, key, value, seen)  # (B, K, L, d)
        out = self.out.weight.view(len(self.out.weight), self.heads, -1)  # (D, K, d)
        return torch.einsum("bkld,ekd->blke", mixed, out)  # (B, L, K, D)


Heads = Literal["weights", "attention"]
HEADS: Mapping[Heads, Callable[[int, int], nn.Module]] = {
    "weights": WeightedWords,
    "attention": AttendedWords,
}


class TextParts(nn.Module):
    """Parts of a caption, one a head over its tokens; one part is its first token."""

    def __init__(self, width: int, part_width: int, parts: int, heads: Heads = "weights") -> None:
        super().__init__()
        self.parts = parts
        self.project = projection(width, part_width)
        self.attention = ChannelAttention(part_width)
        self.heads = HEADS[heads](part_width, parts) if parts > 1 else None

    def forward(self, whole: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """The whole caption's token (B, C), tokens (B, L, C), mask (B, L) bool -> (B, K, D)."""
        if self.heads is None:
            part: Tensor = self.attention(self.project(whole[:, None]))  # (B, 1, D)
            return part
        words = self.attention(self.project(tokens), mask)  # (B, L, D)
        return pool_words(self.heads(words, mask), mask)  # (B, K, D)


def pool_words(words: Tensor, mask: Tensor) -> Tensor:
    """(B, L, K, D), (B, L) bool -> (B, K, D): maximum plus average over the real words."""
    padding = ~mask[..., None, None]  # (B, L, 1, 1)
    highest = words.masked_fill(padding, -torch.inf).amax(dim=1)  # (B, K, D)
    total = words.masked_fill(padding, 0.0).sum(dim=1)  # (B, K, D)
    return highest + total / mask.sum(dim=1)[:, None, None]  # (B, K, D)
