"""NAM: pre-training on captions that a model wrote, with words masked that the image denies.

Tan et al., "Harnessing the Power of MLLMs for Transferable Text-to-Image Person ReID", CVPR 2024.
https://github.com/WentaoTan/MLLM4Text-ReID

Shapes: B pairs, L text tokens, N patches, D the width of the joint space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.registry import Paper, register
from methods.blocks import losses
from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.masking import mask_words


@dataclass(frozen=True)
class NamConfig(Config):
    """The values of the authors' code."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"sdm": 1.0})
    temperature: float = 0.02
    masked_share: float = 0.15  # of the words of each caption, expected, while it is pre-trained
    knows_noise: bool = True  # whether those are likelier that no patch is like


def shares(likeness: Tensor, words: Tensor, share: float) -> Tensor:
    """Return how likely each word is masked: (B, L) cosines to the likest patch -> (B, L).

    What a word is less alike than the others of its caption is added to the share.
    """
    doubt = (1 - likeness) * words  # (B, L)
    mean = doubt.sum(dim=1, keepdim=True) / words.sum(dim=1, keepdim=True)  # (B, 1)
    return (doubt - mean + share).clamp(0, 1)


@register(
    "nam",
    title="SDM + NAM",
    paper=Paper(
        "Harnessing the Power of MLLMs for Transferable Text-to-Image Person ReID",
        ("Wentao Tan", "Changxing Ding", "Jiayu Jiang", "Fei Wang", "Yibing Zhan", "Dapeng Tao"),
        2024,
        "CVPR",
    ),
    extra_data=OF_ENCODERS,
)
class Nam(Method):
    """A dual encoder, pre-trained on another set with noise-aware masking, then on its own."""

    # NOTE: the authors' code trains on the benchmark as IRRA does, with identities and masked
    # words; here both stages match captions and images alone, so that no identity is needed.
    config_class = NamConfig
    spreads = True
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            (Stage(4, learning_rate=1e-3, data="streetdolls"), Stage(3, learning_rate=2e-3)),
            threads=1,
            config={"temperature": 0.1},
        ),
        "paper": Recipe(
            "ViT-B-16-quickgelu/openai",
            (384, 128),
            (
                Stage(30, 1e-5, batch_size=512, warmup_epochs=5, data="data/luperson-mllm"),
                Stage(60, 1e-5, warmup_epochs=5),
            ),
            precision="fp16",
        ),
    }
    ablations = {"Masking": {"as likely everywhere": {"knows_noise": False}, "NAM": {}}}

    @classmethod
    def downloads(cls, config: Any) -> Any:
        return encoder_downloads(config.backbone)

    def __init__(self, config: NamConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        self.register_buffer("shares", None)  # (captions of the first stage's set, L)
        self.seen = torch.empty(0)  # (B, L) those of the step

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def begin_epoch(self, run: Run) -> None:
        """Let every word of the other set be as likely as any, before any was looked at."""
        if (run.stage, run.epoch) == (0, 0):
            size = len(run.train.captions), self.encoder.vocabulary.length
            self.shares = torch.full(size, self.config.masked_share, device=run.device)
        elif run.stage:
            self.shares = None

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        images = run.spread(self.encoder.encode_images, batch.images)  # tokens (B, 1 + N, D)
        ids = self.encoder.tokenize(batch.captions)  # (B, L)
        if self.shares is not None:
            self.seen = self.look(images, ids, run)
            share = self.shares[batch.caption_index, : ids.shape[1]]  # (B, L) by the last epoch
            ids = mask_words(ids, self.encoder.vocabulary, run.generator("mask"), share).ids
        texts = run.spread(self.encoder.embed_tokens, ids)  # (B, D)
        pairs = images.embedding, texts, batch.image_index
        return {"sdm": run.losses["sdm"] * losses.sdm(*pairs, self.config.temperature)}

    @torch.no_grad()
    def look(self, images: Encoded, ids: Tensor, run: Run) -> Tensor:
        """Return by the whole captions how likely each word is masked in the next epoch: (B, L)."""
        tokens = run.spread(self.encoder.encode_tokens, ids).tokens  # (B, L, D)
        patches = normalize(images.tokens[:, 1:], dim=-1)  # (B, N, D)
        likeness = (normalize(tokens, dim=-1) @ patches.mT).amax(dim=-1)  # (B, L)
        words = self.encoder.vocabulary.words(ids)  # (B, L)
        return shares(likeness, words, self.config.masked_share)

    def after_step(self, batch: Batch, run: Run) -> None:
        if self.shares is not None and self.config.knows_noise:
            self.shares[batch.caption_index, : self.seen.shape[1]] = self.seen
