"""tiny-towers: an image tower and a text tower that share no space.

They stand for encoders that were trained apart: a vision transformer on labels of images, as on
ImageNet, and a text encoder on masked words, as BERT. The labels are the attributes that an image
shows. Neither tower ever sees an image with its caption.

Shapes: B images or captions, D the width of both towers, A attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from harness.data.paperdolls.looks import VARIED
from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.progress import Show
from harness.registry import register_pretraining
from harness.seeding import seed_everything
from methods.blocks.masking import mask_words
from methods.blocks.objective import weighted
from methods.blocks.tiny import IMAGE_SIZE, WEIGHTS, WIDTH, TinyClip, load_tokenizer, save_weights
from methods.pretraining.drawn import draw_people, note, pretrain

PEOPLE = 24_000
NOT_SHOWN = -100  # the class that `cross_entropy` leaves out
RECIPE = Recipe(
    backbone="",
    image_size=IMAGE_SIZE,
    threads=1,
    stages=(
        Stage(
            epochs=12,
            learning_rate=3e-3,
            batch_size=128,
            optimizer="adamw",
            weight_decay=0.02,
            warmup_epochs=0.5,
        ),
    ),
)


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """Weights of the two losses, which share no parameter, and the share of masked words."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"attributes": 1.0, "mlm": 1.0})
    masked_share: float = 0.15


class Labels(NamedTuple):
    """What images show, as classes."""

    of_image: Tensor  # (images, A), `NOT_SHOWN` where the image does not show the attribute
    counts: tuple[int, ...]  # of the values of each attribute


def label(facts: Sequence[Mapping[str, str]]) -> Labels:
    """Number the values of every attribute, in the order of their names."""
    names = sorted({name for of_image in facts for name in of_image})
    values = [sorted({shown[name] for shown in facts if name in shown}) for name in names]
    rows = [
        [of_name.index(shown[name]) if name in shown else NOT_SHOWN
         for name, of_name in zip(names, values, strict=True)]
        for shown in facts
    ]  # fmt: skip
    return Labels(torch.tensor(rows), tuple(map(len, values)))


class TinyTowersPretraining(Method):
    """Attributes from the class token of images; masked words from the text alone."""

    def __init__(
        self, config: PretrainingConfig, train: TrainSummary, words: Tokenizer, labels: Labels
    ) -> None:
        super().__init__(config, train)
        self.encoder = TinyClip(words)
        self.labels = labels
        self.attribute_head = nn.Linear(WIDTH, sum(labels.counts))

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        words = partial(self.masked_words, run)
        return weighted(run.losses, batch, attributes=self.attributes, mlm=words)

    def attributes(self, batch: Batch) -> Tensor:
        """Mean over attributes of the cross-entropy over the images that show it."""
        logits = self.attribute_head(self.encoder.embed_images(batch.images))  # (B, all values)
        labels = self.labels.of_image[batch.image_index]  # (B, A)
        losses = [
            F.cross_entropy(of_attribute, labels[:, attribute], ignore_index=NOT_SHOWN)
            for attribute, of_attribute in enumerate(logits.split(self.labels.counts, dim=1))
            if (labels[:, attribute] != NOT_SHOWN).any()
        ]
        return torch.stack(losses).mean()

    def masked_words(self, run: Run, batch: Batch) -> Tensor:
        ids = self.encoder.tokenize(batch.captions)  # (B, L)
        vocabulary = self.encoder.vocabulary
        masked = mask_words(ids, vocabulary, run.generator("mask"), self.config.masked_share)
        tokens = self.encoder.encode_tokens(masked.ids).tokens
        assert tokens is not None
        logits = self.encoder.masked_word_head(tokens[masked.chosen])  # (M, vocabulary)
        return F.cross_entropy(logits, masked.labels[masked.chosen])


@register_pretraining("tiny-towers")
def pretrain_tiny_towers(out: Path | None, seed: int, show: Show) -> list[Path]:
    """Make both towers, with tiny-clip's vocabulary; return the file written."""
    people = draw_people(PEOPLE, seed, show, VARIED)
    seed_everything(seed, "weights")
    words = load_tokenizer(WEIGHTS)
    method = TinyTowersPretraining(
        PretrainingConfig(), people.view.summary(), words, label(people.facts)
    )
    figures = pretrain(method, people, RECIPE, seed, "tiny-towers", show)
    weights = (out or WEIGHTS) / "tiny-towers.safetensors"
    save_weights(method.encoder, weights, note("harness pretrain tiny-towers", seed, figures))
    return [weights]
