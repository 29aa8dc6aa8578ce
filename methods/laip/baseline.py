"""What LAIP is added to: ALBEF fine-tuned on people, and how it retrieves (eq. 13 to 19).

Li et al., "Align before Fuse", NeurIPS 2021. https://arxiv.org/abs/2107.07651

Shapes: B pairs, E the width of the joint space, P pairs that are scored, C columns of the contrast
(the batch and the queue).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.method import Batch, Encoded, Method, Run, TrainSummary
from methods.blocks.albef import load_albef
from methods.blocks.losses import cosine, precise
from methods.blocks.momentum import FeatureQueue, MomentumCopy
from methods.laip.config import LaipConfig
from methods.laip.pairs import Fused, Pairs, first_of_each, join_rows, select_rows

# The label of what queues bring along from other data: ALBEF's of a slot that matches nothing.
# NOTE: ALBEF goes on from the image numbers in the file, which would match people here.
NOBODY = -100


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
        self.image_queue = self._queue(start.images)
        self.text_queue = self._queue(start.texts)
        self.seen: Pairs | None = None  # what the queues take up after the step

    def _queue(self, features: Tensor) -> FeatureQueue:
        """Return a queue that goes on from features (Q, E), the oldest first.

        Of more than it has slots for the newest stay; of fewer, the other slots do not count. A
        batch that does not divide the slots goes on at the first one, over the oldest.
        """
        queue = FeatureQueue(self.config.queue, self.albef.encoder.width)
        queue.push(features, torch.full((len(features),), NOBODY))
        return queue

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

    def contrast(self, x: Pairs) -> Tensor:
        """L_itc against the batch and the queues, with momentum distillation (eq. 15 to 17)."""
        images, texts = x.momentum  # (B, E) each
        old_images, labels = self.image_queue.filled()  # (q, E), (q,)
        old_texts, _ = self.text_queue.filled()
        matches = x.labels[:, None] == torch.cat([x.labels, labels])[None, :]  # (B, C)
        target = matches / matches.sum(dim=1, keepdim=True)  # (B, C)
        share = self._distillation(x.run)
        sides = (
            (x.images.embedding, images, torch.cat([texts, old_texts])),
            (x.texts.embedding, texts, torch.cat([images, old_images])),
        )
        terms = [
            self._soft_contrast(rows, taught, columns, target, share)
            for rows, taught, columns in sides
        ]
        return torch.stack(terms).mean()

    def _soft_contrast(
        self, rows: Tensor, taught: Tensor, columns: Tensor, target: Tensor, share: float
    ) -> Tensor:
        """Cross-entropy of a direction, towards the matches and the momentum model's view."""
        with torch.no_grad():
            view = (cosine(taught, columns) / self.tau).softmax(dim=1)  # (B, C)
            target = share * view + (1 - share) * target  # (B, C)
        log_p = (cosine(rows, columns) / self.tau).log_softmax(dim=1)  # (B, C)
        return -(target * log_p).sum(dim=1).mean()

    @property
    def tau(self) -> Tensor:
        return self.temperature.clamp(0.001, 0.5)

    def _distillation(self, run: Run) -> float:
        """Return the share of the momentum model's targets: it rises over the first epoch."""
        risen = 1.0 if run.stage or run.epoch else run.step / run.steps_per_epoch
        return float(self.config.distillation * risen)

    @torch.no_grad()
    def encode_with_momentum(self, images: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        encoder: Any = self.momentum_copy.module
        found = encoder.encode_images(images), encoder.encode_tokens(words)
        visual, textual = (F.normalize(precise(one.embedding), dim=-1) for one in found)
        return visual, textual

    def matching(self, x: Pairs) -> Tensor:
        """L_itm: pairs against hard negatives of either side (eq. 18 and 19)."""
        logits = torch.cat([x.fused.own, x.fused.other_image, x.fused.other_text])  # (M, 2)
        labels = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        labels[: len(x.fused.own)] = 1
        return F.cross_entropy(precise(logits), labels)

    def fuse_with_negatives(self, x: Pairs) -> Fused:
        """Fuse each pair, and what is most mistaken for its image and for its text."""
        images, texts, rows = self.draw_negatives(x)
        own = torch.arange(len(x.labels), device=rows.device)  # (B,)
        other_image = own.index_copy(0, rows, images)  # (B,), itself where there is no negative
        other_text = own.index_copy(0, rows, texts)  # (B,)
        sides = (
            *(own, x.texts, x.images),
            *(other_image, select_rows(x.texts, other_text), select_rows(x.images, other_image)),
        )
        logits: Tensor = x.run.spread(self.fuse_rows, *sides)  # (B, 3, 2)
        return Fused(logits[:, 0], logits[rows, 1], logits[rows, 2], rows)

    def fuse_rows(
        self,
        own: Tensor,
        texts: Encoded,
        images: Encoded,
        other: Tensor,
        other_texts: Encoded,
        other_images: Encoded,
    ) -> Tensor:
        """Return the matching logits of pairs, with another image, and with another text.

        `own` and `other` (B,) number the images, so that each is mapped to keys and values once.
        """
        both = join_rows(images, other_images)
        first, number = first_of_each(torch.cat([own, other]))  # (M,), (2 B,)
        of_own, of_other = number.chunk(2)
        fused = self.albef.fuse(
            join_rows(texts, texts, other_texts),
            select_rows(both, first),
            torch.cat([of_own, of_other, of_own]),
        )  # (3 B, L, D)
        logits: Tensor = self.albef.matching_head(fused[:, 0])  # (3 B, 2)
        return logits.view(3, -1, 2).transpose(0, 1)

    @torch.no_grad()
    def draw_negatives(self, x: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Draw an image and a text of another label for each row by how alike they look.

        Returns them (B',) with the rows (B',) that have a negative: positives are left out before
        the softmax, so that none can be drawn.
        """
        images, texts = x.momentum  # (B, E)
        same = x.labels[:, None] == x.labels[None, :]  # (B, B)
        rows = (~same).any(dim=1).nonzero()[:, 0]  # (B',)
        generator = x.run.generator("negatives")
        drawn = []
        for anchors, others in ((x.texts.embedding, images), (x.images.embedding, texts)):
            logits = (cosine(anchors, others) / self.tau).masked_fill(same, -torch.inf)[rows]
            odds = logits.softmax(dim=1).cpu()  # (B', B)
            found = torch.multinomial(odds, 1, generator=generator) if len(odds) else odds.long()
            drawn.append(found[:, 0].to(rows.device))
        return drawn[0], drawn[1], rows

    def after_step(self, batch: Batch, run: Run) -> None:
        """Move the momentum encoders, and queue what they gave."""
        assert self.seen is not None
        if "itc" in run.losses or "itm" in run.losses:
            images, texts = self.seen.momentum
            self.image_queue.push(images, self.seen.labels)
            self.text_queue.push(texts, self.seen.labels)
            self.momentum_copy.update(self.albef.encoder)
        self.seen = None
