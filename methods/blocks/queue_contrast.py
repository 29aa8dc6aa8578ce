"""Contrast with a momentum model's batch and queue, all that show one person matching.

He et al., "Momentum Contrast", CVPR 2020 (https://arxiv.org/abs/1911.05722), with the momentum
distillation of Li et al., "Align before Fuse", NeurIPS 2021 (https://arxiv.org/abs/2107.07651).

Shapes: B rows, Q slots of a queue, q of them filled, E the width of the joint space, C columns.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Run
from methods.blocks.contrasts import Side, soft_target
from methods.blocks.losses import cosine, precise
from methods.blocks.momentum import FeatureQueue

NOBODY = -100  # the label of what a queue brings along from other data: it matches nothing


def queue_from(features: Tensor, size: int) -> FeatureQueue:
    """Return a queue of so many slots that goes on from features (Q, E), the oldest first.

    Of more than it has slots for the newest stay; of fewer, the other slots do not count.
    """
    queue = FeatureQueue(size, features.shape[1])
    queue.push(features, torch.full((len(features),), NOBODY))
    return queue


def queue_contrast(
    rows: Side,
    columns: Tensor,
    queue: FeatureQueue,
    labels: Tensor,
    temperature: Tensor,
    share: float,
) -> Tensor:
    """Return the mean over rows of -sum_j t_ij log p_ij against columns (B, E) and the queue.

    p is the softmax of cosine / temperature; t, which sums to 1, is even over the columns of the
    row's own label, (B,), but for a share, which is the softmax of the momentum model's own row.
    """
    old, known = queue.filled()  # (q, E), (q,)
    columns = torch.cat([columns, old])  # (C, E)
    matches = labels[:, None] == torch.cat([labels, known])[None, :]  # (B, C)
    target = matches / matches.sum(dim=1, keepdim=True)  # (B, C)
    judged, logits = (cosine(one, columns) / temperature for one in (rows.judging, rows.learning))
    return F.cross_entropy(precise(logits), soft_target(judged, target, share))


def ramped(share: float, run: Run) -> float:
    """Return the momentum model's share of targets: it rises over the first epoch of a run."""
    risen = 1.0 if run.stage or run.epoch else run.step / run.steps_per_epoch
    return float(share * risen)


def bounded(temperature: Tensor) -> Tensor:
    """Return a learned temperature within ALBEF's bounds: () -> ()."""
    return temperature.clamp(0.001, 0.5)
