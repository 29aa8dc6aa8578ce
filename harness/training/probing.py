"""A few steps of each stage of a training, timed: what all of it would take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.data.schema import StageSet, TrainView
from harness.evaluation.clock import seconds
from harness.method import Method, Recipe, Stage
from harness.results import SELECTED
from harness.seeding import derive, seed_everything
from harness.training.checkpoints import LAST, write_checkpoint
from harness.training.feeding import Reading, feed, reading_delay, send_back
from harness.training.fitting import longest_captions
from harness.training.handed import preparation
from harness.training.loop import (
    CHECKPOINT_SECONDS,
    NO_SETS,
    Interrupted,
    Loop,
    Training,
    Watchers,
)
from harness.training.sampling import batches_of_epoch

WARM = 2  # steps that no clock sees: they compile, and make what the optimiser remembers
LEAST, MOST = 4, 64  # steps that are timed
ENOUGH_SECONDS = 3.0  # of them


@dataclass(frozen=True)
class ProbedStage:
    """What a stage takes by the steps of it that were taken."""

    seconds: float  # all of its epochs, with their checkpoints; validation left aside
    step_seconds: float
    images_per_second: float
    rows: int  # that all of its epochs train


@dataclass(frozen=True)
class ProbedTraining:
    """What a training takes by the steps of it that were taken."""

    preparing: float  # seconds
    stages: tuple[ProbedStage, ...]
    weights: int  # bytes of those of one epoch
    checkpoint: int  # bytes of what a training goes on from
    choosing: float  # seconds to write the weights that val chooses


def probe_training(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    folder: Path,
    watchers: Watchers,
    sets: Mapping[int, StageSet] = NO_SETS,
) -> ProbedTraining:
    """Prepare a method, and take a few steps of each stage; its checkpoints go to `folder`.

    In each stage one step more is taken on the longest captions, which shows the most memory. The
    weights that the stages leave are of no use.

    Raises:
        Interrupted: the watchers asked to end.
    """
    run = preparation(method, view, recipe, seed, device, watchers.tell)
    began = seconds(device)
    method.prepare(view, run)
    preparing = seconds(device) - began
    loop = Loop(method, view, recipe, run, folder, watchers, sets)
    stages = tuple(_probe_stage(loop, *numbered) for numbered in enumerate(recipe.stages))
    choosing, weights = _write(folder / SELECTED, method.state_dict(), device)
    return ProbedTraining(preparing, stages, weights, (folder / LAST).stat().st_size, choosing)


def _probe_stage(loop: Loop, number: int, stage: Stage) -> ProbedStage:
    """Take a few steps of a stage, as if it began here."""
    training = loop.begin_stage(number, stage)
    run, device = loop.run, loop.run.device
    run.epoch = run.step = 0
    loop.method.train()
    began = seconds(device)
    seed_everything(run.seed, "epoch", number, 0)
    loop.method.begin_epoch(run)
    beginning = seconds(device) - began
    order = np.random.default_rng(derive(run.seed, "order", number, 0))
    batches = list(islice(batches_of_epoch(order, loop.view, stage), MOST))
    loop.watchers.tell(f"trying steps of stage {number + 1}")
    took = _time_steps(loop, training, batches)
    _take_steps(loop, training, [longest_captions(loop.view, stage.batch_size)])
    saving, _ = _write(
        loop.folder / LAST, {**loop.state(), "training": training.state_dict()}, device
    )
    epoch = beginning + took * run.steps_per_epoch
    saved = 1 + int(epoch / CHECKPOINT_SECONDS)  # times an epoch
    return ProbedStage(
        seconds=stage.epochs * (epoch + saved * saving),
        step_seconds=took,
        images_per_second=len(loop.view.captions) / epoch,
        rows=stage.epochs * len(loop.view.captions),
    )


def _time_steps(loop: Loop, training: Training, batches: list[Tensor]) -> float:
    """Return the seconds of a step, without those of the first ones."""
    warm = min(WARM, len(batches) - 1)  # one is left to be timed
    _take_steps(loop, training, batches[:warm])
    began = seconds(loop.run.device)

    def is_enough(count: int) -> bool:
        return count >= LEAST and seconds(torch.device("cpu")) - began > ENOUGH_SECONDS

    count = _take_steps(loop, training, batches[warm:], is_enough)
    return (seconds(loop.run.device) - began) / count


def _take_steps(
    loop: Loop,
    training: Training,
    batches: list[Tensor],
    is_enough: Callable[[int], bool] = lambda count: False,
) -> int:
    """Take steps on batches until so many are enough, fed as in a training; return how many.

    Raises:
        Interrupted: the watchers asked to end.
    """
    run, late = loop.run, deque[Reading]()
    count = 0
    for count, batch in enumerate(feed(loop.view, batches, run.device), start=1):
        late.append(send_back(count, loop.run_step(batch, training)))
        if len(late) > reading_delay(run.device):
            late.popleft().read()
        run.step += 1
        if loop.watchers.asked_to_end():
            raise Interrupted("it was asked to end")
        if is_enough(count):
            break
    return count


def _write(file: Path, state: object, device: torch.device) -> tuple[float, int]:
    """Write a checkpoint; return the seconds that it takes and its bytes."""
    began = seconds(device)
    write_checkpoint(file, state)
    return seconds(device) - began, file.stat().st_size
