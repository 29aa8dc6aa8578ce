"""tiny-albef: tiny-clip with fusion layers, by contrast, matching and masked words.

It starts from tiny-clip and sees people of the same look. A second phase on as many new people
stands for what ALBEF gains from COCO; the weights after either phase ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.progress import Show
from harness.registry import register_pretraining
from harness.seeding import seed_everything
from methods.blocks import losses
from methods.blocks.fusion import FusionEncoder
from methods.blocks.masking import Masked, mask_words
from methods.blocks.objective import weighted
from methods.blocks.tiny import (
    IMAGE_SIZE,
    WEIGHTS,
    load_tokenizer,
    load_weights,
    save_weights,
)
from methods.blocks.tiny_albef import TinyAlbef
from methods.pretraining.drawn import drawn_view, pretrain

IMAGES = 4_000
ALIKE = 1.5  # share of the identity in queries and keys of the cross-attention, at the start
RECIPE = Recipe(
    backbone="",
    image_size=IMAGE_SIZE,
    stages=(
        Stage(
            epochs=5,
            learning_rate=1e-3,
            batch_size=32,  # many small steps: the fusion layers start from nothing
            optimizer="adamw",
            weight_decay=0.02,
            warmup_epochs=0.5,
        ),
    ),
)


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """Weights of the three losses, and their settings."""

    losses: Mapping[str, float] = field(
        default_factory=lambda: {"itc": 1.0, "itm": 1.0, "mlm": 0.5}
    )
    temperature: float = 0.07
    masked_share: float = 0.25


class Pairs(NamedTuple):
    """A batch, encoded."""

    images: Encoded
    texts: Encoded
    masked: Masked
    negatives: Tensor  # (2, B) for each image a text, for each text an image, of another pair


class TinyAlbefPretraining(Method):
    """Contrast, image-text matching with hard negatives, masked words with the image in view."""

    def __init__(self, config: PretrainingConfig, train: TrainSummary, albef: TinyAlbef) -> None:
        super().__init__(config, train)
        self.albef = albef

    def encode_images(self, images: Tensor) -> Encoded:
        return self.albef.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.albef.encoder.encode_texts(captions)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        encoder = self.albef.encoder
        ids = encoder.tokenize(batch.captions)  # (B, L)
        generator = run.generator("mask")
        masked = mask_words(ids, encoder.vocabulary, generator, self.config.masked_share)
        images, texts = encoder.encode_images(batch.images), encoder.encode_tokens(ids)
        negatives = self._hard_negatives(images, texts, run.generator("negatives"))
        pairs = Pairs(images, texts, masked, negatives)
        return weighted(run.losses, pairs, itc=self.itc, itm=self.matching, mlm=self.masked_words)

    def itc(self, x: Pairs) -> Tensor:
        return losses.infonce(x.images.embedding, x.texts.embedding, self.config.temperature)

    def matching(self, x: Pairs) -> Tensor:
        """Tell B pairs from 2B pairs with a hard negative on either side."""
        texts_of, images_of = x.negatives  # (B,), (B,)
        own = torch.arange(len(texts_of), device=texts_of.device)  # (B,)
        texts = torch.cat([own, texts_of, own])  # (3B,)
        images = torch.cat([own, own, images_of])  # (3B,)
        fused = self.albef.fuse(_select(x.texts, texts), x.images, images)  # (3B, L, D)
        logits = self.albef.matching_head(fused[:, 0])  # (3B, 2)
        matches = (torch.arange(len(texts), device=own.device) < len(own)).long()  # (3B,)
        return F.cross_entropy(logits, matches)

    def masked_words(self, x: Pairs) -> Tensor:
        texts = self.albef.encoder.encode_tokens(x.masked.ids)
        fused = self.albef.fuse(texts, x.images)[x.masked.chosen]  # (M, D)
        logits = self.albef.masked_word_head(fused)  # (M, vocabulary)
        return F.cross_entropy(logits, x.masked.labels[x.masked.chosen])

    @torch.no_grad()
    def _hard_negatives(
        self, images: Encoded, texts: Encoded, generator: torch.Generator
    ) -> Tensor:
        """Draw a negative for each row and each column by its similarity: (2, B)."""
        logits = losses.cosine_logits(images.embedding, texts.embedding, self.config.temperature)
        logits.fill_diagonal_(-torch.inf)
        drawn = [
            torch.multinomial(side.softmax(dim=1).cpu(), 1, generator=generator)[:, 0]
            for side in (logits, logits.T)
        ]
        return torch.stack(drawn).to(logits.device)  # (2, B)


def _select(encoded: Encoded, rows: Tensor) -> Encoded:
    assert encoded.tokens is not None
    mask = None if encoded.mask is None else encoded.mask[rows]
    return Encoded(encoded.embedding[rows], encoded.tokens[rows], mask)


@register_pretraining("tiny-albef")
def pretrain_tiny_albef(out: Path | None, seed: int, show: Show) -> list[Path]:
    """Make the encoder after each of its two phases; return the files written."""
    folder = out or WEIGHTS
    seed_everything(seed, "weights")
    albef = TinyAlbef(load_tokenizer(WEIGHTS))
    load_weights(albef.encoder, WEIGHTS / "tiny-clip.safetensors")
    _attend_to_alike(albef.fusion)
    written = []
    for phase in (1, 2):
        view = drawn_view(IMAGES, seed + phase, show)
        method = TinyAlbefPretraining(PretrainingConfig(), view.summary(), albef)
        pretrain(method, view, RECIPE, seed + phase, f"tiny-albef, phase {phase}", show)
        file = folder / f"tiny-albef-{phase}.safetensors"
        note = {"command": "harness pretrain tiny-albef", "seed": str(seed), "phase": str(phase)}
        save_weights(albef, file, note)
        written.append(file)
    return written


@torch.no_grad()
def _attend_to_alike(fusion: FusionEncoder) -> None:
    """Let words look at patches like them from the start: the encoder has them in one space.

    From random queries and keys, matching stays at chance for a thousand steps.
    """
    layer: Any
    for layer in fusion.layers:
        cross = layer.crossattention.self
        for linear in (cross.query, cross.key):
            linear.weight.add_(ALIKE * torch.eye(len(linear.weight)))
