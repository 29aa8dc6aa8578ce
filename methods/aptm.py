"""APTM: attribute prompts and texts matched with images, in one model that is trained on both.

Yang, Zhou, Wang, Wu, Zhu and Zheng, "Towards Unified Text-based Person Retrieval: A Large-scale
Multi-Attribute and Language Search Benchmark", ACM MM 2023. https://arxiv.org/abs/2306.02898
(code: https://github.com/Shuyu-XJTU/APTM)

NOTE: the paper's text was not at hand. What is here is its code at e507117, the figure of its
framework there, and what its authors tell of it in https://arxiv.org/abs/2507.10195.

Shapes: B pairs, D the width of a token, L text tokens, A attributes with 2 A prompts, P texts that
are fused with an image each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
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
)  # fmt: skip
from harness.registry import ExtraData, Paper, register
from methods.blocks import attributes, fine_tuning, matching, pixels
from methods.blocks.attributes import Prompts
from methods.blocks.augment import Augmentation, erased, flipped
from methods.blocks.eda import disturbed
from methods.blocks.encoded_rows import take_rows
from methods.blocks.extra_data import BERT, OF_ENCODERS
from methods.blocks.losses import cosine, identity_target, precise
from methods.blocks.masking import Masked
from methods.blocks.objective import weighted
from methods.blocks.random_augment import random_changes
from methods.blocks.swin_bert import LATER, NEW, load_start, swin_bert_downloads
from methods.blocks.whole_words import Choice, mask_whole_words, unlikely

ATTRIBUTES = "attributes"  # the companion with the labels of images
SWIN_BERT = "swin_base_patch4_window7_224.ms_in22k+google-bert/bert-base-uncased"
SWIN = "Swin-B on ImageNet-22k (https://arxiv.org/abs/2103.14030)"
TEXTS = {"itc": 1.0, "itm": 1.0, "mlm": 1.0}  # text matching learning
EDA = {"itc_eda": 0.8, "itm_eda": 0.8}  # the same of texts that EDA has changed
ADDED = 1e-5  # to the odds of each negative
PROMPTS = dict.fromkeys(("iac", "iam", "mam"), 0.8 / 3)  # attribute prompt learning


@dataclass(frozen=True)
class AptmConfig(Config):
    """The values of the authors' code."""

    supervision: Supervision = Supervision.IDENTITY
    losses: Mapping[str, float] = field(default_factory=lambda: {**TEXTS, **EDA})
    prompts: Prompts = attributes.MALS  # of each attribute, those of the labels 0 and 1
    smoothing: float = 0.4  # of the labels of attributes
    # That are matched in a step. NOTE: the figure draws hard negatives for it, the code picks any.
    matched_prompts: int = 5
    temperature: float | None = None  # where tau, which is learned, begins; None: the model's
    # NOTE: the code counts and masks among all tokens, those of padding too; here among words.
    mask: Mapping[str, float] = field(default_factory=lambda: asdict(Choice()))
    eda: float = 0.1  # share of the words that it changes
    signs: Literal["kept", "left out"] = "kept"  # the latter for ICFG-PEDES and RSTPReid
    # By whose mean and deviation pixels are normalised, in each stage; at retrieval as in the last.
    pixels: tuple[str, ...] = ("cuhk-pedes",)
    changes: int = 2  # of each image, out of ten, half of which are left out
    erase: float = 0.6  # probability
    faster: float = 2.0  # learning rate of what is new or late, as a multiple


class Pairs:
    """A batch, encoded; what several losses need is computed once."""

    def __init__(self, batch: Batch, run: Run, aptm: Aptm) -> None:
        self.batch, self.run, self._aptm = batch, run, aptm
        self.captions = [*map(aptm.read, batch.captions)]
        self.images: Encoded = run.spread(aptm.encode_images, aptm.changed(batch.images, run))
        # NOTE: of a set that names nobody, as MALS, each image is somebody.
        people = batch.image_index if batch.person_ids is None else batch.person_ids  # (B,)
        self.target = identity_target(people)  # (B, B)

    def encode(self, captions: Sequence[str]) -> Encoded:
        encoder = self._aptm.model.encoder
        return self.run.spread(encoder.encode_tokens, encoder.tokenize(captions))  # type: ignore[no-any-return]  # of any

    @cached_property
    def texts(self) -> Encoded:
        return self.encode(self.captions)

    @cached_property
    def eda(self) -> Encoded:
        strength = self._aptm.config.eda
        return self.encode(disturbed(self.captions, strength, self.run.generator("eda")))

    @cached_property
    def prompts(self) -> Encoded:
        """The prompts of all attributes, (2 A, ...)."""
        return self.encode(self._aptm.prompts)

    @cached_property
    def labels(self) -> Tensor:
        """Those of attributes, (B, A)."""
        found = self.run.train.companion(ATTRIBUTES, by="image")
        rows = [found[image] for image in self.batch.image_numbers]
        return attributes.read_labels(rows, len(self._aptm.config.prompts)).to(self.target.device)


