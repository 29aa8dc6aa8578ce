"""RaSa: which pairs are only weakly so, and which words were replaced, told by ALBEF's fusion.

Bai, Cao, Gao, Cao, Chen, Fan, Nie and Zhang, "RaSa: Relation and Sensitivity Aware Representation
Learning for Text-based Person Search", IJCAI 2023. https://arxiv.org/abs/2305.13653
(code: https://github.com/Flame-Chasers/RaSa)

NOTE: the paper's text was not at hand. What is here is what the authors' code computes, at
bd16aa1a15, under the names of the code and of a paper that builds on it and prints its losses
(MARS, Ergasti et al., https://arxiv.org/abs/2407.04287, section 3.2).

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, M words, V the
vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

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
from harness.registry import Paper, register
from methods.blocks.albef import albef_downloads, load_albef
from methods.blocks.augment import flipped
from methods.blocks.contrasts import Side, soft_target
from methods.blocks.drawn_words import are_words, write_words
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import precise
from methods.blocks.masking import mask_words
from methods.blocks.matching import labels_with_negatives, matching_loss, read
from methods.blocks.momentum import MomentumCopy
from methods.blocks.momentum_pairs import MomentumPairs
from methods.blocks.objective import weighted
from methods.blocks.queue_contrast import bounded, queue_contrast, queue_from, ramped
from methods.blocks.transfer import sent
from methods.blocks.weak_pairs import with_weak_pairs

PAPER = Paper(
    "RaSa: Relation and Sensitivity Aware Representation Learning for Text-based Person Search",
    ("Yang Bai", "Min Cao", "Daming Gao", "Ziqiang Cao", "Chen Chen", "Zhenfeng Fan",
     "Liqiang Nie", "Min Zhang"),
    2023, "IJCAI", "https://arxiv.org/abs/2305.13653",
)  # fmt: skip
CL = {"itc": 0.25, "imc": 0.25}  # L_CL is the mean of both, and counts half


@dataclass(frozen=True)
class RasaConfig(Config):
    """The values of the authors' code (configs/PS_cuhk_pedes.yaml)."""

    supervision: Supervision = Supervision.IDENTITY
    # 0.5 L_CL + L_RA + L_SA: RA is p-ITM with half of PRD, SA is MLM with half of m-RTD.
    losses: Mapping[str, float] = field(
        default_factory=lambda: {**CL, "pitm": 1.0, "prd": 0.5, "mlm": 1.0, "mrtd": 0.5}
    )
    weights: Literal["albef", "coco"] = "albef"  # pre-trained, or also fine-tuned on COCO
    weak_share: float = 0.1  # of the pairs, which are given any caption of their person
    masked_share: float = 0.15  # of the words, for MLM
    detected_share: float = 0.3  # of the words, masked before the momentum model writes them
    # What the momentum model writes. NOTE: the code lets it write every word, and so keep most that
    # were not masked; MARS says that it writes those that were.
    written: Literal["every word", "masked words"] = "every word"
    flip: float = 0.5  # probability, for each of the two views of an image
    # Where tau, which is learned, starts; None: where the published weights left it.
    temperature: float | None = None
    momentum: float = 0.995
    queue: int = 65_536
    distillation: float = 0.4  # share of the momentum model's targets, ramped over an epoch
    new_head_rate: float = 10.0  # learning rate of the heads of PRD and m-RTD, as a multiple


class Pairs(NamedTuple):
    """A batch: its captions as they are, and pairs of which some are weak, encoded."""

    words: Tensor  # (B, L)
    weak: Tensor  # (B,) bool, on the processor
    encoded: MomentumPairs
    run: Run


_stage = partial(
    Stage, optimizer="adamw", weight_decay=0.02, undecayed=("biases", "norms"), schedule_end=0.1
)
ON_TINY_ALBEF = {"queue": 1024, "momentum": 0.95, "new_head_rate": 1.0}
# NOTE: how the README's ALBEF was fine-tuned is not said: here by its own two losses, on people.
ALBEF = {"losses": {"itc": 1.0, "pitm": 1.0}, "weak_share": 0.0}


