"""Pairs of a batch, encoded by ALBEF and by its momentum model, and fused with negatives.

Li et al., "Align before Fuse", NeurIPS 2021. https://arxiv.org/abs/2107.07651

Shapes: B pairs, E the width of the joint space, D that of a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Encoded, Run
from methods.blocks.contrasts import Side
from methods.blocks.encoded_rows import take_rows
from methods.blocks.losses import cosine, precise
from methods.blocks.matching import draw_negatives, fuse_with_others

EncodedPairs = tuple[Encoded, Encoded]  # images, texts


class MomentumPairs:
    """Two views of the images of a batch with its captions; what is asked for is computed once.

    The model encodes the first view, its momentum model the second. Labels (B,) are equal where two
    pairs match.
    """

    def __init__(
        self,
        albef: Any,
        slow_albef: Any,
        temperature: Tensor,
        views: Sequence[Tensor],
        captions: Sequence[str],
        labels: Tensor,
        run: Run,
    ) -> None:
        """The models are a `methods.blocks.albef.FusingEncoder` each."""
        self.albef, self.slow_albef, self.temperature = albef, slow_albef, temperature
        self.views = views  # (B, 3, H, W) uint8 each
        self.ids: Tensor = albef.encoder.tokenize(captions)  # (B, L)
        self.labels, self.run = labels, run
        self.same = labels[:, None] == labels[None, :]  # (B, B)

    @cached_property
    def fast(self) -> EncodedPairs:
        """Return what the model makes of the first view."""
        return self._encode(self.albef.encoder, self.views[0])

    @cached_property
    def slow(self) -> EncodedPairs:
        """Return what the momentum model makes of the second view, without gradient."""
        with torch.no_grad():
            return self._encode(self.slow_albef.encoder, self.views[1])

    def _encode(self, encoder: Any, images: Tensor) -> EncodedPairs:
        spread = self.run.spread
        return spread(encoder.encode_images, images), spread(encoder.encode_tokens, self.ids)

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """Embeddings of images and texts, (B, E) each, with the momentum model's, of length one."""
        images, texts = (
            Side(fast.embedding, F.normalize(precise(slow.embedding), dim=1))
            for fast, slow in zip(self.fast, self.slow, strict=True)
        )
        return images, texts

    @cached_property
    def fused(self) -> Tensor:
        """Return first tokens of each pair fused, with another image, with another text: (B, 3, D).

        The others are drawn by the contrast, cosine / temperature: images by how like the text they
        are to the momentum model, texts by how like the image.
        """
        draws, (images, texts) = self.run.generator("negatives"), self.sides
        image, text = (
            draw_negatives(cosine(one.learning, by.judging) / self.temperature, self.same, draws)
            for one, by in ((texts, images), (images, texts))
        )  # (B,) each
        of_images, of_texts = self.fast
        others = take_rows(of_texts, text), take_rows(of_images, image)
        fuse = partial(fuse_with_others, self.albef)
        found: Tensor = self.run.spread(fuse, of_texts, of_images, *others)
        return found
