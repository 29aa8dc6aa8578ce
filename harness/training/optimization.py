"""Optimisers, learning-rate schedules and what is spared from weight decay, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from harness.limits import refuse_stage
from harness.method import Method, Stage


def _lamb(groups: Any, **settings: Any) -> Optimizer:
    """You et al., "Large Batch Optimization for Deep Learning", ICLR 2020, as timm has it.

    It clips gradients to norm 1, and without weight decay it is Adam.
    """
    from timm.optim.lamb import Lamb

    found: Optimizer = Lamb(groups, **settings)
    return found


def _sgd(groups: Any, *, betas: tuple[float, float], **settings: Any) -> Optimizer:
    return torch.optim.SGD(groups, momentum=betas[0], **settings)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "lamb": _lamb,
    "sgd": _sgd,
}

# Kinds of parameters that may be spared from weight decay, by name and shape.
UNDECAYED: dict[str, Callable[[str, Tensor], bool]] = {
    "biases": lambda name, parameter: _is_bias(name),
    # Scales of norms, and what else is one vector and no bias: a class token, say.
    "norms": lambda name, parameter: parameter.ndim == 1 and not _is_bias(name),
}

# Share of the learning rate after the warm-up, by progress in [0, 1].
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
}


def _is_bias(name: str) -> bool:
    return "bias" in name.rpartition(".")[2]  # "in_proj_bias" is one too


def parameter_groups(method: Method, stage: Stage) -> list[dict[str, Any]]:
    """Return the method's groups, each split in what decays and what the stage spares.

    Raises:
        HarnessError: the stage makes no sense, see `harness.limits`.
    """
    refuse_stage(vars(stage))
    spared = {
        id(parameter)
        for name, parameter in method.named_parameters()
        if any(UNDECAYED[kind](name, parameter) for kind in stage.undecayed)
    }
    return [part for group in method.parameter_groups(stage) for part in _split(group, spared)]


def _split(group: dict[str, Any], spared: set[int]) -> Iterator[dict[str, Any]]:
    """Yield a group without what is spared, and that without weight decay, as far as there is."""
    given = group["params"]
    parameters = [given] if isinstance(given, Tensor) else list(given)
    decaying = [parameter for parameter in parameters if id(parameter) not in spared]
    if decaying:
        yield {**group, "params": decaying}
    if len(decaying) < len(parameters):
        rest = [parameter for parameter in parameters if id(parameter) in spared]
        yield {**group, "params": rest, "weight_decay": 0.0}


def build_optimizer(groups: Iterable[dict[str, Any]], stage: Stage) -> Optimizer:
    """Return the stage's optimiser over parameter groups.

    Raises:
        HarnessError: the stage makes no sense, see `harness.limits`.
    """
    refuse_stage(vars(stage))
    settings: dict[str, Any] = {
        "lr": stage.learning_rate, "betas": stage.betas, "weight_decay": stage.weight_decay,
    }  # fmt: skip
    if stage.eps is not None:
        settings["eps"] = stage.eps
    return OPTIMIZERS[stage.optimizer](list(groups), **settings)


def build_schedule(optimizer: Optimizer, stage: Stage, steps_per_epoch: int) -> LambdaLR:
    """Return a linear warm-up from `warmup_start`, then the stage's schedule, stepped each step.

    The schedule falls to `schedule_end`; both are shares of each group's learning rate.
    """
    warmup = round(stage.warmup_epochs * steps_per_epoch)
    total = max(stage.epochs * steps_per_epoch, warmup + 1)
    after_warmup = SCHEDULES[stage.schedule]

    def share(step: int) -> float:
        if step < warmup:
            return stage.warmup_start + (1 - stage.warmup_start) * step / warmup
        left = after_warmup(min(1.0, (step - warmup) / (total - warmup)))
        return stage.schedule_end + (1 - stage.schedule_end) * left

    return LambdaLR(optimizer, share)
