"""A dual encoder on open_clip's towers, and what any encoder has to offer.

Shapes: B items, 3 x H x W pixels, D the width of the joint space, N patches, L text tokens.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from harness.method import Encoded
from methods.blocks.transfer import sent

MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP's pixels, by channel
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
# Texts whose word pieces are remembered: all captions of a benchmark's training split (68,126 of
# CUHK-PEDES) and all that MeFa makes of them (262,000). Of fewer, those of an epoch ago would be
# forgotten, and most be read again.
REMEMBERED_TEXTS = 2**19


@dataclass(frozen=True)
class Vocabulary:
    """The token ids that a method has to know. CLIP pools a text at the largest, its `end`."""

    size: int
    pad: int
    start: int
    mask: int
    end: int
    length: int  # the most tokens a text can have
    trims: bool  # whether padding beyond the longest text of a batch can be left out exactly

    def real_tokens(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L) bool, True up to the end token. The padding id may be a word's."""
        ends = (ids == self.end).int().argmax(dim=1, keepdim=True)  # (B, 1)
        return torch.arange(ids.shape[1], device=ids.device) <= ends  # (B, L)

    def words(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L) bool, True where a real token is neither the start nor the end."""
        starts = (ids == self.start) & (torch.arange(ids.shape[1], device=ids.device) == 0)
        return self.real_tokens(ids) & ~starts & (ids != self.end)  # (B, L)


class Encoder(Protocol):
    """An image and a text tower, with or without a joint space."""

    vocabulary: Vocabulary
    image_width: int  # of image tokens
    text_width: int  # of text tokens
    grid: tuple[int, int]  # rows and columns of patches
    mean: Tensor  # (1, 3, 1, 1), the colour from 0 to 255 that is taken from its pixels

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding, tokens: class token, patches row by row."""

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding, tokens, mask."""

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding."""


def remembering(words: Callable[[str], list[int]]) -> Callable[[str], Sequence[int]]:
    """Return a function that turns a text into word pieces once: 4 bytes are kept of each piece."""
    return lru_cache(REMEMBERED_TEXTS)(lambda text: array("i", words(text)))


class DualEncoder(nn.Module):
    """An image and a text tower with a joint space of D dimensions."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        visual: VisionTransformer,
        text: TextTransformer,
        vocabulary: Vocabulary,
        words: Callable[[str], list[int]],
    ) -> None:
        """`words` turns a caption into the ids of its word pieces."""
        super().__init__()
        visual.output_tokens = text.output_tokens = True
        self.visual = visual
        self.text = text
        self.vocabulary = vocabulary
        self.width = self.image_width = self.text_width = int(visual.output_dim)
        self.grid: tuple[int, int] = visual.grid_size
        self._words = remembering(words)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        deviation = torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255
        self.register_buffer("deviation", deviation, persistent=False)

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding (B, D), tokens (B, 1 + N, D): class token, patches."""
        pixels = (images - self.mean) / self.deviation  # (B, 3, H, W)
        embedding, patches = self.visual(pixels)  # (B, D), (B, N, width)
        patches = patches @ self.visual.proj  # (B, N, D)
        return Encoded(embedding, torch.cat([embedding[:, None], patches], dim=1))

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        """B captions -> embedding (B, D), tokens (B, L, D), mask (B, L)."""
        return self.encode_tokens(self.tokenize(captions))

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding (B, D), tokens (B, L, D), mask (B, L)."""
        embedding, tokens = self.text(ids)  # (B, D), (B, L, width)
        real = self.vocabulary.real_tokens(ids)  # (B, L)
        return Encoded(embedding, tokens @ self.text.text_projection, real)

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 -> (B, D), where nobody asks for tokens."""
        return self.encode_images(images).embedding

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """(B, L) token ids -> (B, D), where nobody asks for tokens."""
        return self.encode_tokens(ids).embedding

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding.

        A caption that is too long loses its last words, never its end.
        """
        v = self.vocabulary
        rows = [[v.start, *self._words(caption)[: v.length - 2], v.end] for caption in captions]
        length = max(map(len, rows)) if v.trims else v.length
        padded = [row + [v.pad] * (length - len(row)) for row in rows]
        return sent(torch.tensor(padded), self.mean.device)  # (B, L)

    def word_pieces(self, text: str) -> list[int]:
        """Return the ids of a text's word pieces."""
        return list(self._words(text))
