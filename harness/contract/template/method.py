"""TITLE: what it does, in a sentence.

Authors, "Title of the paper", venue and year. https://arxiv.org/abs/0000.00000

Shapes: B pairs of an image and its caption, D the width of the joint space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from harness.method import Batch, Config, Encoded, Method, Recipe, Run, Stage, TrainSummary
from harness.registry import register
from methods.blocks.augment import Augmentation, augment
from methods.blocks.backbones import load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import infonce


@dataclass(frozen=True)
class CLASSConfig(Config):
    """The paper's values. To be given person ids, declare Supervision.IDENTITY here."""

    losses: Mapping[str, float] = field(default_factory=lambda: {"itc": 1.0})
    temperature: float = 0.05


# With paper=Paper(title, authors, year, venue, url), of harness.registry too, pages cite it.
@register("NAME", title="TITLE", extra_data=OF_ENCODERS)
class CLASS(Method):
    """Each image against the captions of its batch, and each caption against the images."""

    config_class = CLASSConfig
    spreads = True
    recipes = {
        "tiny": Recipe("tiny-clip", (96, 32), (Stage(epochs=3, learning_rate=2e-3),), threads=1),
        "small": Recipe("tiny-clip", (96, 32), (Stage(epochs=12, learning_rate=1e-3),), threads=1),
        "paper": Recipe(
            "ViT-B-16-quickgelu/openai",
            (384, 128),
            (Stage(epochs=60, learning_rate=1e-5, warmup_epochs=5),),
            precision="fp16",
        ),
    }
    # A table of the paper: the rows, and what each changes of the config.
    ablations = {"Table 1": {"temperature 0.1": {"temperature": 0.1}, "TITLE": {}}}

    def __init__(self, config: CLASSConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)  # embedding (B, D)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)  # embedding (B, D)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        mean = self.encoder.mean  # (1, 3, 1, 1)
        drawn = augment(batch.images, Augmentation(), mean, run.generator("augment"))
        words = self.encoder.tokenize(batch.captions)  # (B, L)
        images = run.spread(self.encoder.embed_images, drawn)  # (B, D)
        texts = run.spread(self.encoder.embed_tokens, words)  # (B, D)
        return {"itc": run.losses["itc"] * infonce(images, texts, self.config.temperature)}
