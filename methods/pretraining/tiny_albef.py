"""tiny-albef: tiny-clip and fusion layers, by contrast, choice, matching and masked words.

It starts from tiny-clip and sees people of the same look. A second phase on as many new people
stands for what ALBEF gains from COCO; the weights after either phase ship.

Cosine is a strong judge of people as alike as a gallery has them, so the fusion layers learn from
as hard a choice: each caption against the images that are nearest to it among all.

Shapes: B pairs, K images of other people for each, L text tokens, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import (
    Batch,
    Config,
    Encoded,
    Method,
    Recipe,
    Run,
    Stage,
    TrainSet,
    TrainSummary,
)
from harness.progress import Show
from harness.registry import register_pretraining
from harness.seeding import seed_everything
from methods.blocks import losses
from methods.blocks.fusion import FusionEncoder
from methods.blocks.masked_phrases import Phrase, mask_phrases, parse_phrases
from methods.blocks.masking import mask_words
from methods.blocks.objective import weighted
from methods.blocks.phrases import tag
from methods.blocks.tiny import (
    IMAGE_SIZE,
    WEIGHTS,
    load_tokenizer,
    load_weights,
    save_weights,
)
from methods.blocks.tiny_albef import TinyAlbef
from methods.pretraining.drawn import draw_people, note, pretrain

PEOPLE = 24_000  # of each phase
EPOCHS = {1: 6, 2: 3}  # by phase
ALIKE = 1.5  # share of the identity in queries and keys of the cross-attention, at the start


@dataclass(frozen=True)
class PretrainingConfig(Config):
    """Weights of the four losses, and their settings."""

    losses: Mapping[str, float] = field(
        default_factory=lambda: {"itc": 1.0, "choice": 1.0, "itm": 1.0, "mlm": 0.5}
    )
    temperature: float = 0.07
    masked_share: float = 0.25
    others: int = 3  # K
    # Others are drawn among the nearest of this share of all people. A gallery of 1,000 re-scores
    # about 16; nearer ones than these fit a caption as well as its own person does.
    nearest: float = 1 / 60
    # Epochs in which others are drawn among all: from hard ones alone, fusion layers that know
    # nothing stay at chance for a thousand steps.
    easy_epochs: int = 1


class Pairs:
    """A batch, encoded; what several losses need is computed once."""

    def __init__(
        self, batch: Batch, run: Run, others: Tensor, method: TinyAlbefPretraining
    ) -> None:
        self.batch = batch
        self.run = run
        self.ids = method.albef.encoder.tokenize(batch.captions)  # (B, L)
        self.texts = method.albef.encoder.encode_tokens(self.ids)
        self.all_images = method.encode_images(torch.cat([batch.images, others]))  # B, then B K
        self._method = method

    @property
    def images(self) -> Encoded:
        """The pairs' own images."""
        return _rows(self.all_images, torch.arange(len(self.ids)))

    @cached_property
    def scores(self) -> Tensor:
        """Logits of "no match" and "match" for the own image and the others: (B, 1 + K, 2)."""
        count = len(self.ids)
        own = torch.arange(count)  # (B,)
        others = torch.arange(count, len(self.all_images.embedding)).view(count, -1)  # (B, K)
        images = torch.cat([own[:, None], others], dim=1)  # (B, 1 + K)
        texts = own[:, None].expand_as(images)  # (B, 1 + K)
        fused = self._method.albef.fuse(
            _rows(self.texts, texts.flatten()), self.all_images, images.flatten()
        )  # (B (1 + K), L, D)
        logits: Tensor = self._method.albef.matching_head(fused[:, 0])
        return logits.view(*images.shape, 2)  # (B, 1 + K, 2)


