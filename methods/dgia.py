"""DGIA: dual-granularity cross-modal identity association, without a single identity label.

Zhang, Shang and Li, "Dual-Granularity Cross-Modal Identity Association for Weakly-Supervised
Text-to-Person Image Matching", ACM MM 2025. https://arxiv.org/abs/2507.06744

Shapes: B pairs, D the width of the joint space, L text tokens, M images and N captions of the
training set, K the most captions an image has, C image columns and T caption columns of the
global relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harness.method import (
    Batch,
    Config,
    Download,
    Encoded,
    Method,
    Recipe,
    Run,
    Stage,
    Supervision,
    TrainSet,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks import losses
from methods.blocks.augment import Augmentation, augment
from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import cosine
from methods.blocks.masking import hide_words
from methods.blocks.memory import MemoryBank
from methods.blocks.objective import weighted
from methods.blocks.relations import (
    confidence_target,
    gather_columns,
    nearest_above,
    softened_target,
)


@dataclass(frozen=True)
class DgiaConfig(Config):
    """The paper's values."""

    supervision: Supervision = Supervision.PAIRS
    # Eq. 22: contrast, local relations, global relations, information-asymmetric pairs.
    losses: Mapping[str, float] = field(
        default_factory=lambda: {"itc": 1.0, "rc_b": 1.0, "rc_g": 1.0, "rc_h": 1.0}
    )
    temperature: float = 0.02  # tau
    threshold: float = 0.7  # th, of both relations
    match_weight: float = 0.5  # lambda; not given in the paper
    nearest: int = 10  # k of the top-k; not given in the paper
    new_share: float = 0.8  # alpha, the weight of the new feature in a bank; not given in the paper
    masked_share: float = 0.5  # of the words of an information-asymmetric pair
    # Whose similarities decide; of several, all have to agree. Confidence goes by the first.
    local_modalities: tuple[str, ...] = ("image", "text")
    global_modalities: tuple[str, ...] = ("image",)


@dataclass(frozen=True)
class Pairs:
    """A batch, encoded."""

    image: Tensor  # f^v (B, D)
    text: Tensor  # f^t (B, D)
    words: Tensor  # (B, L) token ids
    batch: Batch
    run: Run

    def of(self, modality: str) -> Tensor:
        """Return the features of a modality without gradient: relations only steer a loss."""
        return {"image": self.image, "text": self.text}[modality].detach()  # (B, D)


# The losses of the ablation rows: the baseline, with local relations, with global ones too.
B = {"losses": {"itc": 1.0}}
LRC = {"losses": {"itc": 1.0, "rc_b": 1.0}}
GSRC_FR = {"losses": {"itc": 1.0, "rc_b": 1.0, "rc_g": 1.0}}


