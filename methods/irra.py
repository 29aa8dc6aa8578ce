"""IRRA: cross-modal implicit relation reasoning and aligning.

Jiang and Ye, "Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person
Retrieval", CVPR 2023. https://arxiv.org/abs/2303.12501 (code: https://github.com/anosorae/IRRA)

Shapes: B pairs, D the width of the joint space, N image tokens, L text tokens, M masked words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch.nn.functional as F
from open_clip.transformer import QuickGELU, Transformer
from torch import Tensor, nn

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
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks import losses
from methods.blocks.augment import Augmentation, augment
from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.masking import Masked, mask_words
from methods.blocks.objective import weighted


@dataclass(frozen=True)
class IrraConfig(Config):
    """The paper's values; where it gives none, those of its code."""

    supervision: Supervision = Supervision.IDENTITY
    losses: Mapping[str, float] = field(default_factory=lambda: {"sdm": 1.0, "id": 1.0, "mlm": 1.0})
    temperature: float = 0.02
    depth: int = 4  # transformer blocks of the interaction encoder
    heads: int = 8
    masked_share: float = 0.15  # of the words: 80 % hidden, 10 % replaced, 10 % kept
    # Which caption SDM, ID and ITC see. The paper draws the clean one. Its code masks the caption
    # in place, so there they see the masked one (https://github.com/anosorae/IRRA/issues/13).
    matching_text: Literal["clean", "masked"] = "clean"
    new_module_rate: float = 5.0  # learning rate of new modules, as a multiple
    bias_rate: float = 2.0  # of biases of the encoder; not given in the paper, the code's


@dataclass(frozen=True)
class Pairs:
    """A batch, encoded."""

    images: Encoded  # embedding (B, D), tokens (B, N, D)
    texts: Encoded  # embedding (B, D)
    masked: Masked  # ids, labels, chosen (B, L)
    person_ids: Tensor  # (B,)
    run: Run


class InteractionEncoder(nn.Module):
    """Text tokens that look at image tokens: cross-attention, then transformer blocks (eq. 1).

    No residual stands around the cross-attention, and padding is not masked, as in the code.
    """

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.text_norm = nn.LayerNorm(width)
        self.image_norm = nn.LayerNorm(width)
        self.cross_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.blocks = Transformer(width, depth, heads, act_layer=QuickGELU)
        self.norm = nn.LayerNorm(width)
        self._initialise(width, depth)

    def _initialise(self, width: int, depth: int) -> None:
        """Draw weights as CLIP's text tower does."""
        narrow, residual = width**-0.5, width**-0.5 * (2 * depth) ** -0.5
        nn.init.normal_(self.cross_attention.in_proj_weight, std=narrow)
        nn.init.normal_(self.cross_attention.out_proj.weight, std=residual)
        for block in self.blocks.resblocks:
            nn.init.normal_(block.attn.in_proj_weight, std=narrow)
            nn.init.normal_(block.attn.out_proj.weight, std=residual)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=residual)

    def forward(self, texts: Tensor, images: Tensor) -> Tensor:
        """(B, L, D), (B, N, D) -> (B, L, D)."""
        images = self.image_norm(images)  # (B, N, D)
        query = self.text_norm(texts)  # (B, L, D)
        mixed, _ = self.cross_attention(query, images, images, need_weights=False)  # (B, L, D)
        return self.norm(self.blocks(mixed))  # type: ignore[no-any-return]  # (B, L, D)


ON_TINY_CLIP = {
    "temperature": 0.1,  # nearer to the one that it was pre-trained with
    "depth": 2,
    "heads": 4,
    "new_module_rate": 1.0,
    "bias_rate": 1.0,
}


