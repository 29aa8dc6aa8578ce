"""tiny-clip and tiny-eva: image-text contrast and masked words on drawn people.

tiny-eva is to tiny-clip what EVA-CLIP is to CLIP: as large, trained for longer on more people of a
more varied look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from harness.data.paperdolls.build import photographs
from harness.data.paperdolls.looks import VARIED
from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.progress import Show
from harness.registry import register_pretraining
from harness.seeding import seed_everything
from methods.blocks import losses
from methods.blocks.masking import Masked, mask_words
from methods.blocks.objective import weighted
from methods.blocks.tiny import (
    IMAGE_SIZE,
    WEIGHTS,
    TinyClip,
    load_tokenizer,
    save_weights,
    trained_tokenizer,
)
from methods.pretraining.drawn import draw_people, note, pretrain

VOCABULARY = 1024  # 256 bytes among them
PEOPLE, PEOPLE_OF_EVA = 16_000, 40_000


def recipe(epochs: int, threads: int) -> Recipe:
    """Return how either is trained."""
    stage = Stage(
        epochs=epochs,
        learning_rate=3e-3,
        batch_size=128,
        optimizer="adamw",
        weight_decay=0.02,
        warmup_epochs=0.5,
    )
    return Recipe(backbone="", image_size=IMAGE_SIZE, stages=(stage,), threads=threads)


RECIPE = recipe(epochs=14, threads=2)
RECIPE_OF_EVA = recipe(epochs=20, threads=1)


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """Weights of the two losses, and their settings."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"itc": 1.0, "mlm": 0.25})
    temperature: float = 0.07
    masked_share: float = 0.15


class Pairs(NamedTuple):
    """A batch, encoded."""

    images: Encoded
    texts: Encoded
    masked: Masked


class TinyClipPretraining(Method):
    """Contrast between modalities; masked words from the text alone.

    Both read the masked captions, so that the encoder gets used to words that it does not know.
    """

    def __init__(self, config: PretrainingConfig, train: TrainSummary, words: Tokenizer) -> None:
        super().__init__(config, train)
        self.encoder = TinyClip(words)

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        ids = self.encoder.tokenize(batch.captions)  # (B, L)
        vocabulary = self.encoder.vocabulary
        masked = mask_words(ids, vocabulary, run.generator("mask"), self.config.masked_share)
        images = self.encoder.encode_images(batch.images)
        pairs = Pairs(images, self.encoder.encode_tokens(masked.ids), masked)
        return weighted(run.losses, pairs, itc=self.itc, mlm=self.masked_words)

    def itc(self, x: Pairs) -> Tensor:
        return losses.infonce(x.images.embedding, x.texts.embedding, self.config.temperature)

    def masked_words(self, x: Pairs) -> Tensor:
        assert x.texts.tokens is not None
        tokens = x.texts.tokens[x.masked.chosen]  # (M, D)
        logits = self.encoder.masked_word_head(tokens)  # (M, vocabulary)
        return F.cross_entropy(logits, x.masked.labels[x.masked.chosen])


@register_pretraining("tiny-clip")
def pretrain_tiny_clip(out: Path | None, seed: int, show: Show) -> list[Path]:
    """Make the byte-pair encoding and the encoder; return the files written."""
    folder = out or WEIGHTS
    people = draw_people(PEOPLE, seed, show)
    # The vocabulary knows PaperDolls' wording; the weights have never seen it.
    wording = [caption.text for photo in photographs("train") for caption in photo.captions]
    tokenizer = trained_tokenizer([*people.view.captions, *wording], VOCABULARY)
    seed_everything(seed, "weights")
    method = TinyClipPretraining(PretrainingConfig(), people.view.summary(), tokenizer)
    figures = pretrain(method, people, RECIPE, seed, "tiny-clip", show)
    folder.mkdir(parents=True, exist_ok=True)
    words, weights = folder / "tiny-bpe.json", folder / "tiny-clip.safetensors"
    tokenizer.save(str(words))
    save_weights(method.encoder, weights, note("harness pretrain tiny-clip", seed, figures))
    return [words, weights]


@register_pretraining("tiny-eva")
def pretrain_tiny_eva(out: Path | None, seed: int, show: Show) -> list[Path]:
    """Make the encoder that has seen more, with tiny-clip's vocabulary; return the file written."""
    people = draw_people(PEOPLE_OF_EVA, seed, show, VARIED)
    seed_everything(seed, "weights")
    method = TinyClipPretraining(
        PretrainingConfig(), people.view.summary(), load_tokenizer(WEIGHTS)
    )
    figures = pretrain(method, people, RECIPE_OF_EVA, seed, "tiny-eva", show)
    weights = (out or WEIGHTS) / "tiny-eva.safetensors"
    save_weights(method.encoder, weights, note("harness pretrain tiny-eva", seed, figures))
    return [weights]
