"""Pairs of a batch, encoded by ALBEF and by its momentum encoders, and fused with negatives.

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
from methods.blocks.matching import Negatives, draw_negatives, fuse_with_negatives

EncodedPairs = tuple[Encoded, Encoded]  # images, texts


class MomentumPairs:
    """Views of the images of a batch with its captions; what is asked for is computed once.

    The model encodes the first view, its momentum encoders the last. Labels (B,) are equal where
    two pairs match.
    """

    def __init__(
        self,
        albef: Any,
        slow_encoder: Any,
        temperature: Tensor,
        views: Sequence[Tensor],
        ids: Tensor,
        labels: Tensor,
        run: Run,
        shares_images: bool = False,
    ) -> None:
        """The model is a `methods.blocks.albef.FusingEncoder`, the other a copy of its encoder.

        An image is fused with several texts. Where it is shared, it is mapped to keys and values
        once, which is cheaper and rounds gradients otherwise.
        """
        self.albef, self.slow_encoder, self.temperature = albef, slow_encoder, temperature
        self.views = views  # (B, 3, H, W) uint8 each
        self.ids = ids  # (B, L)
        self.labels, self.run, self.shares_images = labels, run, shares_images
        self.same = labels[:, None] == labels[None, :]  # (B, B)

    @cached_property
    def images(self) -> Encoded:
        """Return what the model makes of the first view."""
        return self.run.spread(self.albef.encoder.encode_images, self.views[0])  # type: ignore[no-any-return]  # of any

    @cached_property
    def texts(self) -> Encoded:
        """Return what the model makes of the captions."""
        return self.run.spread(self.albef.encoder.encode_tokens, self.ids)  # type: ignore[no-any-return]  # of any

    @cached_property
    def slow(self) -> EncodedPairs:
        """Return what the momentum encoders make of the last view and the captions."""
        images, texts = self.run.spread(self.encode_slowly, self.views[-1], self.ids)
        return images, texts

    @torch.no_grad()
    def encode_slowly(self, images: Tensor, ids: Tensor) -> EncodedPairs:
        """Encode images (B, 3, H, W) and texts (B, L) without gradient."""
        encoder = self.slow_encoder
        return encoder.encode_images(images), encoder.encode_tokens(ids)

    @cached_property
    def judging(self) -> tuple[Tensor, Tensor]:
        """Embeddings of images and texts by the momentum encoders, (B, E) each, of length one."""
        images, texts = (F.normalize(precise(one.embedding), dim=1) for one in self.slow)
        return images, texts

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """Images and texts, embedded by the model and by the momentum encoders."""
        learning = self.images.embedding, self.texts.embedding  # (B, E) each
        images, texts = (Side(*both) for both in zip(learning, self.judging, strict=True))
        return images, texts

    @cached_property
    def negatives(self) -> Negatives:
        """Draw them by the contrast, cosine / temperature.

        Images by how like the text they are to the momentum encoders, texts by how like the image.
        """
        images, texts = self.sides
        of_texts, of_images = (
            cosine(one.learning, by.judging) / self.temperature
            for one, by in ((texts, images), (images, texts))
        )  # (B, B) each
        return draw_negatives(of_texts, of_images, self.same, self.run.generator("negatives"))

    @cached_property
    def fused(self) -> Tensor:
        """First tokens of each pair fused, with another image, with another text: (B, 3, D)."""
        image, text = self.negatives
        others = take_rows(self.texts, text), take_rows(self.images, image)
        fuse = partial(fuse_with_negatives, self.albef)
        own = torch.arange(len(image), device=image.device)  # (B,)
        numbers = (torch.stack([own, image], dim=1),) if self.shares_images else ()  # (B, 2)
        return self.run.spread(fuse, self.texts, self.images, *others, *numbers)  # type: ignore[no-any-return]  # of any
