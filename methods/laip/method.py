"""LAIP itself: phrases aligned with the patches that they attend to.

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, N patches, H
heads, P phrases of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import (
    Batch,
    Download,
    Encoded,
    Highlight,
    Recipe,
    Run,
    Stage,
    TrainSet,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks.albef import albef_downloads
from methods.blocks.encoded_rows import tokens_of
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import precise
from methods.blocks.masked_phrases import (
    MaskedPhrases,
    Phrase,
    mask_phrases,
    parse_phrases,
    phrase_spans,
)
from methods.blocks.masking import mask_words
from methods.blocks.matching import read
from methods.blocks.objective import weighted
from methods.blocks.phrases import Word, tag, tagger_downloads
from methods.laip.attention import attention_gradient, weigh
from methods.laip.baseline import Baseline
from methods.laip.config import LaipConfig
from methods.laip.pairs import Masked, Pairs
from methods.laip.slots import Slots, by_caption

STAGE_1 = ("itc", "itm")
STAGE_2_ALONE = (
    "attention", "layer", "margin", "masked_share", "most_phrases", "phrase_losses", "tagger",
)  # fmt: skip


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

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return (
            *albef_downloads(config.backbone, config.weights),
            *tagger_downloads(config.tagger),
        )

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
        self.seen = Pairs(batch, run, self._labels(batch), self)
        return weighted(
            run.losses,
            self.seen,
            itc=self.contrast,
            itm=self.matching,
            tri=self.fusion_triplet,
            biatt=self.local_alignment,
            mpm=self.masked_phrases,
            mlm=self.masked_words,
        )

    def fusion_triplet(self, x: Pairs) -> Tensor:
        """L_tri on matching probabilities (eq. 20; its signs are printed the wrong way round)."""
        scores = x.scores[:, ~x.same.all(dim=1)]  # (3, B', 2): rows that have negatives
        own, other_image, other_text = precise(scores).softmax(dim=2)[..., 1]  # (B',) each
        return fusion_triplet(own, other_image, other_text, self.config.margin)

    def mask_phrases(self, batch: Batch, generator: torch.Generator) -> MaskedPhrases:
        """Put the phrases of a batch side by side, one word of each masked."""
        found = [
            (row, phrase)
            for row, caption in enumerate(batch.caption_numbers)
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

    def read_phrases(self, x: Pairs) -> dict[str, Tensor]:
        """Return what the losses that are on read of all phrases: (P, ...) by loss."""
        names = [name for name in ("biatt", "mpm") if name in x.run.losses]
        slots = by_caption(x.phrases, len(x.labels))
        found = x.run.spread(partial(self.read_captions, names), slots, x.images)
        return {name: slots.take(values) for name, values in found.items()}

    def read_captions(
        self, names: Sequence[str], slots: Slots, images: Encoded
    ) -> dict[str, Tensor]:
        """Fuse the phrases of captions with their images once, and read what losses ask for.

        Returns (B, K, ...) by loss. What a phrase attends to is a gradient of its own score: it
        hangs on no other row.
        """
        phrases = slots.phrases()
        masked = self.fuse_phrases(phrases, images)
        kinds = {"biatt": self.attended_patches, "mpm": self.masked_word}
        return {name: slots.fill(kinds[name](masked, phrases, images)) for name in names}

    def masked_phrases(self, x: Pairs) -> Tensor:
        """L_mpm: predict the masked word of each phrase with the image in view (eq. 11, 12)."""
        return self._of_captions(x.phrased["mpm"], x)

    def masked_word(self, masked: Masked, phrases: MaskedPhrases, images: Encoded) -> Tensor:
        """Return minus the log-probability of the masked word of each phrase: (P,)."""
        words = _log_probabilities(masked.logits, phrases.ids)  # (P, L)
        return -(words * phrases.chosen).sum(dim=1)

    def masked_words(self, x: Pairs) -> Tensor:
        """L_mlm, in its place in Table V: masked words of the whole text."""
        masked = mask_words(
            x.ids,
            self.albef.encoder.vocabulary,
            x.run.generator("mask"),
            self.config.masked_share,
        )
        fused = x.run.spread(partial(read, self.albef), masked.ids, x.images)  # (B, L, D)
        logits = self.albef.masked_word_head(fused[masked.chosen])  # (M, vocabulary)
        return F.cross_entropy(precise(logits), masked.labels[masked.chosen])

    def local_alignment(self, x: Pairs) -> Tensor:
        """L_biatt: each phrase against the patches that it attends to (eq. 8 to 10 and 12)."""
        images = self.albef.project_images(x.phrased["biatt"])  # (P, E)
        encode = self.albef.encoder.encode_tokens
        texts = x.run.spread(encode, x.phrases.ids).embedding  # (P, E)
        similarity = F.cosine_similarity(precise(images), precise(texts), dim=1)  # (P,)
        return self._of_captions(1 - similarity, x)

    def attended_patches(self, masked: Masked, phrases: MaskedPhrases, images: Encoded) -> Tensor:
        """Return the patches that each phrase attends to, weighed and summed: (P, D) (eq. 8)."""
        weights = self.weigh_patches(masked, phrases)  # (P, N)
        patches = tokens_of(images)[:, 1:].index_select(0, phrases.row)  # (P, N, D)
        return torch.einsum("pn,pnd->pd", weights.to(patches.dtype), patches)  # (P, D)

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


def _log_probabilities(logits: Tensor, ids: Tensor) -> Tensor:
    """(P, L, vocabulary), (P, L) -> (P, L): the log-probability of each id."""
    return precise(logits).log_softmax(dim=2).gather(2, ids[..., None])[..., 0]
