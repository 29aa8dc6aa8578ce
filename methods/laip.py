"""LAIP: local alignment from image-phrase modelling, on ALBEF.

Wang, Wu, Wu, Cao and Zhang, "LAIP: Learning Local Alignment from Image-Phrase Modeling for
Text-based Person Search". Where the paper is silent, as in ALBEF (Li et al., NeurIPS 2021,
https://arxiv.org/abs/2107.07651).

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, N patches, H
heads, P phrases of the batch, C columns of the contrast (the batch and the queue).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.method import (
    Batch,
    Config,
    Encoded,
    Highlight,
    Method,
    Recipe,
    Run,
    Stage,
    Supervision,
    TrainSet,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks.albef import load_albef
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import cosine, precise
from methods.blocks.masked_phrases import (
    MaskedPhrases,
    Phrase,
    mask_phrases,
    parse_phrases,
    phrase_spans,
)
from methods.blocks.masking import mask_words
from methods.blocks.momentum import FeatureQueue, MomentumCopy
from methods.blocks.objective import weighted
from methods.blocks.phrases import Word, tag

Attention = Literal["forward", "backward", "bidirectional"]


@dataclass(frozen=True)
class LaipConfig(Config):
    """The paper's values; where it gives none, ALBEF's."""

    supervision: Supervision = Supervision.IDENTITY
    # Eq. 1 and 12; "mlm" takes the place of "mpm" in Table V.
    losses: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(("itc", "itm", "tri", "biatt", "mpm"), 1.0)
    )
    # Pre-trained, or also fine-tuned on COCO. NOTE: the paper fine-tunes there for 10 epochs; the
    # weights that ALBEF's authors publish, which are taken here, had 5.
    weights: Literal["albef", "coco"] = "coco"
    positives: Literal["person", "pair"] = "person"  # what matches in the contrast
    attention: Attention = "bidirectional"
    layer: int = 3  # the cross-attention layer that weighs patches, from 1
    margin: float = 0.6  # delta
    # Where tau, which is learned, starts; None: where the published weights left it, or at ALBEF's
    # 0.07 where there are none.
    temperature: float | None = None
    momentum: float = 0.995
    queue: int = 65_536
    distillation: float = 0.4  # share of the momentum model's targets, ramped over an epoch
    masked_share: float = 0.15  # of the words, for "mlm"
    # Of a caption in one step; not given in the paper. Of more, others are drawn each time: the
    # first are "a woman" more often than what tells people apart.
    most_phrases: int = 8
    phrase_losses: Literal["sum", "mean"] = "sum"  # over a caption's phrases: eq. 12 sums
    tagger: Literal["perceptron", "lexicon"] = "perceptron"


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
    def masked(self) -> Masked:
        return self._laip.fuse_phrases(self.phrases, self.images)


class Baseline(Method):
    """ALBEF fine-tuned on people: contrast with queues, matching with hard negatives, re-scoring.

    The first stage trains it alone; with nothing else it is the "Baseline" of Table IV.
    """

    def __init__(self, config: LaipConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.albef, start = load_albef(config.backbone, config.weights, config.image_size)
        tau = start.temperature if config.temperature is None else config.temperature
        self.temperature = nn.Parameter(torch.tensor(tau))
        self.momentum_copy = MomentumCopy(start.encoder, config.momentum)
        self.image_queue = self._queue(start.images)
        self.text_queue = self._queue(start.texts)
        self.seen: Pairs | None = None  # what the queues take up after the step

    def _queue(self, features: Tensor) -> FeatureQueue:
        """Return a queue that goes on from features (Q, E), the oldest first.

        Of more than it has slots for the newest stay; of fewer, the other slots do not count. A
        batch that does not divide the slots goes on at the first one, over the oldest.
        """
        queue = FeatureQueue(self.config.queue, self.albef.encoder.width)
        queue.push(features, torch.full((len(features),), NOBODY))
        return queue

    def encode_images(self, images: Tensor) -> Encoded:
        return self.albef.encoder.encode_images(images)  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.albef.encoder.encode_texts(captions)  # type: ignore[no-any-return]  # a module

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """sim_fine: two logits stand for W^O = w_1 - w_0 (eq. 18). Probabilities would tie."""
        fused = self.albef.fuse(texts, images, image_of_text)  # (P, L, D)
        logits = self.albef.matching_head(fused[:, 0])  # (P, 2)
        difference: Tensor = logits[:, 1] - logits[:, 0]  # (P,)
        return difference

    def _labels(self, batch: Batch) -> Tensor:
        if self.config.positives == "pair":
            return batch.image_index
        assert batch.person_ids is not None  # given to every IDENTITY method
        return batch.person_ids

    def contrast(self, x: Pairs) -> Tensor:
        """L_itc against the batch and the queues, with momentum distillation (eq. 15 to 17)."""
        images, texts = x.momentum  # (B, E) each
        old_images, labels = self.image_queue.filled()  # (q, E), (q,)
        old_texts, _ = self.text_queue.filled()
        matches = x.labels[:, None] == torch.cat([x.labels, labels])[None, :]  # (B, C)
        target = matches / matches.sum(dim=1, keepdim=True)  # (B, C)
        share = self._distillation(x.run)
        sides = (
            (x.images.embedding, images, torch.cat([texts, old_texts])),
            (x.texts.embedding, texts, torch.cat([images, old_images])),
        )
        terms = [
            self._soft_contrast(rows, taught, columns, target, share)
            for rows, taught, columns in sides
        ]
        return torch.stack(terms).mean()

    def _soft_contrast(
        self, rows: Tensor, taught: Tensor, columns: Tensor, target: Tensor, share: float
    ) -> Tensor:
        """Cross-entropy of a direction, towards the matches and the momentum model's view."""
        with torch.no_grad():
            view = (cosine(taught, columns) / self.tau).softmax(dim=1)  # (B, C)
            target = share * view + (1 - share) * target  # (B, C)
        log_p = (cosine(rows, columns) / self.tau).log_softmax(dim=1)  # (B, C)
        return -(target * log_p).sum(dim=1).mean()

    @property
    def tau(self) -> Tensor:
        return self.temperature.clamp(0.001, 0.5)

    def _distillation(self, run: Run) -> float:
        """Return the share of the momentum model's targets: it rises over the first epoch."""
        risen = 1.0 if run.stage or run.epoch else run.step / run.steps_per_epoch
        return float(self.config.distillation * risen)

    @torch.no_grad()
    def encode_with_momentum(self, images: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        encoder: Any = self.momentum_copy.module
        found = encoder.encode_images(images), encoder.encode_tokens(words)
        visual, textual = (F.normalize(precise(one.embedding), dim=-1) for one in found)
        return visual, textual

    def matching(self, x: Pairs) -> Tensor:
        """L_itm: pairs against hard negatives of either side (eq. 18 and 19)."""
        logits = torch.cat([x.fused.own, x.fused.other_image, x.fused.other_text])  # (M, 2)
        labels = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        labels[: len(x.fused.own)] = 1
        return F.cross_entropy(precise(logits), labels)

    def fuse_with_negatives(self, x: Pairs) -> Fused:
        """Fuse each pair, and what is most mistaken for its image and for its text."""
        images, texts, rows = self.draw_negatives(x)
        own = torch.arange(len(x.labels), device=rows.device)  # (B,)
        other_image = own.index_copy(0, rows, images)  # (B,), itself where there is no negative
        other_text = own.index_copy(0, rows, texts)  # (B,)
        sides = (
            *(own, x.texts, x.images),
            *(other_image, select_rows(x.texts, other_text), select_rows(x.images, other_image)),
        )
        logits: Tensor = x.run.spread(self.fuse_rows, *sides)  # (B, 3, 2)
        return Fused(logits[:, 0], logits[rows, 1], logits[rows, 2], rows)

    def fuse_rows(
        self,
        own: Tensor,
        texts: Encoded,
        images: Encoded,
        other: Tensor,
        other_texts: Encoded,
        other_images: Encoded,
    ) -> Tensor:
        """Return the matching logits of pairs, with another image, and with another text.

        `own` and `other` (B,) number the images, so that each is mapped to keys and values once.
        """
        both = join_rows(images, other_images)
        first, number = first_of_each(torch.cat([own, other]))  # (M,), (2 B,)
        of_own, of_other = number.chunk(2)
        fused = self.albef.fuse(
            join_rows(texts, texts, other_texts),
            select_rows(both, first),
            torch.cat([of_own, of_other, of_own]),
        )  # (3 B, L, D)
        logits: Tensor = self.albef.matching_head(fused[:, 0])  # (3 B, 2)
        return logits.view(3, -1, 2).transpose(0, 1)

    @torch.no_grad()
    def draw_negatives(self, x: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Draw an image and a text of another label for each row by how alike they look.

        Returns them (B',) with the rows (B',) that have a negative: positives are left out before
        the softmax, so that none can be drawn.
        """
        images, texts = x.momentum  # (B, E)
        same = x.labels[:, None] == x.labels[None, :]  # (B, B)
        rows = (~same).any(dim=1).nonzero()[:, 0]  # (B',)
        generator = x.run.generator("negatives")
        drawn = []
        for anchors, others in ((x.texts.embedding, images), (x.images.embedding, texts)):
            logits = (cosine(anchors, others) / self.tau).masked_fill(same, -torch.inf)[rows]
            odds = logits.softmax(dim=1).cpu()  # (B', B)
            found = torch.multinomial(odds, 1, generator=generator) if len(odds) else odds.long()
            drawn.append(found[:, 0].to(rows.device))
        return drawn[0], drawn[1], rows

    def after_step(self, batch: Batch, run: Run) -> None:
        """Move the momentum encoders, and queue what they gave."""
        assert self.seen is not None
        if "itc" in run.losses or "itm" in run.losses:
            images, texts = self.seen.momentum
            self.image_queue.push(images, self.seen.labels)
            self.text_queue.push(texts, self.seen.labels)
            self.momentum_copy.update(self.albef.encoder)
        self.seen = None


STAGE_1 = ("itc", "itm")
STAGE_2_ALONE = (
    "attention", "layer", "margin", "masked_share", "most_phrases", "phrase_losses", "tagger",
)  # fmt: skip
# The label of what queues bring along from other data: ALBEF's of a slot that matches nothing.
# NOTE: ALBEF goes on from the image numbers in the file, which would match people here.
NOBODY = -100
# Factors of what the backward attention is a gradient of, tried in turn. In half precision a
# gradient below 6e-8 vanishes, and one above 65,504 is infinite.
SCALES = (2.0**12, 2.0**6, 1.0)


def _weights(*names: str) -> dict[str, dict[str, float]]:
    return {"losses": dict.fromkeys(names, 1.0)}


@register(
    "laip",
    title="LAIP",
    paper=Paper(
        "LAIP: Learning Local Alignment from Image-Phrase Modeling for Text-based Person Search",
        ("Haiguang Wang", "Yu Wu", "Mengxia Wu", "Min Cao", "Min Zhang"),
        2024,
        "ICME",
        "https://arxiv.org/abs/2406.10845",
    ),
    extra_data=OF_ENCODERS,
)
class Laip(Baseline):
    """Phrases aligned with the patches that they attend to, forward and backward, on ALBEF.

    At retrieval a cosine finds candidates, which the fusion encoder scores again.
    """

    config_class = LaipConfig
    spreads = True
    recipes = {
        "tiny": Recipe(
            "tiny-albef",
            (96, 32),
            stages=(
                Stage(
                    epochs=1, learning_rate=1e-3, batch_size=32, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=0.5,
                    schedule_end=0.1, losses=STAGE_1, unread=STAGE_2_ALONE,
                ),
                Stage(
                    epochs=1, learning_rate=1e-3, batch_size=32, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=0.5,
                    schedule_end=0.1,
                ),
            ),
            threads=1,
            candidates=16,
            val_candidates=8,
            config={"queue": 1024, "momentum": 0.95, "tagger": "lexicon", "most_phrases": 2},
        ),
        "small": Recipe(
            "tiny-albef",
            (96, 32),
            stages=(
                Stage(
                    epochs=6, learning_rate=5e-4, batch_size=128, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=0.5,
                    schedule_end=0.1, losses=STAGE_1, unread=STAGE_2_ALONE,
                ),
                Stage(
                    epochs=3, learning_rate=5e-4, batch_size=128, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=0.5,
                    schedule_end=0.1,
                ),
            ),
            threads=1,
            candidates=32,
            val_candidates=16,
            config={"queue": 1024, "momentum": 0.95, "tagger": "lexicon", "most_phrases": 2},
        ),
        # Not given in the paper: batch size, weight decay and what it spares, and the rate of 1e-6
        # that the cosine ends at: ALBEF's for retrieval (https://github.com/salesforce/ALBEF,
        # configs/Retrieval_coco.yaml and optim/optim_factory.py). It has 32 on each of 8 GPUs, so
        # the paper's 4 make 128. NOTE: negatives are drawn from all of them, not from the 32 of a
        # GPU.
        "paper": Recipe(
            "albef",
            (384, 384),
            stages=(
                Stage(
                    epochs=30, learning_rate=1e-5, batch_size=128, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=1,
                    schedule_end=0.1, losses=STAGE_1, unread=STAGE_2_ALONE,
                ),
                Stage(
                    epochs=15, learning_rate=1e-5, batch_size=128, optimizer="adamw",
                    weight_decay=0.02, undecayed=("biases", "norms"), warmup_epochs=1,
                    schedule_end=0.1,
                ),
            ),
            precision="fp16",
            candidates=128,
            val_candidates=32,
        ),
    }  # fmt: skip
    ablations = {
        "Table IV": {
            "Baseline": {**_weights("itc", "itm"), "weights": "albef"},
            "Baseline⁺": _weights("itc", "itm"),
            "+ForAtt": {**_weights("itc", "itm", "biatt"), "attention": "forward"},
            "+BackAtt": {**_weights("itc", "itm", "biatt"), "attention": "backward"},
            "+BidirAtts": _weights("itc", "itm", "biatt"),
            "+MPM": _weights("itc", "itm", "mpm"),
            "+BidirAtts+MPM": _weights("itc", "itm", "biatt", "mpm"),
            "LAIP(Ours)": {},
        },
        "Table V": {
            "MLM": _weights("itc", "itm", "tri", "biatt", "mlm"),
        },
        "Table VI": {
            "Baseline": {**_weights("itc", "itm"), "weights": "albef"},
            "Baseline⁺": _weights("itc", "itm"),
            "LAIP": {"weights": "albef"},
            "LAIP⁺": {},
        },
        "Figure 6, layer": {f"layer {layer}": {"layer": layer} for layer in (1, 2, 3, 4, 5)},
        # The paper draws a curve without values; this grid covers the range that it names.
        "Figure 6, delta": {
            f"delta {delta}": {"margin": delta} for delta in (0.2, 0.4, 0.6, 0.8, 1.0)
        },
    }

    def __init__(self, config: LaipConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self._refuse_layer(config.layer)
        self.phrases_of_caption: list[list[Phrase]] = []

    def _refuse_layer(self, layer: int) -> None:
        last = len(self.albef.fusion.layers)
        if not 1 <= layer < last:
            raise ValueError(
                f"layer {layer} cannot weigh patches: it has to be 1 to {last - 1}. Behind the "
                f"cross-attention of the last layer, {last}, a masked word is read from its own "
                "row alone, so the row of the whole phrase gets no gradient."
            )

    def prepare(self, train: TrainSet, run: Run) -> None:
        """Parse the noun phrases of every training caption."""
        if {"biatt", "mpm"} & self.config.losses.keys():
            self.phrases_of_caption = self.parse(tag(train.captions, self.config.tagger))

    def parse(self, captions: Sequence[Sequence[Word]]) -> list[list[Phrase]]:
        """Return the phrases of tagged captions in word pieces."""
        encoder = self.albef.encoder
        longest = encoder.vocabulary.length - 2  # beside start and end
        return [parse_phrases(words, encoder.word_pieces, longest) for words in captions]

    def draw_phrases(self, caption: int, generator: torch.Generator) -> list[Phrase]:
        """Return the phrases of a training caption, of more than are taken some, in their order."""
        phrases, most = self.phrases_of_caption[caption], self.config.most_phrases
        if len(phrases) <= most:
            return phrases
        drawn = torch.randperm(len(phrases), generator=generator)[:most]
        return [phrases[number] for number in drawn.sort().values.tolist()]

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        # NOTE: no augmentation: the paper names none.
        pairs = Pairs(
            batch,
            run,
            run.spread(self.encode_images, batch.images),
            self.albef.encoder.tokenize(batch.captions),
            self._labels(batch),
            self,
        )
        self.seen = pairs
        return weighted(
            run.losses,
            pairs,
            itc=self.contrast,
            itm=self.matching,
            tri=self.fusion_triplet,
            biatt=self.local_alignment,
            mpm=self.masked_phrases,
            mlm=self.masked_words,
        )

    def fusion_triplet(self, x: Pairs) -> Tensor:
        """L_tri on matching probabilities (eq. 20; its signs are printed the wrong way round)."""
        own, other_image, other_text = (
            precise(logits).softmax(dim=1)[:, 1]
            for logits in (x.fused.own[x.fused.rows], x.fused.other_image, x.fused.other_text)
        )  # (B',)
        return fusion_triplet(own, other_image, other_text, self.config.margin)

    def mask_phrases(self, batch: Batch, generator: torch.Generator) -> MaskedPhrases:
        """Put the phrases of a batch side by side, one word of each masked."""
        found = [
            (row, phrase)
            for row, caption in enumerate(batch.caption_index.tolist())
            for phrase in self.draw_phrases(caption, generator)
        ]
        draws = torch.rand(len(found), generator=generator).tolist()
        words = [int(draw * len(phrase)) for draw, (_, phrase) in zip(draws, found, strict=True)]
        vocabulary = self.albef.encoder.vocabulary
        return mask_phrases(found, words, vocabulary, batch.caption_index.device)

    def fuse_phrases(self, phrases: MaskedPhrases, images: Encoded) -> Masked:
        """Fuse masked phrases with their images; logits of all words, attention of one layer."""
        texts = self.albef.encoder.encode_tokens(phrases.masked)
        fused, attention = self.albef.fusion.watch(
            texts.tokens, texts.mask, tokens_of(images), self.config.layer, phrases.row
        )  # (P, L, D), (P, H, L, 1 + N)
        return Masked(self.albef.masked_word_head(fused), attention)

    def masked_phrases(self, x: Pairs) -> Tensor:
        """L_mpm: predict the masked word of each phrase with the image in view (eq. 11, 12)."""
        words = _log_probabilities(x.masked.logits, x.phrases.ids)  # (P, L)
        return self._of_captions(-(words * x.phrases.chosen).sum(dim=1), x)

    def masked_words(self, x: Pairs) -> Tensor:
        """L_mlm, in its place in Table V: masked words of the whole text."""
        masked = mask_words(
            x.words,
            self.albef.encoder.vocabulary,
            x.run.generator("mask"),
            self.config.masked_share,
        )
        texts = x.run.spread(self.albef.encoder.encode_tokens, masked.ids)
        fused = x.run.spread(self.albef.fuse, texts, x.images)[masked.chosen]  # (M, D)
        logits = self.albef.masked_word_head(fused)  # (M, vocabulary)
        return F.cross_entropy(precise(logits), masked.labels[masked.chosen])

    def local_alignment(self, x: Pairs) -> Tensor:
        """L_biatt: each phrase against the patches that it attends to (eq. 8 to 10 and 12)."""
        weights = self.weigh_patches(x.masked, x.phrases)  # (P, N)
        patches = tokens_of(x.images)[:, 1:].index_select(0, x.phrases.row)  # (P, N, D)
        attended = torch.einsum("pn,pnd->pd", weights.to(patches.dtype), patches)  # (P, D)
        images = self.albef.project_images(attended)  # (P, E)
        encode = self.albef.encoder.encode_tokens
        texts = x.run.spread(encode, x.phrases.ids).embedding  # (P, E)
        similarity = F.cosine_similarity(precise(images), precise(texts), dim=1)  # (P,)
        return self._of_captions(1 - similarity, x)

    def _of_captions(self, terms: Tensor, x: Pairs) -> Tensor:
        """Sum the losses of phrases (P,) caption by caption, or average them: the batch's mean."""
        if self.config.phrase_losses == "mean":
            terms = terms / (x.phrases.row[:, None] == x.phrases.row).sum(dim=1)  # (P,)
        return terms.sum() / len(x.labels)

    def weigh_patches(self, masked: Masked, phrases: MaskedPhrases) -> Tensor:
        """Weigh the patches for each phrase: (P, N), without gradient (eq. 4 to 7)."""
        return weigh(*self.attend(masked, phrases), self.config.attention)

    def attend(self, masked: Masked, phrases: MaskedPhrases) -> tuple[Tensor, Tensor]:
        """Forward and backward attention of each phrase to the patches: (P, N) each."""
        true = masked.logits.gather(2, phrases.ids[..., None])[..., 0]  # (P, L)
        score = precise(true)[phrases.chosen].sum()  # (), s of every phrase; they share nothing
        gradient = attention_gradient(score, masked.attention)
        # Row 0 is the whole phrase, column 0 the whole image; heads are averaged first.
        forward, backward = (
            precise(one.detach())[:, :, 0, 1:].mean(dim=1) for one in (masked.attention, gradient)
        )  # (P, N)
        return forward, backward

    def highlight(self, images: Tensor, captions: Sequence[str]) -> list[list[Highlight]]:
        """Draw where each phrase looks, with its last word masked (Figures 2 and 7)."""
        tagged = tag(captions, self.config.tagger)
        phrases = [
            (row, phrase) for row, found in enumerate(self.parse(tagged)) for phrase in found
        ]
        last = [len(phrase) - 1 for _, phrase in phrases]
        vocabulary = self.albef.encoder.vocabulary
        masked = mask_phrases(phrases, last, vocabulary, images.device)
        fused = self.fuse_phrases(masked, self.encode_images(images))
        forward, backward = self.attend(fused, masked)  # (P, N)
        spans = [
            (row, words[start].start, words[end - 1].end)
            for row, words in enumerate(tagged)
            for start, end in phrase_spans(words)
        ]
        found: list[list[Highlight]] = [[] for _ in captions]
        maps = {
            "forward attention": self._grid(weigh(forward, backward, "forward")),
            "bidirectional attention": self._grid(weigh(forward, backward, "bidirectional")),
        }
        for number, (row, start, stop) in enumerate(spans):
            drawn = {title: weights[number] for title, weights in maps.items()}
            found[row].append(Highlight(start, stop, drawn))
        return found

    def _grid(self, weights: Tensor) -> Tensor:
        """Lay patches out as the image has them: (P, N) -> (P, rows, columns)."""
        height, width = self.config.image_size
        side = math.isqrt(height * width // weights.shape[1])
        return weights.view(-1, height // side, width // side)


def fusion_triplet(own: Tensor, other_image: Tensor, other_text: Tensor, margin: float) -> Tensor:
    """Return the mean of squared hinges: a pair is to score higher than both (B',) -> ().

    [s(I_neg, T) - s(I, T) + delta]_+^2 + [s(I, T_neg) - s(I, T) + delta]_+^2; nothing where no row
    has a negative.
    """
    hinges = F.relu(torch.stack([other_image, other_text]) - own + margin).square()  # (2, B')
    return hinges.sum() / max(len(own), 1)


def attention_gradient(score: Tensor, attention: Tensor) -> Tensor:
    """Return ds/dA in at least float32: (), (P, H, L, 1 + N) -> (P, H, L, 1 + N).

    Powers of two are exact, so that in full precision the first factor changes nothing.
    """
    for scale in SCALES:
        (gradient,) = torch.autograd.grad(score * scale, attention, retain_graph=True)
        if gradient.isfinite().all():
            break
    return precise(gradient) / scale


def weigh(forward: Tensor, backward: Tensor, attention: Attention) -> Tensor:
    """Turn forward and backward attention into weights of sum 1: (P, N) twice -> (P, N)."""
    kinds: dict[Attention, Callable[[], Tensor]] = {
        "forward": lambda: forward,
        "backward": lambda: backward.clamp_min(0),
        "bidirectional": lambda: forward * backward.clamp_min(0),
    }
    return normalised(kinds[attention]())


def normalised(weights: Tensor) -> Tensor:
    """Scale non-negative weights to sum 1; all-zero ones become even: (P, N) -> (P, N).

    Products of attentions are tiny, so nothing absolute is added.
    """
    total = weights.sum(dim=1, keepdim=True)  # (P, 1)
    even = torch.full_like(weights, 1 / weights.shape[1])
    return torch.where(total > 0, weights / total.where(total > 0, 1.0), even)


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


def _log_probabilities(logits: Tensor, ids: Tensor) -> Tensor:
    """(P, L, vocabulary), (P, L) -> (P, L): the log-probability of each id."""
    return precise(logits).log_softmax(dim=2).gather(2, ids[..., None])[..., 0]
