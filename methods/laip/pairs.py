"""A batch as LAIP sees it: encoded, matched, its phrases masked; each is computed once.

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, N patches, H
heads, P phrases of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from harness.method import Batch, Encoded, Run
from methods.blocks.masked_phrases import MaskedPhrases
from methods.blocks.momentum_pairs import EncodedPairs, MomentumPairs

if TYPE_CHECKING:
    from methods.laip.method import Laip


class Masked(NamedTuple):
    """Phrases with a word masked, fused with their images."""

    logits: Tensor  # (P, L, vocabulary)
    attention: Tensor  # (P, H, L, 1 + N) of the cross-attention layer


class Pairs(MomentumPairs):
    """A batch, encoded; what several losses need is computed once."""

    def __init__(self, batch: Batch, run: Run, labels: Tensor, laip: Laip) -> None:
        """Labels (B,) are equal where two pairs match."""
        albef, slow = laip.albef, laip.momentum_copy.module
        ids = albef.encoder.tokenize(batch.captions)  # (B, L)
        views = [batch.images]
        super().__init__(albef, slow, laip.tau, views, ids, labels, run, shares_images=True)
        self.batch = batch
        self._laip = laip

    def encode_slowly(self, images: Tensor, ids: Tensor) -> EncodedPairs:
        """Keep no tokens: nothing is read from them."""
        seen, read = super().encode_slowly(images, ids)
        return Encoded(seen.embedding), Encoded(read.embedding)

    @cached_property
    def scores(self) -> Tensor:
        """Matching logits of pairs, of texts with other images, and of images with other texts.

        (3, B, 2); where a row has no negative, the last two are of the pair itself.
        """
        first = self.fused.transpose(0, 1)  # (3, B, D)
        return self.albef.matching_head(first)  # type: ignore[no-any-return]  # a module

    @cached_property
    def phrases(self) -> MaskedPhrases:
        return self._laip.mask_phrases(self.batch, self.run.generator("phrases"))

    @cached_property
    def phrased(self) -> Mapping[str, Tensor]:
        """What losses read of phrases with their images, (P, ...), by loss."""
        return self._laip.read_phrases(self)
