"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from harness.errors import unknown
from harness.method import Stage


def _lamb(groups: Any, lr: float, betas: tuple[float, float], weight_decay: float) -> Optimizer:
    """You et al., "Large Batch Optimization for Deep Learning", ICLR 2020, as timm has it.

    It clips gradients to norm 1, and without weight decay it is Adam.
    """
    from timm.optim.lamb import Lamb

    found: Optimizer = Lamb(groups, lr=lr, betas=betas, weight_decay=weight_decay)
    return found


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "lamb": _lamb,
    "sgd": lambda groups, lr, betas, weight_decay: torch.optim.SGD(
        groups, lr=lr, momentum=betas[0], weight_decay=weight_decay
    ),
}

# Share of the learning rate after the warm-up, by progress in [0, 1].
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
}


def build_optimizer(groups: Iterable[dict[str, Any]], stage: Stage) -> Optimizer:
    """Return the stage's optimiser over parameter groups."""
    if stage.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", stage.optimizer, OPTIMIZERS)
    return OPTIMIZERS[stage.optimizer](
        list(groups), lr=stage.learning_rate, betas=stage.betas, weight_decay=stage.weight_decay
    )


def build_schedule(optimizer: Optimizer, stage: Stage, steps_per_epoch: int) -> LambdaLR:
    """Return a linear warm-up from `warmup_start`, then the stage's schedule, stepped each step."""
    if stage.schedule not in SCHEDULES:
        raise unknown("schedule", stage.schedule, SCHEDULES)
    warmup = round(stage.warmup_epochs * steps_per_epoch)
    total = max(stage.epochs * steps_per_epoch, warmup + 1)
    after_warmup = SCHEDULES[stage.schedule]

    def share(step: int) -> float:
        if step < warmup:
            return stage.warmup_start + (1 - stage.warmup_start) * step / warmup
        return after_warmup(min(1.0, (step - warmup) / (total - warmup)))

    return LambdaLR(optimizer, share)