@register(
    "dgia",
    title="DGIA",
    paper=Paper(
        "Dual-Granularity Cross-Modal Identity Association for Weakly-Supervised Text-to-Person "
        "Image Matching",
        ("Yafei Zhang", "Yongle Shang", "Huafeng Li"),
        2025,
        "ACM MM",
        "https://arxiv.org/abs/2507.06744",
    ),
    extra_data=OF_ENCODERS,
)
class Dgia(Method):
    """Identity relations mined within the batch and over the whole training set, from pairs alone.

    At retrieval only the dual encoder works: relations and memory banks serve training.
    """

    config_class = DgiaConfig
    spreads = True
    # Adam's eps and weight decay, which biases are spared, are not given in the paper: they are
    # IRRA's, whose batch, rate, warm-up, temperature and SDM it has
    # (https://github.com/anosorae/IRRA/blob/main/solver/build.py, utils/options.py). NOTE: IRRA's
    # code also doubles the rate of biases; the paper prints one rate.
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(Stage(epochs=4, learning_rate=2e-3, warmup_epochs=0.5, eps=1e-3),),
            threads=1,
            config={"temperature": 0.1},  # nearer to the one that tiny-clip was pre-trained with
        ),
        "small": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(
                Stage(
                    epochs=8, learning_rate=4e-3, warmup_epochs=1,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            threads=1,
            config={"temperature": 0.1},
        ),
        "paper": Recipe(
            "ViT-B-16-quickgelu/openai",
            (384, 128),
            stages=(
                Stage(
                    epochs=40, learning_rate=1e-5, warmup_epochs=5,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            precision="fp16",
        ),
    }  # fmt: skip
    ablations = {
        "Table 4": {
            "B": B,
            "B+LRC": LRC,
            "B+GSRC-FR": {"losses": {"itc": 1.0, "rc_g": 1.0}},
            "B+LRC+GSRC-FR": GSRC_FR,
            "B+LRC+GSRC-FR+IASC-CL": {},
        },
        "Table 5": {
            "B": B,
            "B+LRCI": {**LRC, "local_modalities": ("image",)},
            "B+LRCT": {**LRC, "local_modalities": ("text",)},
            "B+LRC": LRC,
        },
        "Table 6": {
            "BFE": LRC,
            "BFE+GSRC-T": {**GSRC_FR, "global_modalities": ("text",)},
            "BFE+GSRC-IT": {**GSRC_FR, "global_modalities": ("image", "text")},
            "BFE+GSRC-FR": GSRC_FR,
        },
        # The paper draws curves without values; this grid covers the range that it names.
        "Figure 3": {
            f"mask ratio {ratio}": {"masked_share": ratio}
            for ratio in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
        },
    }

    image_of_caption: Tensor  # (N,)
    captions_of_image: Tensor  # (M, K), -1 where an image has fewer

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return encoder_downloads(config.backbone)

    def __init__(self, config: DgiaConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        self.augmentation = Augmentation()
        # NOTE: the paper numbers both banks by pair; an image with several captions has one entry.
        self.image_bank = MemoryBank(train.image_count, self.encoder.width, config.new_share)
        self.text_bank = MemoryBank(len(train.captions), self.encoder.width, config.new_share)
        self.seen: Pairs | None = None  # what the banks take up after the step

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def prepare(self, train: TrainSet, run: Run) -> None:
        """Fill the memory banks, where global relations are on."""
        if "rc_g" not in run.losses:
            return
        self.image_of_caption = train.image_of_caption.to(run.device)
        self.captions_of_image = _padded(train.captions_of_image).to(run.device)
        images, texts = run.encode(train)
        self.image_bank.fill(images.embedding)
        self.text_bank.fill(texts.embedding)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        words = self.encoder.tokenize(batch.captions)  # (B, L)
        pairs = Pairs(
            run.spread(self.encoder.embed_images, batch.images),
            run.spread(self.encoder.embed_tokens, words),
            words,
            batch,
            run,
        )
        return weighted(
            run.losses,
            pairs,
            itc=self.contrast,
            rc_b=self.local_relations,
            rc_g=self.global_relations,
            rc_h=self.asymmetric_pairs,
        )

    def contrast(self, x: Pairs) -> Tensor:
        """L_itc: both directions, summed (eq. 1 and 2)."""
        return 2 * losses.infonce(x.image, x.text, self.config.temperature)

    def local_relations(self, x: Pairs) -> Tensor:
        """L_rc_b: batch pairs whose images and texts are alike match too (eq. 3 to 10)."""
        matches = self.local_matches(x)  # (B, B)
        other = x.batch.image_index[:, None] != x.batch.image_index[None, :]  # (B, B)
        rows, columns = (matches & other).nonzero(as_tuple=True)
        x.run.report_pairs("local", x.batch.image_index[rows], x.batch.caption_index[columns])
        target = softened_target(matches, self.config.match_weight)  # (B, B)
        return self._matched_both_ways(x.image, x.text, target)

    def local_matches(self, x: Pairs) -> Tensor:
        """M^{v,t}: which pairs of the batch are alike in every modality (eq. 3 and 4)."""
        alike = [
            cosine(x.of(modality), x.of(modality)) > self.config.threshold
            for modality in self.config.local_modalities
        ]
        return torch.stack(alike).all(dim=0)  # (B, B)

    def global_relations(self, x: Pairs) -> Tensor:
        """L_rc_g: each row against the batch and what the banks hold of its kin (eq. 12 to 18)."""
        self.seen = x
        related, stored = self.mine(x)  # (B, M), (B, M)
        rows, found = related.nonzero(as_tuple=True)
        x.run.report_pairs("global", found, x.batch.caption_index[rows])
        columns = gather_columns(
            x.batch.image_index, x.batch.caption_index, related, self.captions_of_image
        )
        anchor = x.of(self.config.global_modalities[0])  # (B, D)
        similarity = torch.cat(
            [cosine(anchor, anchor), stored[:, columns.stored_images]], dim=1
        )  # (B, C)
        own = x.batch.image_index[:, None] == columns.images[None, :]  # (B, C)
        related = related[:, columns.images]  # (B, C)
        images = torch.cat([x.image, self.image_bank.features[columns.stored_images]])  # (C, D)
        texts = torch.cat([x.text, self.text_bank.features[columns.stored_captions]])  # (T, D)
        # The mirror (eq. 18): a caption column is related and similar as the image it describes.
        mirror = columns.image_column  # (T,)
        mirrored = confidence_target(similarity[:, mirror], related[:, mirror], own[:, mirror])
        return self._matched(x.text, images, confidence_target(similarity, related, own)) + (
            self._matched(x.image, texts, mirrored)
        )

    def mine(self, x: Pairs) -> tuple[Tensor, Tensor]:
        """J: which stored images show the person of each row, other than its own (eq. 12).

        Returns them as (B, M) bool, with the similarities that confidence goes by, (B, M).

        NOTE: as printed, the anchor's own image is among its top k and takes a place there; here k
        others are looked at. That the own image is a match is known without the bank.
        """
        similarities = [self.stored_similarity(x, m) for m in self.config.global_modalities]
        found = [
            nearest_above(similarity, self.config.nearest, self.config.threshold)
            for similarity in similarities
        ]
        return torch.stack(found).all(dim=0), similarities[0]

    def stored_similarity(self, x: Pairs, modality: str) -> Tensor:
        """M_m: rows against stored images (B, M), -inf for a row's own.

        By text, an image is as similar as the most similar of its captions.
        """
        if modality == "image":
            similarity = self.image_bank.similarity(x.of("image"))  # (B, M)
        else:
            by_caption = self.text_bank.similarity(x.of("text"))  # (B, N)
            shape = len(by_caption), len(self.captions_of_image)
            similarity = by_caption.new_full(shape, -torch.inf).scatter_reduce(
                1, self.image_of_caption.expand_as(by_caption), by_caption, "amax"
            )  # (B, M)
        return similarity.scatter(1, x.batch.image_index[:, None], -torch.inf)

    def asymmetric_pairs(self, x: Pairs) -> Tensor:
        """L_rc_h: what the clean pairs say of each other holds for poorer ones (eq. 19 to 21)."""
        images = augment(
            x.batch.images, self.augmentation, self.encoder.mean, x.run.generator("augment")
        )
        words = hide_words(
            x.words, self.encoder.vocabulary, x.run.generator("mask"), self.config.masked_share
        )  # (B, L)
        return self._matched_both_ways(
            x.run.spread(self.encoder.embed_images, images),
            x.run.spread(self.encoder.embed_tokens, words),
            softened_target(self.local_matches(x), self.config.match_weight),
        )

    def after_step(self, batch: Batch, run: Run) -> None:
        """Blend the batch into the banks, mined before (eq. 11).

        NOTE: the paper has the stored features stand for a whole epoch. Here a batch is blended in
        behind its step, so what a later batch of the epoch mines among is partly of this epoch, and
        an image is blended in as often as it is seen, once for each of its captions.
        """
        if self.seen is None:
            return
        images, texts = self.seen.of("image"), self.seen.of("text")
        self.image_bank.update(batch.image_index, images)
        self.text_bank.update(batch.caption_index, texts)
        self.seen = None

    def _matched(self, rows: Tensor, columns: Tensor, target: Tensor) -> Tensor:
        """(B, D), (C, D), (B, C) -> (): SDM of one direction (eq. 8 and 9, 16 and 17)."""
        return losses.distribution_matching(cosine(rows, columns) / self.config.temperature, target)

    def _matched_both_ways(self, images: Tensor, texts: Tensor, target: Tensor) -> Tensor:
        """Q is symmetric, so its row softmax is the target of both directions (eq. 10)."""
        return self._matched(images, texts, target) + self._matched(texts, images, target)


def _padded(captions_of_image: Sequence[Sequence[int]]) -> Tensor:
    """Return the captions of each image as (M, K), -1 behind the last."""
    longest = max(map(len, captions_of_image))
    rows = [[*captions, *[-1] * (longest - len(captions))] for captions in captions_of_image]
    return torch.tensor(rows)