# NOTE: the code also halves the rate of fine-tuning behind 40 % of its steps, and takes a fifth of
# it behind 70 %; here it falls linearly alone.
_stage = partial(
    Stage, optimizer="adamw", betas=(0.9, 0.98), weight_decay=0.01, undecayed=("biases", "norms"),
    schedule="linear", warmup_start=0.0,
)  # fmt: skip
_swin = partial(Recipe, SWIN_BERT, (384, 128), precision="fp16", candidates=128, val_candidates=32)
ON_TINY_ALBEF = {"pixels": ("clip",), "faster": 1.0}


@register(
    "aptm",
    title="APTM",
    paper=Paper(
        "Towards Unified Text-based Person Retrieval: "
        "A Large-scale Multi-Attribute and Language Search Benchmark",
        ("Shuyu Yang", "Yinan Zhou", "Yaxiong Wang", "Yujiao Wu", "Li Zhu", "Zhedong Zheng"),
        2023, "ACM MM", "https://arxiv.org/abs/2306.02898",
    ),
    extra_data={**OF_ENCODERS, SWIN_BERT: ExtraData(weights=(SWIN, BERT), people=())},
)  # fmt: skip
class Aptm(Method):
    """Contrast, matching and masked words, of texts and, where they are had, attribute prompts.

    At retrieval a cosine finds candidates, which the fusion encoder scores again.
    """

    config_class = AptmConfig
    spreads = True
    # Batches are those of the code's four cards together. NOTE: there a card draws the negatives of
    # matching among its own pairs, and the test split chooses the epoch.
    recipes = {
        "tiny": Recipe(
            "tiny-albef", (96, 32), (_stage(1, 1e-3, batch_size=32, warmup_epochs=0.1),),
            threads=1, candidates=16, val_candidates=8, config=ON_TINY_ALBEF,
        ),
        "small": Recipe(
            "tiny-albef", (96, 32), (_stage(12, 1e-3, batch_size=128, warmup_epochs=1.2),),
            threads=1, candidates=32, val_candidates=16, config=ON_TINY_ALBEF,
        ),
        # Fine-tuning alone, from ImageNet and BERT. From what the authors have pre-trained:
        # --set backbone=swin_base_patch4_window7_224/FILE+google-bert/bert-base-uncased
        "paper": _swin((_stage(30, 1e-4, batch_size=480, warmup_epochs=3),)),
        # All of it, for a suite of one's own, since it needs MALS and its attributes.
        "mals": _swin(
            (
                _stage(32, 1e-4, batch_size=600, warmup_epochs=1.03, data="data/mals",
                       losses=(*TEXTS, *PROMPTS), unread=("eda",)),
                _stage(30, 1e-4, batch_size=480, warmup_epochs=3, losses=(*TEXTS, *EDA)),
            ),
            config={"losses": {**TEXTS, **EDA, **PROMPTS}, "companions": (ATTRIBUTES,),
                    "pixels": ("mals", "cuhk-pedes")},
        ),
    }  # fmt: skip
    # NOTE: which rows the paper's tables have is not known; these are switches of the code.
    ablations = {"Fine-tuning": {
        "ITC + ITM": {"losses": {"itc": 1.0, "itm": 1.0}}, "ITC + ITM + MLM": {"losses": TEXTS},
        "ITC + ITM + MLM + EDA": {},
    }}  # fmt: skip

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return swin_bert_downloads(config.backbone)

    def __init__(self, config: AptmConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        start = load_start(config.backbone, config.image_size)
        tau = start.temperature if config.temperature is None else config.temperature
        self.model: Any = start.model
        self.continues = start.continues
        self.temperature = nn.Parameter(torch.tensor(tau))
        self.prompts = [prompt for pair in config.prompts for prompt in pair]  # 2 A
        fine_tuning.normalise_by(self.model.encoder, *pixels.pixels_of(config.pixels[-1]))

    def encode_images(self, images: Tensor) -> Encoded:
        return self.model.encoder.encode_images(images)  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.model.encoder.encode_texts([*map(self.read, captions)])  # type: ignore[no-any-return]  # a module

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """Score by the logit of a match.

        NOTE: the code adds a 500th of the cosine, both by their range over the whole test split.
        """
        return self.score(texts, images, image_of_text)[:, 1]

    def score(self, texts: Encoded, images: Encoded, *image_of_text: Tensor) -> Tensor:
        """Return the logits (P, 2) of no match and a match."""
        fused = self.model.fuse(texts, images, *image_of_text)  # (P, L, D)
        return self.model.matching_head(fused[:, 0])  # type: ignore[no-any-return]  # a module

    def read(self, caption: str) -> str:
        """Return a caption as it is tokenised."""
        if self.config.signs == "kept":
            return caption
        return " ".join(re.sub(r"[^0-9a-z]+", " ", caption.lower()).split())

    def changed(self, images: Tensor, run: Run) -> Tensor:
        """Mirror, change and erase images, and normalise them as those of the stage's set."""
        generator, names = run.generator("augment"), self.config.pixels
        name = names[min(run.stage, len(names) - 1)]
        mean, _ = pixels.scaled(name, images.device)
        images = random_changes(flipped(images, 0.5, generator), self.config.changes, generator)
        images = erased(images, Augmentation(erase=self.config.erase), mean, generator)
        encoder = self.model.encoder
        return pixels.as_pixels_of(images, name, encoder.mean, encoder.deviation)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        return weighted(
            run.losses, Pairs(batch, run, self), itc=self.itc, itm=self.itm, mlm=self.mlm,
            itc_eda=partial(self.itc, texts="eda"), itm_eda=partial(self.itm, texts="eda"),
            iac=self.iac, iam=self.iam, mam=self.mam,
        )  # fmt: skip

    def logits(self, images: Encoded, texts: Encoded) -> Tensor:
        """Cosine / tau of images by texts."""
        return cosine(images.embedding, texts.embedding) / self.temperature

    def itc(self, x: Pairs, texts: str = "texts") -> Tensor:
        """Image-text contrast: each against the batch, where all of one person match."""
        logits = self.logits(x.images, getattr(x, texts))  # (B, B)
        both = (F.cross_entropy(precise(one), x.target) for one in (logits, logits.T))
        return torch.stack([*both]).mean()

    def itm(self, x: Pairs, texts: str = "texts") -> Tensor:
        """Image-text matching: pairs against hard negatives of either side."""
        said: Encoded = getattr(x, texts)
        generator = x.run.generator(f"negatives of {texts}")
        logits, same = self.logits(x.images, said), x.target > 0  # (B, B) each
        drawn = matching.draw_negatives(logits.T, logits, same, generator, ADDED)
        pairs = matching.pairs_with_negatives(drawn, same)
        scores = self.judge(x, said, pairs.texts, pairs.images)  # (P, 2)
        return matching.matching_loss(scores, pairs.labels)

    def judge(self, x: Pairs, texts: Encoded, text: Tensor, image: Tensor) -> Tensor:
        """Score texts with images, by their numbers (P,) and (P,): (P, 2)."""
        rows = take_rows(texts, text), take_rows(x.images, image)
        return x.run.spread(self.score, *rows)  # type: ignore[no-any-return]  # of any

    def mlm(self, x: Pairs) -> Tensor:
        """Masked language modelling: words of a text, read from its image."""
        return self.read_masked(x, self.mask(x, x.captions, "words"), x.images)

    def mask(self, x: Pairs, captions: Sequence[str], what: str) -> Masked:
        encoder, generator = self.model.encoder, x.run.generator(f"masked {what}")
        ids, choice = encoder.tokenize(captions), Choice(**self.config.mask)  # (B, L)
        return mask_whole_words(ids, encoder.vocabulary, self.continues, generator, choice)

    def read_masked(self, x: Pairs, masked: Masked, images: Encoded) -> Tensor:
        """Predict the masked words of P texts, each from its image."""
        fused = x.run.spread(partial(matching.read, self.model), masked.ids, images)  # (P, L, D)
        scores = self.model.masked_word_head(fused[masked.chosen])  # (words, vocabulary)
        return unlikely(scores, masked.labels[masked.chosen])

    def iac(self, x: Pairs) -> Tensor:
        """Image-attribute contrast: which prompt of each attribute is true of an image."""
        logits = self.logits(x.images, x.prompts)  # (B, 2 A)
        return attributes.contrast(logits, x.labels, self.config.smoothing)

    def iam(self, x: Pairs) -> Tensor:
        """Image-attribute matching: whether some of the prompts are true of each image."""
        truth = attributes.truth_of_prompts(x.labels)  # (B, 2 A)
        order = torch.randperm(truth.shape[1], generator=x.run.generator("prompts"))
        picked = order[: self.config.matched_prompts].to(truth.device)
        logits = self.judge(x, x.prompts, *attributes.with_all(picked, len(truth)))
        logits = logits.view(len(picked), -1, 2)  # (P, B, 2)
        return attributes.matching(logits, truth[:, picked].T, self.config.smoothing)

    def mam(self, x: Pairs) -> Tensor:
        """Masked attribute modelling: words of each prompt, read from an image it is true of."""
        truth = attributes.truth_of_prompts(x.labels)  # (B, 2 A)
        true, image = attributes.draw_examples(truth, x.run.generator("examples"))  # (P,) each
        if not len(true):
            return x.images.embedding.sum() * 0
        masked = self.mask(x, self.prompts, "prompts")
        of_true = (one[true] for one in (masked.ids, masked.labels, masked.chosen))
        return self.read_masked(x, Masked(*of_true), take_rows(x.images, image))

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """What is new, or late where it is fine-tuned, learns faster."""
        parts = re.compile(NEW if stage.data else LATER)
        faster = {one for name, one in self.model.named_parameters() if parts.match(name)}
        yield {"params": [one for one in self.parameters() if one not in faster]}
        rate = self.config.faster * stage.learning_rate
        yield {"params": [one for one in self.parameters() if one in faster], "lr": rate}
