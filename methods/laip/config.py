"""The values of LAIP; where the paper gives none, ALBEF's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.method import Config, Supervision

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