@register(
    "irra",
    title="IRRA",
    paper=Paper(
        "Cross-Modal Implicit Relation Reasoning and Aligning for Text-to-Image Person Retrieval",
        ("Ding Jiang", "Mang Ye"),
        2023,
        "CVPR",
        "https://arxiv.org/abs/2303.12501",
    ),
    extra_data=OF_ENCODERS,
)
class Irra(Method):
    """Similarity distribution matching, identity classification and masked-word reasoning.

    At retrieval only the dual encoder works: the interaction encoder serves training.
    """

    config_class = IrraConfig
    spreads = True
    # Adam's eps and weight decay, which biases are spared, are not given in the paper: they are the
    # code's (https://github.com/anosorae/IRRA/blob/main/solver/build.py, utils/options.py).
    # NOTE: the code holds the weights in half precision, changes the learning rate from epoch to
    # epoch, resizes images bilinearly and keeps the epoch that is best on the test split; here the
    # weights are in single precision under autocast, the rate changes with each step, images are
    # resized as CLIP's were, bicubically, and val chooses the epoch.
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(
                Stage(
                    epochs=4, learning_rate=2e-3, warmup_epochs=0.5,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            threads=1,
            config=ON_TINY_CLIP,
        ),
        "small": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(
                Stage(
                    epochs=12, learning_rate=4e-3, warmup_epochs=1,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            threads=1,
            config=ON_TINY_CLIP,
        ),
        "paper": Recipe(
            "ViT-B-16-quickgelu/openai",
            (384, 128),
            stages=(
                Stage(
                    epochs=60, learning_rate=1e-5, warmup_epochs=5,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            precision="fp16",
        ),
    }  # fmt: skip
    # The rows that Table 4 is known to have. It is not said whether ID and IRR alone keep the
    # baseline's ITC: here they do, because nothing else would align the modalities.
    ablations = {
        "Table 4": {
            "Baseline": {"losses": {"itc": 1.0}},
            "+CMPM": {"losses": {"cmpm": 1.0}},
            "+SDM": {"losses": {"sdm": 1.0}},
            "+ID": {"losses": {"itc": 1.0, "id": 1.0}},
            "+IRR": {"losses": {"itc": 1.0, "mlm": 1.0}},
            "+SDM+ID": {"losses": {"sdm": 1.0, "id": 1.0}},
            "+SDM+IRR": {"losses": {"sdm": 1.0, "mlm": 1.0}},
            "IRRA": {},
        },
        "Text that SDM and ID see": {
            "clean, as in the paper": {"matching_text": "clean"},
            "masked, as in the code": {"matching_text": "masked"},
        },
    }

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return encoder_downloads(config.backbone)

    def __init__(self, config: IrraConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        assert train.person_count is not None  # given to every IDENTITY method
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        width = self.encoder.width
        self.augmentation = Augmentation()
        self.interaction = InteractionEncoder(width, config.heads, config.depth)
        self.masked_word_head = _masked_word_head(width, self.encoder.vocabulary.size, config.depth)
        self.classifier = nn.Linear(width, train.person_count)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        assert batch.person_ids is not None
        images = augment(
            batch.images, self.augmentation, self.encoder.mean, run.generator("augment")
        )
        clean = self.encoder.tokenize(batch.captions)  # (B, L)
        masked = mask_words(
            clean, self.encoder.vocabulary, run.generator("mask"), self.config.masked_share
        )
        matching = {"clean": clean, "masked": masked.ids}[self.config.matching_text]
        pairs = Pairs(
            run.spread(self.encoder.encode_images, images),
            run.spread(self.encoder.encode_tokens, matching),
            masked,
            batch.person_ids,
            run,
        )
        return weighted(
            run.losses,
            pairs,
            sdm=self.sdm,
            id=self.identity,
            mlm=self.masked_words,
            itc=self.itc,
            cmpm=self.cmpm,
        )

    def sdm(self, x: Pairs) -> Tensor:
        return losses.sdm(
            x.images.embedding, x.texts.embedding, x.person_ids, self.config.temperature
        )

    def identity(self, x: Pairs) -> Tensor:
        return losses.identity(
            self.classifier(x.images.embedding),  # (B, people)
            self.classifier(x.texts.embedding),
            x.person_ids,
        )

    def masked_words(self, x: Pairs) -> Tensor:
        """Implicit relation reasoning: predict masked words with the image in view (eq. 2)."""
        texts = x.run.spread(self.encoder.encode_tokens, x.masked.ids).tokens  # (B, L, D)
        mixed = x.run.spread(self.interaction, texts, x.images.tokens)  # (B, L, D)
        logits = self.masked_word_head(mixed[x.masked.chosen])  # (M, vocabulary)
        return F.cross_entropy(logits.float(), x.masked.labels[x.masked.chosen])

    def itc(self, x: Pairs) -> Tensor:
        return losses.infonce(x.images.embedding, x.texts.embedding, self.config.temperature)

    def cmpm(self, x: Pairs) -> Tensor:
        return losses.cmpm(x.images.embedding, x.texts.embedding, x.person_ids)

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """New modules learn faster than the encoder, whose biases learn faster too."""
        # NOTE: the code's rules go by parts of names: they leave the three norms around the
        # interaction encoder at the encoder's rate, and its biases at that of biases; here, as the
        # paper says, all of a new module is at the higher one.
        rates = {"weight": 1.0, "bias": self.config.bias_rate, "new": self.config.new_module_rate}
        groups: dict[str, list[Tensor]] = {kind: [] for kind in rates}
        for name, parameter in self.named_parameters():
            kind = "bias" if "bias" in name else "weight"
            groups[kind if name.startswith("encoder.") else "new"].append(parameter)
        for kind, parameters in groups.items():
            yield {"params": parameters, "lr": rates[kind] * stage.learning_rate}


def _masked_word_head(width: int, vocabulary: int, depth: int) -> nn.Sequential:
    """Return the head that predicts words, with weights drawn as the interaction encoder's."""
    hidden, words = nn.Linear(width, width), nn.Linear(width, vocabulary)
    nn.init.normal_(hidden.weight, std=(2 * width) ** -0.5)
    nn.init.normal_(words.weight, std=(2 * width * depth) ** -0.5)
    return nn.Sequential(hidden, QuickGELU(), nn.LayerNorm(width), words)
