"""CLIP + sigmoid: of every caption and image of a batch, do the two belong together?

Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023.
https://arxiv.org/abs/2303.15343

Shapes: B pairs of an image and its caption, D the width of the joint space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.registry import Paper, register
from methods.blocks.backbones import load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import cosine


@dataclass(frozen=True)
class SigmoidConfig(Config):
    """Where the two numbers that are learnt start."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"sigmoid": 1.0})
    scale: float = 10.0  # of the cosine, at first
    bias: float = -10.0  # at first: most pairs of a batch do not belong together


@register(
    "sigmoid",
    title="CLIP + sigmoid",
    paper=Paper(
        "Sigmoid Loss for Language Image Pre-Training",
        ("Xiaohua Zhai", "Basil Mustafa", "Alexander Kolesnikov", "Lucas Beyer"),
        2023,
        "ICCV",
        "https://arxiv.org/abs/2303.15343",
    ),
    extra_data=OF_ENCODERS,
)
class Sigmoid(Method):
    """A yes or no for every pair, so that two captions of one image may both be right."""

    config_class = SigmoidConfig
    spreads = True
    recipes = {
        "tiny": Recipe("tiny-clip", (96, 32), (Stage(3, learning_rate=4e-3),), threads=1),
        "small": Recipe("tiny-clip", (96, 32), (Stage(12, learning_rate=1e-3),), threads=1),
    }
    ablations = {"Bias": {"starts at 0": {"bias": 0.0}, "starts at -10": {}}}

    def __init__(self, config: SigmoidConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        self.scale = nn.Parameter(torch.tensor(config.scale).log())
        self.bias = nn.Parameter(torch.tensor(config.bias))

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)  # embedding (B, D)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)  # embedding (B, D)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        images = run.spread(self.encoder.embed_images, batch.images)  # (B, D)
        texts = run.spread(self.encoder.embed_tokens, self.encoder.tokenize(batch.captions))
        logits = self.scale.exp() * cosine(images, texts) + self.bias  # (B, B)
        right = batch.image_index[:, None] == batch.image_index  # (B, B)
        loss = -logsigmoid(torch.where(right, logits, -logits)).sum() / len(right)
        return {"sigmoid": run.losses["sigmoid"] * loss}