@register("rasa", title="RaSa", paper=PAPER, extra_data=OF_ENCODERS)
class Rasa(Method):
    """ALBEF that tells weak pairs from strong ones, and words that were replaced from true ones.

    At retrieval a cosine finds candidates, which the fusion encoder scores again.
    """

    config_class = RasaConfig
    spreads = True
    # NOTE: in the code the rate changes from epoch to epoch, here with each step. There the two new
    # heads rise to their rate in a hundred steps and end at that of the others; here they have ten
    # times theirs throughout. The code keeps the epoch that is best on test, here val chooses.
    recipes = {
        "tiny": Recipe(
            "tiny-albef", (96, 32),
            (_stage(epochs=1, learning_rate=1e-3, batch_size=32, warmup_epochs=0.25),),
            threads=1, candidates=16, val_candidates=8, config=ON_TINY_ALBEF,
        ),
        "small": Recipe(
            "tiny-albef", (96, 32),
            (_stage(epochs=5, learning_rate=1e-3, warmup_epochs=0.5),),
            threads=1, candidates=32, val_candidates=16, config=ON_TINY_ALBEF,
        ),
        # 13 pairs on each of four cards; what the code warms up starts at the rate itself.
        "paper": Recipe(
            "albef", (384, 384), (_stage(epochs=30, learning_rate=1e-5, batch_size=52),),
            candidates=128, val_candidates=32,
            ablations={
                f"{dataset} dataset": {"ALBEF": ALBEF, "RaSa (ours)": {}}
                for dataset in ("CUHK-PEDES", "ICFG-PEDES", "RSTPReid")
            },  # of the README
        ),
    }  # fmt: skip
    # NOTE: the paper's own tables of what it ablates were not at hand: these are of this project.
    ablations = {
        "Parts": {
            "ALBEF": ALBEF,
            "CL + ITM": {"losses": {**CL, "pitm": 1.0}, "weak_share": 0.0},
            "CL + p-ITM": {"losses": {**CL, "pitm": 1.0}},
            "CL + RA": {"losses": {**CL, "pitm": 1.0, "prd": 0.5}},
            "CL + RA + MLM": {"losses": {**CL, "pitm": 1.0, "prd": 0.5, "mlm": 1.0}},
            "CL + p-ITM + SA": {"losses": {**CL, "pitm": 1.0, "mlm": 1.0, "mrtd": 0.5}},
            "RaSa": {},
        },
        "Written": {"every word": {}, "masked words": {"written": "masked words"}},
    }

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return albef_downloads(config.backbone, config.weights)

    def __init__(self, config: RasaConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        albef, start = load_albef(config.backbone, config.weights, config.image_size)
        self.albef: Any = albef
        width = self.albef.matching_head.in_features
        self.relation_head = nn.Linear(width, 2)  # strong, weak
        self.word_head = nn.Linear(width, 2)  # as it was, replaced
        tau = start.temperature if config.temperature is None else config.temperature
        self.temperature = nn.Parameter(torch.tensor(tau))
        # NOTE: the momentum copy of the fusion layers starts as the layers themselves, in the code
        # as the copy in ALBEF's file.
        slow: Any = copy.deepcopy(self.albef)
        slow.encoder.load_state_dict(start.encoder.state_dict())
        self.momentum_copy = MomentumCopy(slow, config.momentum)
        self.image_queue = queue_from(start.images, config.queue)
        self.text_queue = queue_from(start.texts, config.queue)
        self.seen: MomentumPairs | None = None  # what the queues take up after the step

    def encode_images(self, images: Tensor) -> Encoded:
        return self.albef.encoder.encode_images(images)  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.albef.encoder.encode_texts(captions)  # type: ignore[no-any-return]  # a module

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """Score by the logit of a match, as the code does; that of no match is not looked at."""
        fused = self.albef.fuse(texts, images, image_of_text)  # (P, L, D)
        logits: Tensor = self.albef.matching_head(fused[:, 0])  # (P, 2)
        return logits[:, 1]

    @property
    def slow(self) -> Any:
        """The momentum model."""
        return self.momentum_copy.module

    @property
    def tau(self) -> Tensor:
        """The temperature, within ALBEF's bounds. NOTE: RaSa's code has none."""
        return bounded(self.temperature)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        assert batch.person_ids is not None  # given to every IDENTITY method
        share, flip = self.config.weak_share, self.config.flip
        draws, numbers = run.generator("weak pairs"), batch.caption_numbers
        captions, weak = with_weak_pairs(numbers, run.train, share, draws)
        views = [flipped(batch.images, flip, run.generator(f"view {n}")) for n in (1, 2)]
        labels = batch.person_ids  # (B,)
        model, slow, tokenize = self.albef, self.slow.encoder, self.albef.encoder.tokenize
        encoded = MomentumPairs(model, slow, self.tau, views, tokenize(captions), labels, run)
        x = Pairs(tokenize(batch.captions), weak, encoded, run)
        self.seen = encoded
        return weighted(
            run.losses, x, itc=self.itc, imc=self.imc, pitm=self.pitm, prd=self.prd, mlm=self.mlm,
            mrtd=self.mrtd,
        )  # fmt: skip

    def itc(self, x: Pairs) -> Tensor:
        """L_ITC: images against texts and texts against images."""
        images, texts = x.encoded.sides
        return (self.contrast(images, texts, x) + self.contrast(texts, images, x)) / 2

    def imc(self, x: Pairs) -> Tensor:
        """L_IMC: images against images and texts against texts."""
        images, texts = x.encoded.sides
        return (self.contrast(images, images, x) + self.contrast(texts, texts, x)) / 2

    def contrast(self, rows: Side, others: Side, x: Pairs) -> Tensor:
        """L_NCE against what the momentum model made of others, now and before."""
        queue = self.image_queue if others is x.encoded.sides[0] else self.text_queue
        labels, share = x.encoded.labels, ramped(self.config.distillation, x.run)
        return queue_contrast(rows, others.judging, queue, labels, self.tau, share)

    def pitm(self, x: Pairs) -> Tensor:
        """L_p-ITM: pairs, weak ones too, against negatives drawn by how alike they look.

        NOTE: negatives are drawn from the whole batch, in the code from the 13 pairs of a card.
        """
        logits = self.albef.matching_head(x.encoded.fused)  # (B, 3, 2)
        return matching_loss(logits, labels_with_negatives(x.encoded.same))

    def prd(self, x: Pairs) -> Tensor:
        """L_prd: which pairs are weak."""
        logits = precise(self.relation_head(x.encoded.fused[:, 0]))  # (B, 2)
        return F.cross_entropy(logits, sent(x.weak.long(), logits.device))

    def mlm(self, x: Pairs) -> Tensor:
        """L_MLM of strong pairs: masked words, a share of each as the momentum model guesses it.

        NOTE: the code takes the log-softmax of guesses over the tokens of a caption, where that of
        its softmax over words is meant.
        """
        share, draws = self.config.masked_share, x.run.generator("masked words")
        masked = mask_words(x.words, self.albef.encoder.vocabulary, draws, share)
        fused = x.run.spread(partial(read, self.albef), masked.ids, x.encoded.images)  # (B, L, D)
        logits = self.albef.masked_word_head(fused[masked.chosen])  # (M, V)
        with torch.no_grad():
            slow = x.run.spread(partial(read, self.slow), masked.ids, x.encoded.slow[0])
            guessed = self.slow.masked_word_head(slow[masked.chosen])  # (M, V)
        true = F.one_hot(masked.labels[masked.chosen], logits.shape[1])
        share = ramped(self.config.distillation, x.run)
        return F.cross_entropy(precise(logits), soft_target(guessed, true, share))

    def mrtd(self, x: Pairs) -> Tensor:
        """L_m-RTD of strong pairs: which words the momentum model wrote otherwise.

        NOTE: the token of the end is no word here; in the code it may be masked and is judged.
        """
        share, draws = self.config.detected_share, x.run.generator("detected words")
        vocabulary = self.albef.encoder.vocabulary
        masked = mask_words(x.words, vocabulary, draws, share)
        words = are_words(x.words, vocabulary)  # (B, L)
        places = words if self.config.written == "every word" else masked.chosen  # (B, L)
        chances = sent(torch.rand(words.shape, generator=draws), words.device)  # (B, L)
        with torch.no_grad():
            write = partial(write_words, self.slow)
            written = x.run.spread(write, masked.ids, places, chances, x.encoded.slow[0])  # (B, L)
        fused = x.run.spread(partial(read, self.albef), written, x.encoded.images)  # (B, L, D)
        replaced = (written != x.words)[words].long()  # (M,)
        return F.cross_entropy(precise(self.word_head(fused[words])), replaced)

    def after_step(self, batch: Batch, run: Run) -> None:
        """Queue what the momentum model gave, and let it follow."""
        assert self.seen is not None
        if {"itc", "imc"} & run.losses.keys():
            images, texts = self.seen.sides
            self.image_queue.push(images.judging, self.seen.labels)
            self.text_queue.push(texts.judging, self.seen.labels)
        self.momentum_copy.update(self.albef)
        self.seen = None

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """The heads that no pre-training made learn faster."""
        new = [*self.relation_head.parameters(), *self.word_head.parameters()]
        yield {"params": new, "lr": self.config.new_head_rate * stage.learning_rate}
        known = {*map(id, new)}
        learning = (one for one in self.parameters() if one.requires_grad)
        yield {"params": [one for one in learning if id(one) not in known]}
