"""OGEN: omni-granularity embedding network.

Wang, Luo and Li, "Omni-Granularity Embedding Network for Text-to-Image Person Retrieval".
https://openreview.net/forum?id=DzQgBP9jSI

Shapes: B pairs, d the width of a part, K the parts of one granularity, S = 1 + K a sequence led by
the whole person, D the width of what is retrieved by, P people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.method import (
    Batch,
    Config,
    Download,
    Method,
    Recipe,
    Run,
    Stage,
    Supervision,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks import losses
from methods.blocks.augment import Augmentation, augment
from methods.blocks.backbones import encoder_downloads, load_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.granularity import Heads, ImageParts, TextParts
from methods.blocks.losses import cosine, precise
from methods.blocks.masking import hide_words
from methods.blocks.objective import weighted

Parts = Mapping[int, Tensor]  # granularity -> its parts (B, K, d)
Pieces = tuple[Tensor, ...]  # what a person is represented by: one (B, width) or several


@dataclass(frozen=True)
class OgenConfig(Config):
    """The paper's values."""

    supervision: Supervision = Supervision.IDENTITY
    # Eq. 8: the student's, at omni-granularity and at each granularity. Eq. 13: the teacher's.
    losses: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(("l_o", "l_1", "l_2", "l_3", "l_h", "l_k"), 1.0)
    )
    granularities: tuple[int, ...] = (1, 2, 3)
    parts: tuple[int, int] = (3, 6)  # of granularities 2 and 3
    # One cross-granularity aggregation module for both networks, one for each, or none: then a
    # person is represented by the granularities themselves.
    aggregation: Literal["shared", "separate", "none"] = "shared"
    adapted: Literal["teacher", "student"] = "teacher"  # the network that L_k works on
    # What granularities 2 and 3 are judged by in eq. 8, which leaves it open: their parts before
    # aggregation, or v^2[0] and v^3[0] of eq. 4 behind it. Rows without aggregation have parts.
    judged: Literal["parts", "aggregated"] = "parts"
    # How "multi-head attention with 3 x (s - 1) heads" makes parts of words: each head weighs the
    # words, or maps them to queries, keys and values of its own.
    text_heads: Heads = "weights"
    width: int = 768  # d
    heads: int = 6
    margin: float = 0.2  # alpha
    masked_share: float = 0.15  # of the words
    # Learning rate of what is pre-trained, as a share. NOTE: not given in the paper, which prints
    # 2e-4 for all: 1.0 is the print.
    encoder_rate: float = 0.1


