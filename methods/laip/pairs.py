"""A batch as LAIP sees it: encoded, fused, its phrases masked; each is computed once.

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, N patches, H
heads, P phrases of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from harness.method import Batch, Encoded, Run
from methods.blocks.masked_phrases import MaskedPhrases

if TYPE_CHECKING:
    from methods.laip.method import Laip


class Fused(NamedTuple):
    """Matching logits of pairs and, where a row has a negative, of its hard negatives."""

    own: Tensor  # (B, 2)
    other_image: Tensor  # (B', 2)
    other_text: Tensor  # (B', 2)
    rows: Tensor  # (B',) the rows that have a negative


class Masked(NamedTuple):
    """Phrases with a word masked, fused with their images."""

    logits: Tensor  # (P, L, vocabulary)
    attention: Tensor  # (P, H, L, 1 + N) of the cross-attention layer


class Pairs:
    """A batch, encoded; what several losses need is computed once."""

    def __init__(
        self,
        batch: Batch,
        run: Run,
        images: Encoded,
        words: Tensor,
        labels: Tensor,
        laip: Laip,
    ) -> None:
        self.batch = batch
        self.run = run
        self.images = images  # embedding (B, E), tokens (B, 1 + N, D)
        self.words = words  # (B, L)
        self.labels = labels  # (B,), equal where two pairs match
        self._laip = laip

    @cached_property
    def texts(self) -> Encoded:
        encoded: Encoded = self.run.spread(self._laip.albef.encoder.encode_tokens, self.words)
        return encoded

    @cached_property
    def momentum(self) -> tuple[Tensor, Tensor]:
        """Embeddings (B, E) of images and texts by the momentum encoders, of unit length."""
        encode = self._laip.encode_with_momentum
        images, texts = self.run.spread(encode, self.batch.images, self.words)
        return images, texts

    @cached_property
    def fused(self) -> Fused:
        return self._laip.fuse_with_negatives(self)

    @cached_property
    def phrases(self) -> MaskedPhrases:
        return self._laip.mask_phrases(self.batch, self.run.generator("phrases"))

    @cached_property
    def phrased(self) -> Mapping[str, Tensor]:
        """What losses read of phrases with their images, (P, ...), by loss."""
        return self._laip.read_phrases(self)


def select_rows(encoded: Encoded, rows: Tensor) -> Encoded:
    """Return some rows, each as often as it is named; gradients of the same row add in order."""
    mask = None if encoded.mask is None else encoded.mask[rows]
    tokens = tokens_of(encoded).index_select(0, rows)
    return Encoded(encoded.embedding.index_select(0, rows), tokens, mask)


def join_rows(*parts: Encoded) -> Encoded:
    """Put rows one after the other."""
    masks = [part.mask for part in parts if part.mask is not None]
    return Encoded(
        torch.cat([part.embedding for part in parts]),
        torch.cat([tokens_of(part) for part in parts]),
        torch.cat(masks) if masks else None,
    )


def first_of_each(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each of M numbers stands first, (M,), and which of them each is, (B,)."""
    unique: Any = torch.unique  # untyped library
    different, inverse = unique(numbers, return_inverse=True)
    places = torch.arange(len(numbers), device=numbers.device)
    first = different.new_full(different.shape, len(numbers))
    return first.scatter_reduce(0, inverse, places, "amin"), inverse


def tokens_of(encoded: Encoded) -> Tensor:
    """Return the tokens of what is encoded: (B, N, D)."""
    assert encoded.tokens is not None  # every encoder here gives them
    return encoded.tokens
