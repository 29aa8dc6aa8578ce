"""What LAIP is added to: ALBEF fine-tuned on people, and how it retrieves (eq. 13 to 19).

Li et al., "Align before Fuse", NeurIPS 2021. https://arxiv.org/abs/2107.07651

Shapes: B pairs, E the width of the joint space, P pairs that are scored.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harness.method import Batch, Encoded, Method, Run, TrainSummary
from methods.blocks.albef import load_albef
from methods.blocks.matching import labels_with_negatives, matching_loss
from methods.blocks.momentum import MomentumCopy
from methods.blocks.queue_contrast import bounded, queue_contrast, queue_from, ramped
from methods.laip.config import LaipConfig
from methods.laip.pairs import Pairs


class Baseline(Method):
    """ALBEF fine-tuned on people: contrast with queues, matching with hard negatives, re-scoring.

    The first stage trains it alone; with nothing else it is the "Baseline" of Table IV.
    """

    def __init__(self, config: LaipConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.albef, start = load_albef(config.backbone, config.weights, config.image_size)
        tau = start.temperature if config.temperature is None else config.temperature
        self.temperature = nn.Parameter(torch.tensor(tau))
        self.momentum_copy = MomentumCopy(start.encoder, config.momentum)
        # NOTE: what they start from matches nothing. ALBEF goes on from the image numbers in the
        # file, which would match people here.
        self.image_queue = queue_from(start.images, config.queue)
        self.text_queue = queue_from(start.texts, config.queue)
        self.seen: Pairs | None = None  # what the queues take up after the step

    def encode_images(self, images: Tensor) -> Encoded:
        return self.albef.encoder.encode_images(images)  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.albef.encoder.encode_texts(captions)  # type: ignore[no-any-return]  # a module

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """sim_fine: two logits stand for W^O = w_1 - w_0 (eq. 18). Probabilities would tie."""
        fused = self.albef.fuse(texts, images, image_of_text)  # (P, L, D)
        logits = self.albef.matching_head(fused[:, 0])  # (P, 2)
        difference: Tensor = logits[:, 1] - logits[:, 0]  # (P,)
        return difference

    def _labels(self, batch: Batch) -> Tensor:
        if self.config.positives == "pair":
            return batch.image_index
        assert batch.person_ids is not None  # given to every IDENTITY method
        return batch.person_ids

    @property
    def tau(self) -> Tensor:
        return bounded(self.temperature)

    def contrast(self, x: Pairs) -> Tensor:
        """L_itc against the batch and the queues, with momentum distillation (eq. 15 to 17)."""
        queues, columns = (self.text_queue, self.image_queue), reversed(x.judging)  # (B, E) each
        share = ramped(self.config.distillation, x.run)
        terms = [
            queue_contrast(rows, others, queue, x.labels, self.tau, share)
            for rows, others, queue in zip(x.sides, columns, queues, strict=True)
        ]
        return torch.stack(terms).mean()

    def matching(self, x: Pairs) -> Tensor:
        """L_itm: pairs against hard negatives of either side (eq. 18 and 19)."""
        return matching_loss(x.scores, labels_with_negatives(x.same).T)

    def after_step(self, batch: Batch, run: Run) -> None:
        """Move the momentum encoders, and queue what they gave."""
        assert self.seen is not None
        if "itc" in run.losses or "itm" in run.losses:
            images, texts = self.seen.judging
            self.image_queue.push(images, self.seen.labels)
            self.text_queue.push(texts, self.seen.labels)
            self.momentum_copy.update(self.albef.encoder)
        self.seen = None