class CrossGranularityAggregation(nn.Module):
    """CGAM: the whole person and its parts at two granularities become one representation.

    As printed: neither norms nor positions, and no residual around the local attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        attention = partial(nn.MultiheadAttention, width, heads, batch_first=True)
        self.local_2, self.local_3 = attention(), attention()
        self.cross_2, self.cross_3 = attention(), attention()
        self.feedforward_2, self.feedforward_3 = _feedforward(width), _feedforward(width)

    def forward(self, parts: Parts) -> Tensor:
        """Parts (B, 1, d), (B, K, d), (B, K', d) of granularities 1 to 3 -> (B, 3 d)."""
        v2 = _attend(self.local_2, torch.cat([parts[1], parts[2]], dim=1))  # (B, S, d), eq. 2
        v3 = _attend(self.local_3, torch.cat([parts[1], parts[3]], dim=1))  # (B, S', d)
        v2 = self.feedforward_2(v2) + v2  # (B, S, d), eq. 3
        v3 = self.feedforward_3(v3) + v3  # (B, S', d)
        v32 = torch.cat([v3[:, :1], v2[:, 1:]], dim=1)  # (B, S, d)
        v23 = torch.cat([v2[:, :1], v3[:, 1:]], dim=1)  # (B, S', d)
        v2 = v32 + _attend(self.cross_2, v32)  # (B, S, d), eq. 4
        v3 = v23 + _attend(self.cross_3, v23)  # (B, S', d)
        return torch.cat([parts[1][:, 0], v2[:, 0], v3[:, 0]], dim=1)  # (B, 3 d), eq. 5


@dataclass(frozen=True)
class Taught:
    """What the teacher makes of a batch: mixed features, attentive images and texts."""

    mixed: Pieces  # m
    image: Pieces  # h
    text: Pieces  # z


class Pairs:
    """A batch, encoded; what several losses need is computed once."""

    def __init__(
        self,
        images: Parts,
        texts: Parts,
        person_ids: Tensor,
        student: Callable[[Parts], Pieces],
        teacher: Callable[[Parts], Pieces],
    ) -> None:
        self.images = images
        self.texts = texts
        self.person_ids = person_ids  # (B,)
        self._student = student
        self._teacher = teacher

    @cached_property
    def learned(self) -> tuple[Pieces, Pieces]:
        """The student's representations of images and texts."""
        return self._student(self.images), self._student(self.texts)

    def parts(self, s: int) -> tuple[Tensor, Tensor]:
        """A granularity before aggregation, its parts side by side: (B, K d) twice."""
        return self.images[s].flatten(1), self.texts[s].flatten(1)

    def aggregated(self, s: int) -> tuple[Tensor, Tensor]:
        """A granularity's own third of the omni-granularity representations: (B, d) twice."""
        (images,), (texts,) = self.learned
        return images.chunk(3, dim=1)[s - 1], texts.chunk(3, dim=1)[s - 1]

    @cached_property
    def taught(self) -> Taught:
        """The teacher's, guided by what both modalities share (eq. 9 and 10)."""
        mixed = {s: (self.images[s] + self.texts[s]) / 2 for s in self.images}
        images = {s: dual_attention(self.images[s], mixed[s]) for s in mixed}
        texts = {s: dual_attention(self.texts[s], mixed[s]) for s in mixed}
        return Taught(self._teacher(mixed), self._teacher(images), self._teacher(texts))


# What the ablation rows switch off.
ONE_GRANULARITY = {"granularities": (1,), "aggregation": "none"}
NO_AGGREGATION = {"aggregation": "none"}


def _weights(*names: str) -> dict[str, dict[str, float]]:
    return {"losses": dict.fromkeys(names, 1.0)}


@register(
    "ogen",
    title="OGEN",
    paper=Paper(  # where and when it appeared is not known
        "Omni-Granularity Embedding Network for Text-to-Image Person Retrieval",
        ("Chengji Wang", "Zhiming Luo", "Shaozi Li"),
        url="https://openreview.net/forum?id=DzQgBP9jSI",
    ),
    extra_data=OF_ENCODERS,
)
class Ogen(Method):
    """Parts at three granularities, aggregated across them, and a teacher on the same weights.

    At retrieval the student works alone: the teacher needs both modalities of a pair.
    """

    config_class = OgenConfig
    spreads = True
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(Stage(epochs=3, learning_rate=4e-3, warmup_epochs=0.5, weight_decay=5e-4),),
            threads=1,
            config={"width": 64, "heads": 4, "encoder_rate": 0.3},
        ),
        # All at one rate, as printed: the towers share no space yet, as the paper's do not.
        "small": Recipe(
            "tiny-towers",
            (96, 32),
            stages=(Stage(epochs=10, learning_rate=2e-3, warmup_epochs=1, weight_decay=5e-4),),
            threads=1,
            config={"width": 64, "heads": 4, "encoder_rate": 1.0},
        ),
        # Schedule and warm-up are not given. NOTE: pixels are normalised as the ViT's weights
        # expect, not by 1/256, and word embeddings are BERT's own, not of 400 dimensions.
        "paper": Recipe(
            "vit_base_patch16_224.augreg_in21k_ft_in1k+google-bert/bert-base-uncased",
            (384, 192),
            stages=(Stage(epochs=50, learning_rate=2e-4, warmup_epochs=5, weight_decay=5e-4),),
            precision="fp16",
        ),
    }
    ablations = {
        "Table II": {
            "Baseline": {**ONE_GRANULARITY, **_weights("l_1")},
            "+DA": {**ONE_GRANULARITY, **_weights("l_1", "l_h", "l_k")},
            "+MGE": {**NO_AGGREGATION, **_weights("l_1", "l_2", "l_3")},
            "+MGE+Student": _weights("l_o", "l_1", "l_2", "l_3"),
            "+MGE+DA": {**NO_AGGREGATION, **_weights("l_1", "l_2", "l_3", "l_h", "l_k")},
            "OGEN": {},
        },
        "Table III": {
            "no shared CGAM": {"aggregation": "separate"},
            "shared CGAM": {},
        },
        "Table IV": {
            "3, 6": {},
            "3, 8": {"parts": (3, 8)},
            "4, 6": {"parts": (4, 6)},
            "4, 8": {"parts": (4, 8)},
        },
        "Table V": {
            "w/o L_k": _weights("l_o", "l_1", "l_2", "l_3", "l_h"),
            "L_k(S)": {"adapted": "student"},
            "L_k(T)": {},
        },
    }
    # Which re-ranking is not said; each of the harness stands beside the figure.
    evaluations = {"OGEN(RR)": ("k-reciprocal", "visual-neighbours")}

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return encoder_downloads(config.backbone)

    def __init__(self, config: OgenConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        if config.aggregation != "none" and config.granularities != (1, 2, 3):
            raise ValueError(
                f"aggregation needs granularities (1, 2, 3), not {config.granularities}; "
                'without it, set aggregation to "none"'
            )
        assert train.person_count is not None  # given to every IDENTITY method
        self.encoder = load_encoder(config.backbone, config.image_size)
        self.augmentation = Augmentation()
        counts = {1: 1, 2: config.parts[0], 3: config.parts[1]}
        encoder, width = self.encoder, config.width
        self.image_parts = _by_granularity(
            counts, lambda parts: ImageParts(encoder.grid, encoder.image_width, width, parts)
        )
        self.text_parts = _by_granularity(
            counts, lambda parts: TextParts(encoder.text_width, width, parts, config.text_heads)
        )
        self.student = CrossGranularityAggregation(width, config.heads)
        self.teacher = CrossGranularityAggregation(width, config.heads)  # "separate" alone needs it
        people = train.person_count
        aggregated = config.judged == "aggregated" and config.aggregation != "none"
        self.judged = Pairs.aggregated if aggregated else Pairs.parts
        self.classifiers = _by_granularity(
            counts, lambda parts: _classifier(width if aggregated else parts * width, people)
        )
        self.omni_classifier = _classifier(3 * width, people)

    def encode_images(self, images: Tensor) -> Tensor:
        return joined(self.represent(self.split_images(images), self.student))  # (B, D)

    def encode_texts(self, captions: Sequence[str]) -> Tensor:
        words = self.encoder.tokenize(captions)  # (B, L)
        return joined(self.represent(self.split_texts(words), self.student))  # (B, D)

    def split_images(self, images: Tensor) -> Parts:
        """(B, 3, H, W) uint8 -> v: parts (B, K, d) by granularity (section III-A)."""
        tokens = self.encoder.encode_images(images).tokens  # (B, 1 + N, width)
        return {s: self.image_parts[str(s)](tokens) for s in self.config.granularities}

    def split_texts(self, words: Tensor) -> Parts:
        """(B, L) token ids -> e: parts (B, K, d) by granularity (section III-A)."""
        encoded = self.encoder.encode_tokens(words)
        return {
            s: self.text_parts[str(s)](encoded.embedding, encoded.tokens, encoded.mask)
            for s in self.config.granularities
        }

    def represent(self, parts: Parts, network: nn.Module) -> Pieces:
        """Return the omni-granularity representation, or without aggregation each granularity's."""
        if self.config.aggregation == "none":
            return tuple(part.flatten(1) for part in parts.values())  # (B, K d) each
        return (network(parts),)  # (B, 3 d)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        assert batch.person_ids is not None
        images = augment(
            batch.images, self.augmentation, self.encoder.mean, run.generator("augment")
        )
        words = hide_words(
            self.encoder.tokenize(batch.captions),
            self.encoder.vocabulary,
            run.generator("mask"),
            self.config.masked_share,
        )  # (B, L)
        teacher = self.teacher if self.config.aggregation == "separate" else self.student
        pairs = Pairs(
            run.spread(self.split_images, images),
            run.spread(self.split_texts, words),
            batch.person_ids,
            partial(self.represent, network=self.student),
            partial(self.represent, network=teacher),
        )
        return weighted(
            run.losses,
            pairs,
            l_o=self.omni,
            l_1=partial(self.granularity, 1),
            l_2=partial(self.granularity, 2),
            l_3=partial(self.granularity, 3),
            l_h=self.teacher_triplet,
            l_k=self.adaptation,
        )

    def omni(self, x: Pairs) -> Tensor:
        """L_r + L_c of the omni-granularity representation (eq. 6 to 8)."""
        (images,), (texts,) = x.learned
        return self._student_loss(images, texts, self.omni_classifier, x.person_ids)

    def granularity(self, s: int, x: Pairs) -> Tensor:
        """L_r + L_c of a granularity, before aggregation or behind it (eq. 6 to 8)."""
        images, texts = self.judged(x, s)
        return self._student_loss(images, texts, self.classifiers[str(s)], x.person_ids)

    def _student_loss(
        self, images: Tensor, texts: Tensor, classifier: nn.Module, person_ids: Tensor
    ) -> Tensor:
        similarity = cosine(images, texts)  # (B, B)
        ranking = self._triplet(similarity, person_ids) + self._triplet(similarity.T, person_ids)
        identity = losses.identity(classifier(images), classifier(texts), person_ids)
        return ranking + 2 * identity  # eq. 7 sums what `identity` averages

    def teacher_triplet(self, x: Pairs) -> Tensor:
        """L_h: mixed features are the anchors, of images and of texts (eq. 11)."""
        mixed = joined(x.taught.mixed)  # (B, D)
        return sum(
            self._triplet(cosine(mixed, joined(other)), x.person_ids)
            for other in (x.taught.image, x.taught.text)
        )  # type: ignore[return-value]  # two terms

    def adaptation(self, x: Pairs) -> Tensor:
        """L_k: both modalities of a pair are to respond with the same energy (eq. 12)."""
        if self.config.adapted == "student":
            return adaptation(*x.learned)
        return adaptation(x.taught.image, x.taught.text)

    def _triplet(self, similarity: Tensor, person_ids: Tensor) -> Tensor:
        return losses.hardest_triplet(similarity, person_ids, self.config.margin)

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """What is pre-trained learns more slowly."""
        groups: dict[bool, list[Tensor]] = {True: [], False: []}
        for name, parameter in self.named_parameters():
            groups[name.startswith(("encoder.visual.", "encoder.text."))].append(parameter)
        slow = self.config.encoder_rate * stage.learning_rate
        return [{"params": groups[True], "lr": slow}, {"params": groups[False]}]


def dual_attention(features: Tensor, mixed: Tensor) -> Tensor:
    """Amplify the channels that agree with the mixed feature, restrain the others (eq. 10).

    (B, K, d), (B, K, d) -> (B, K, d); it has no parameters.
    """
    return features * (1 + torch.tanh(features * mixed)) / 2  # (B, K, d)


def joined(pieces: Pieces) -> Tensor:
    """Put the pieces of a representation side by side, each of length one: -> (B, D)."""
    return torch.cat([F.normalize(precise(piece), dim=-1) for piece in pieces], dim=1)  # (B, D)


def adaptation(images: Pieces, texts: Pieces) -> Tensor:
    """Return the squared difference of mean energies, averaged over pairs: -> () (eq. 12)."""
    energies = [
        precise(torch.cat(pieces, dim=1)).square().mean(dim=1) for pieces in (images, texts)
    ]
    return (energies[0] - energies[1]).square().mean()


def _attend(attention: nn.Module, sequence: Tensor) -> Tensor:
    """Let a sequence attend to itself: (B, S, d) -> (B, S, d) (eq. 1)."""
    return attention(sequence, sequence, sequence, need_weights=False)[0]  # type: ignore[no-any-return]  # a module


def _feedforward(width: int) -> nn.Sequential:
    """Return a two-layer network; how wide it is inside is not given in the paper."""
    return nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))


def _classifier(width: int, people: int) -> nn.Linear:
    classifier = nn.Linear(width, people)
    nn.init.normal_(classifier.weight, std=0.001)
    nn.init.zeros_(classifier.bias)
    return classifier


def _by_granularity(counts: Mapping[int, int], make: Callable[[int], nn.Module]) -> nn.ModuleDict:
    return nn.ModuleDict({str(s): make(parts) for s, parts in counts.items()})