class TinyAlbefPretraining(Method):
    """Contrast in the batch; the own image among hard ones; masked words with the image in view."""

    phrases: list[list[Phrase]]  # of each caption
    nearest: Tensor  # (captions, n) images of other people, near to each caption; none at first

    def __init__(self, config: PretrainingConfig, train: TrainSummary, albef: TinyAlbef) -> None:
        super().__init__(config, train)
        self.albef = albef

    def encode_images(self, images: Tensor) -> Encoded:
        return self.albef.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.albef.encoder.encode_texts(captions)

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """(P,) logits of a match over no match."""
        logits: Tensor = self.albef.matching_head(
            self.albef.fuse(texts, images, image_of_text)[:, 0]
        )  # (P, 2)
        return logits[:, 1] - logits[:, 0]

    def prepare(self, train: TrainSet, run: Run) -> None:
        self.train_set = train
        vocabulary = self.albef.encoder.vocabulary
        self.phrases = [
            parse_phrases(words, self.albef.encoder.word_pieces, vocabulary.length - 2)
            for words in tag(train.captions, "lexicon")
        ]

    def begin_epoch(self, run: Run) -> None:
        """Find the images nearest to each caption, once they are to be learned from."""
        if run.epoch < self.config.easy_epochs:
            self.nearest = torch.empty(len(self.train_set.captions), 0, dtype=torch.long)
            return
        images, texts = run.encode(self.train_set)
        own = self.train_set.image_of_caption  # (captions,)
        count = round(self.config.nearest * len(images.embedding))
        self.nearest = nearest_others(images.embedding, texts.embedding, own, count)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        others = self.train_set.pixels(self.draw_others(batch, run).flatten())  # (B K, 3, H, W)
        pairs = Pairs(batch, run, others, self)
        return weighted(
            run.losses,
            pairs,
            itc=self.itc,
            choice=self.choice,
            itm=self.matching,
            mlm=self.masked_words,
        )

    def draw_others(self, batch: Batch, run: Run) -> Tensor:
        """Draw K images of other people for each caption: (B, K)."""
        generator, shape = run.generator("others"), (len(batch.captions), self.config.others)
        near = self.nearest[batch.caption_index]  # (B, n)
        if near.shape[1]:
            return near.gather(1, torch.randint(near.shape[1], shape, generator=generator))
        # Any but the own: so many places behind it.
        count = len(self.train_set.captions_of_image)
        ahead = torch.randint(1, count, shape, generator=generator)
        return (batch.image_index[:, None] + ahead) % count

    def itc(self, x: Pairs) -> Tensor:
        return losses.infonce(x.images.embedding, x.texts.embedding, self.config.temperature)

    def choice(self, x: Pairs) -> Tensor:
        """Tell the own image from the others of the same caption."""
        logits = x.scores[..., 1] - x.scores[..., 0]  # (B, 1 + K)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))

    def matching(self, x: Pairs) -> Tensor:
        """Tell each pair whether it matches, by itself."""
        matches = torch.zeros(x.scores.shape[:2], dtype=torch.long)  # (B, 1 + K)
        matches[:, 0] = 1
        return F.cross_entropy(x.scores.flatten(0, 1), matches.flatten())

    def masked_words(self, x: Pairs) -> Tensor:
        """Predict masked words of half of the captions, and of a phrase of the other half.

        A method may ask for phrases alone, as LAIP does.
        """
        half = len(x.ids) // 2
        vocabulary = self.albef.encoder.vocabulary
        generator = x.run.generator("mask")
        masked = mask_words(x.ids[:half], vocabulary, generator, self.config.masked_share)
        captions = self._logits(masked.ids, x.images, torch.arange(half))[masked.chosen]
        phrases = self._draw_phrases(x.batch, half, generator)
        words = [_draw(len(phrase), generator) for _, phrase in phrases]
        alone = mask_phrases(phrases, words, vocabulary, x.ids.device)
        logits = torch.cat(
            [captions, self._logits(alone.masked, x.images, alone.row)[alone.chosen]]
        )
        labels = torch.cat([masked.labels[masked.chosen], alone.ids[alone.chosen]])  # (M,)
        return F.cross_entropy(logits, labels)

    def _logits(self, ids: Tensor, images: Encoded, image_of_text: Tensor) -> Tensor:
        texts = self.albef.encoder.encode_tokens(ids)
        fused = self.albef.fuse(texts, images, image_of_text)  # (B, L, D)
        logits: Tensor = self.albef.masked_word_head(fused)  # (B, L, vocabulary)
        return logits

    def _draw_phrases(
        self, batch: Batch, start: int, generator: torch.Generator
    ) -> list[tuple[int, Phrase]]:
        """Draw a phrase of each caption from a row on, with its row."""
        found = []
        for row, caption in enumerate(batch.caption_index[start:].tolist(), start=start):
            phrases = self.phrases[caption]
            found.append((row, phrases[_draw(len(phrases), generator)]))
        return found


def nearest_others(images: Tensor, texts: Tensor, own: Tensor, count: int) -> Tensor:
    """Return the images nearest to each text, less its own: (M, D), (N, D), (N,) -> (N, count)."""
    found = []
    for start in range(0, len(texts), 1024):
        rows = slice(start, start + 1024)
        cosines = losses.cosine(texts[rows], images)  # (n, M)
        cosines.scatter_(1, own[rows, None], -torch.inf)
        found.append(cosines.topk(count, dim=1).indices)  # (n, count)
    return torch.cat(found)  # (N, count)


def recipe(phase: int) -> Recipe:
    """Return how a phase is trained."""
    stage = Stage(
        epochs=EPOCHS[phase],
        learning_rate=6e-4,
        batch_size=48,
        optimizer="adamw",
        weight_decay=0.02,
        warmup_epochs=0.2,
    )
    return Recipe(backbone="", image_size=IMAGE_SIZE, stages=(stage,), threads=1)


@register_pretraining("tiny-albef")
def pretrain_tiny_albef(out: Path | None, seed: int, show: Show) -> list[Path]:
    """Make the encoder after each of its two phases; return the files written."""
    folder = out or WEIGHTS
    seed_everything(seed, "weights")
    albef = TinyAlbef(load_tokenizer(WEIGHTS))
    load_weights(albef.encoder, WEIGHTS / "tiny-clip.safetensors")
    attend_to_alike(albef.fusion)
    written = []
    for phase in (1, 2):
        people = draw_people(PEOPLE, seed + phase, show)
        config = PretrainingConfig(easy_epochs=1 if phase == 1 else 0)
        method = TinyAlbefPretraining(config, people.view.summary(), albef)
        what = f"tiny-albef, phase {phase}"
        figures = pretrain(method, people, recipe(phase), seed + phase, what, show)
        file = folder / f"tiny-albef-{phase}.safetensors"
        save_weights(albef, file, note("harness pretrain tiny-albef", seed, figures))
        written.append(file)
    return written


@torch.no_grad()
def attend_to_alike(fusion: FusionEncoder) -> None:
    """Let words look at patches like them from the start: the encoder has them in one space.

    From random queries and keys, matching stays at chance for a thousand steps.
    """
    layer: Any
    for layer in fusion.layers:
        cross = layer.crossattention.self
        for linear in (cross.query, cross.key):
            linear.weight.add_(ALIKE * torch.eye(len(linear.weight)))


def _rows(encoded: Encoded, rows: Tensor) -> Encoded:
    assert encoded.tokens is not None
    mask = None if encoded.mask is None else encoded.mask[rows]
    return Encoded(encoded.embedding[rows], encoded.tokens[rows], mask)


def _draw(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))
