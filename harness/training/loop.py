"""The training loop: stages, named losses, schedule, checkpoints, selection on val.

A checkpoint is written after every epoch, within a long one every few minutes, and when the
process is asked to end. A run that is started again goes on behind the last one and ends with the
same bits: what a step draws depends on the seed and its number alone.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness import distributed
from harness.data.schema import StageSet, TrainView
from harness.evaluation.clock import seconds
from harness.method import Batch, Method, Recipe, Stage
from harness.progress import Progress
from harness.results import SELECTED, TEST_SELECTED
from harness.results.audit import best_on_test
from harness.seeding import derive, seed_everything
from harness.training.checkpoints import (
    LAST,
    Writer,
    is_whole,
    load_state,
    share_stage,
    take_up_stage,
)
from harness.training.feeding import Reading, feed, reading_delay, send_back
from harness.training.fitting import fewest_chunks, try_steps
from harness.training.handed import Losses, TrainingRun, preparation
from harness.training.optimization import build_optimizer, build_schedule, parameter_groups
from harness.training.pace import Pace
from harness.training.sampling import WHOLE, Part, batches_of_epoch, count_batches, parts_of_steps

# What a checkpoint holds of the loop beside weights, reported pairs and what moves the weights.
KEPT = (
    "stage", "epoch", "step", "sums", "rate", "history", "selected_epoch", "audit", "seconds",
    "waited", "chunks",
)  # fmt: skip
CHECKPOINT_SECONDS = 300.0  # the most that a kill within an epoch undoes


class NonFiniteLoss(ArithmeticError):
    """A loss became NaN or infinite; the message names it and the step."""


class Interrupted(Exception):
    """The process was asked to end, and training stopped behind a checkpoint."""


@dataclass(frozen=True)
class Watchers:
    """What the loop calls: nothing of it changes the weights."""

    validate: Callable[[Method], Mapping[str, float]] | None = None  # metrics on val
    judge_pairs: Callable[[Tensor, Tensor], int] | None = None  # how many reported pairs are right
    # How right it is which training pairs are reported to be clean, where some were made wrong.
    judge_clean: Callable[[Tensor], Mapping[str, float]] | None = None
    report: Callable[[Progress], None] = lambda progress: None
    tell: Callable[[str], None] = lambda doing: None  # what a method says that it is doing
    epoch_ended: Callable[[Mapping[str, Any]], None] = lambda row: None  # a row of the history
    audit: Callable[[Method, int], Mapping[str, float]] | None = None  # metrics of an epoch on test
    asked_to_end: Callable[[], bool] = lambda: False


NO_SETS: Mapping[int, StageSet] = {}


@dataclass(frozen=True)
class TrainingResult:
    """What training leaves beside the weights in its folder."""

    history: list[dict[str, Any]]  # one dict an epoch
    selected_epoch: int | None  # from 1; None without validation
    seconds: float  # of all that the method did
    epoch: int | None  # after which the method has the weights that it has; None: as it began
    taken_over: bool = False  # trained by an earlier run
    audit: Sequence[Mapping[str, Any]] = ()  # one dict an epoch, where it was audited
    chunks: int | None = None  # that rows were spread in: the most of any stage
    images_per_second: float = 0.0  # of epochs, validation left aside
    waiting_share: float = 0.0  # of their seconds, for data


def train(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    folder: Path,
    watchers: Watchers,
    shared: Sequence[Path] = (),
    sets: Mapping[int, StageSet] = NO_SETS,
) -> TrainingResult:
    """Train a method through the stages of a recipe.

    `sets` has what those stages train on, by number from 0, that train on another set than `view`.
    `shared` are the folders of the checkpoints at the end of each stage but the last: one that is
    there is taken up in place of training so far, one that is not is written.

    Leaves the weights after the last epoch in `folder/last.pt`, those of the epoch with the best
    val R1 (then mAP, then the earliest) in `folder/selected.pt`, and in `method` the last ones.
    With an audit, those of the epoch that is best on test so chosen in `folder/test-selected.pt`.

    Raises:
        NonFiniteLoss: a loss is NaN or infinite.
        Interrupted: the watchers asked to end; the next call goes on from here.
    """
    run = preparation(method, view, recipe, seed, device, watchers.tell)
    began = seconds(device)
    method.prepare(view, run)
    preparing = seconds(device) - began
    if 0 in sets and (run.pairs or run.clean is not None):
        raise ValueError(
            "prepare reported pairs of the run's own training set, and the first stage trains on "
            "another: report in begin_epoch"
        )
    loop = Loop(method, view, recipe, run, folder, watchers, sets)
    loop.resume(shared)
    with loop.writer:
        for number, stage in enumerate(recipe.stages):
            if number >= loop.stage:
                loop.run_stage(number, stage)
                if number < len(shared) and distributed.is_main():
                    loop.writer.wait()
                    share_stage(folder, shared[number], loop.state())
    distributed.wait_for_all()  # what the first wrote is there for the others
    audit = loop.audit if watchers.audit else []
    took, epoch = preparing + loop.seconds, len(loop.history)
    return TrainingResult(
        loop.history,
        loop.selected_epoch,
        took,
        epoch,
        audit=audit,
        chunks=loop.chunks,
        images_per_second=loop.rows_from(0) / loop.seconds,
        waiting_share=loop.waited / loop.seconds,
    )


@dataclass(frozen=True)
class Training:
    """What moves the weights in one stage."""

    stage: Stage
    module: Any  # the method as the accelerator calls it
    optimizer: Any
    schedule: Any
    scaler: Any  # of half-precision gradients; None in full precision

    def state_dict(self) -> dict[str, Any]:
        parts = {"optimizer": self.optimizer, "schedule": self.schedule, "scaler": self.scaler}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        parts = {"optimizer": self.optimizer, "schedule": self.schedule, "scaler": self.scaler}
        for name, saved in state.items():
            parts[name].load_state_dict(saved)


class Loop:
    """The state of one training: what a checkpoint holds."""

    def __init__(
        self,
        method: Method,
        view: TrainView,
        recipe: Recipe,
        run: TrainingRun,
        folder: Path,
        watchers: Watchers,
        sets: Mapping[int, StageSet] = NO_SETS,
    ) -> None:
        self.method = method
        self.own = StageSet(view, watchers.judge_pairs)
        self.sets = sets
        self.set = self.own
        self.recipe = recipe
        self.run = run
        self.folder = folder
        self.watchers = watchers
        self.stage = 0
        self.epoch = 0  # done in this stage
        self.step = 0  # done in the epoch under way
        self.sums: dict[str, float] = {}  # of each loss over them
        self.rate = 0.0  # the learning rate at the start of the epoch under way
        self.saved_at = time.monotonic()
        self.history: list[dict[str, Any]] = []
        self.selected_epoch: int | None = None
        self.audit: list[dict[str, Any]] = []
        self.seconds = 0.0  # of epochs, validation left aside
        self.waited = 0.0  # of them, for data
        self.pace = Pace()
        self.chunks = 1 if recipe.chunks == "auto" else recipe.chunks
        self.resumed: dict[str, Any] = {}
        self.writer = Writer()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def view(self) -> TrainView:
        """What the stage under way trains on."""
        return self.set.view

    def rows_from(self, number: int) -> int:
        """Return how many rows the epochs of a stage and of all later ones train."""
        stages = list(enumerate(self.recipe.stages))[number:]
        return sum(
            stage.epochs * len(self.sets.get(place, self.own).view.captions)
            for place, stage in stages
        )

    def resume(self, shared: Sequence[Path]) -> None:
        """Take up the last checkpoint, or the furthest that another variant left, or none."""
        if distributed.is_main() and not is_whole(self.folder / LAST):
            take_up_stage(self.folder, shared)
        distributed.wait_for_all()
        if is_whole(self.folder / LAST):
            self._load(self.folder / LAST)

    def _load(self, file: Path) -> None:
        # By the processor, where Adam keeps its counts of steps: on a graphics card each of them
        # would stop every step. What belongs on the device is moved there as it is loaded.
        saved = torch.load(file, map_location="cpu", weights_only=True)
        load_state(self.method, saved["method"], self.run.device)
        for name in KEPT:
            setattr(self, name, saved[name])
        for name, reported in saved["pairs"].items():
            self.run.pairs[name] = [(images.cpu(), captions.cpu()) for images, captions in reported]
        self.run.clean = saved["clean"]
        self.resumed = saved

    def run_stage(self, number: int, stage: Stage) -> None:
        """Train one stage, or what a checkpoint left of it."""
        training = self.begin_stage(number, stage)
        for epoch in range(self.epoch, stage.epochs):
            if not self.step:
                self.rate = float(training.schedule.get_last_lr()[0])
            losses = self._run_epoch(epoch, training)
            self.epoch, self.step, self.sums = epoch + 1, 0, {}
            self._end_epoch({"stage": number + 1, "learning_rate": self.rate, **losses})
            self._save(training)
            self._end_where_asked()
        self.stage, self.epoch = number + 1, 0

    def begin_stage(self, number: int, stage: Stage) -> Training:
        """Return what moves the weights in a stage, as it begins or as a checkpoint left it."""
        self.set = self.sets.get(number, self.own)
        self.run.train = self.view
        steps = count_batches(self.view, stage)
        # Else the optimisers of earlier stages stay in memory, and clipping scales gradients back
        # once for each of them.
        self.run.accelerator.free_memory()
        seed_everything(self.run.seed, "stage", number)
        optimizer = build_optimizer(parameter_groups(self.method, stage), stage)
        schedule = build_schedule(optimizer, stage, -(-steps // stage.accumulate))
        module, prepared = self.run.accelerator.prepare(self.method, optimizer)
        self.run.stage, self.run.steps_per_epoch = number, steps
        self.run.batch_size = stage.batch_size
        self.run.losses = _active(self.method.config.losses, stage)
        training = Training(stage, module, prepared, schedule, self.run.accelerator.scaler)
        if self.resumed.get("stage") == number and "training" in self.resumed:
            training.load_state_dict(self.resumed["training"])
        elif self.recipe.chunks == "auto":
            self.watchers.tell("trying how many chunks fit")
            tried = partial(try_steps, self.method, self.view, self.run, training, self.run_step)
            self.chunks = max(self.chunks, fewest_chunks(self.run.device, tried, stage.batch_size))
        self.run.chunks, self.resumed = self.chunks, {}
        return training

    def _run_epoch(self, epoch: int, training: Training) -> dict[str, float]:
        """Train one epoch, or what is left of it, and return the mean of each loss over it."""
        run, done = self.run, self.step
        run.epoch, run.step = epoch, epoch * run.steps_per_epoch + done
        self.method.train()
        began = seconds(run.device)
        if not done:
            seed_everything(run.seed, "epoch", run.stage, epoch)
            self.method.begin_epoch(run)
        self.pace.begin()
        sums: dict[str, float] = defaultdict(float, self.sums)
        order = np.random.default_rng(derive(run.seed, "order", run.stage, epoch))
        batches = list(batches_of_epoch(order, self.view, training.stage))
        parts = parts_of_steps(batches, training.stage)
        late: deque[Reading] = deque()  # losses of the last steps, which nothing waits for

        def read(most: int) -> None:
            """Add the losses of steps to the sums until so many are left."""
            while len(late) > most:
                reading = late.popleft()
                for name, value in _checked(reading, run).items():
                    sums[name] += value
                self.pace.step(len(batches[reading.step]))
                self._report(reading.step, sum(sums.values()) / (reading.step + 1))

        fed = self.pace.waiting(feed(self.view, batches[done:], run.device))
        for step, batch in enumerate(fed, start=done):
            run.step = epoch * run.steps_per_epoch + step
            late.append(send_back(step, self.run_step(batch, training, parts[step])))
            read(reading_delay(run.device))
            self.writer.check()
            if parts[step].is_last and step + 1 < len(batches) and self._has_to_save():
                read(0)
                self.seconds += seconds(run.device) - began
                self.waited += self.pace.take_waited()
                self.step, self.sums, began = step + 1, dict(sums), seconds(run.device)
                self._save(training)
                self._end_where_asked()
        read(0)
        self.seconds += seconds(run.device) - began
        self.waited += self.pace.take_waited()
        self.pace.end()
        means = {name: value / run.steps_per_epoch for name, value in sums.items()}
        return {"loss": sum(means.values()), **{f"loss/{name}": v for name, v in means.items()}}

    def run_step(
        self, batch: Batch, training: Training, part: Part = WHOLE
    ) -> Mapping[str, Tensor]:
        """Take one step on a batch, or on the last of several, and return the losses."""
        run = self.run
        seed_everything(run.seed, "step", run.stage, run.step)
        losses: Mapping[str, Tensor] = training.module(batch, run)
        run.accelerator.backward(part.share * _sum(losses, run))
        if not part.is_last:
            return losses
        if training.stage.clip_norm is not None:
            run.accelerator.clip_grad_norm_(self.method.parameters(), training.stage.clip_norm)
        training.optimizer.step()
        training.optimizer.zero_grad(set_to_none=True)
        training.schedule.step()
        with torch.no_grad():
            self.method.after_step(batch, run)
        return losses

    def _has_to_save(self) -> bool:
        late = time.monotonic() - self.saved_at > CHECKPOINT_SECONDS
        return late or self.watchers.asked_to_end()

    def _end_where_asked(self) -> None:
        if self.watchers.asked_to_end():
            self.writer.wait()
            raise Interrupted("it was asked to end; the next call goes on from its checkpoint")

    def _end_epoch(self, row: dict[str, Any]) -> None:
        """Validate, select, and add a row to the history."""
        row = {"epoch": len(self.history) + 1, **row, **self._judge_pairs(), **self._judge_clean()}
        row["seconds"] = self.seconds - sum(earlier["seconds"] for earlier in self.history)
        if self.watchers.validate:
            self.method.eval()
            metrics = self.watchers.validate(self.method)
            row |= {"val_r1": metrics["r1"], "val_map": metrics["map"]}
            best = max(((r["val_r1"], r["val_map"]) for r in self.history), default=(-1.0, -1.0))
            if (row["val_r1"], row["val_map"]) > best:
                self.selected_epoch = row["epoch"]
                self.writer.write(self.folder / SELECTED, self.method.state_dict())
        if self.watchers.audit:
            self._add_to_audit(row["epoch"], self.watchers.audit(self.method, row["epoch"]))
        self.history.append(row)
        self.watchers.epoch_ended(row)

    def _add_to_audit(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep what test says apart from the history: what is ranked never sees it."""
        self.audit.append({"epoch": epoch, "test_r1": metrics["r1"], "test_map": metrics["map"]})
        if best_on_test(self.audit) == epoch:
            self.writer.write(self.folder / TEST_SELECTED, self.method.state_dict())

    def _judge_pairs(self) -> dict[str, float]:
        """Score what the method reported against the identities that it was not shown."""
        judged: dict[str, float] = {}
        for name, reported in self.run.pairs.items():
            images = torch.cat([images for images, _ in reported])
            captions = torch.cat([captions for _, captions in reported])
            judged[f"pairs/{name}/count"] = len(images)
            if self.set.judge_pairs and len(images):
                right = self.set.judge_pairs(images, captions)
                judged[f"pairs/{name}/right"] = right / len(images)
        self.run.pairs.clear()
        return judged

    def _judge_clean(self) -> dict[str, float]:
        """Score which training pairs the method reported to be clean, or count them alone."""
        clean, self.run.clean = self.run.clean, None
        if clean is None:
            return {}
        judge = self.watchers.judge_clean if self.set is self.own else None
        return {"clean/count": int(clean.sum()), **(judge(clean) if judge else {})}

    def _save(self, training: Training) -> None:
        state = {**self.state(), "stage": self.run.stage, "training": training.state_dict()}
        self.writer.write(self.folder / LAST, state)
        self.saved_at = time.monotonic()

    def state(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in KEPT}
        reported = {"pairs": dict(self.run.pairs), "clean": self.run.clean}
        return {"method": self.method.state_dict(), **reported, **kept}

    def _report(self, step: int, loss: float) -> None:
        epochs = sum(stage.epochs for stage in self.recipe.stages)
        best = max((row["val_r1"] for row in self.history if "val_r1" in row), default=None)
        done, steps = len(self.history) + 1, self.run.steps_per_epoch
        stage = self.run.stage
        here = self.recipe.stages[stage].epochs - self.epoch - (step + 1) / steps  # epochs to do
        rows = round(here * len(self.view.captions)) + self.rows_from(stage + 1)
        left = self.pace.seconds_left(rows, epochs - done)
        pace = self.pace.images_per_second, left, self.pace.waiting_share
        self.watchers.report(Progress(done, epochs, step + 1, steps, loss, best, *pace))


def _active(losses: Mapping[str, float], stage: Stage) -> Losses:
    names = losses if stage.losses is None else stage.losses
    return Losses({name: weight for name, weight in losses.items() if name in names})


def _sum(losses: Mapping[str, Tensor], run: TrainingRun) -> Tensor:
    """Return what is minimised, on a graph. Raises TypeError and ValueError."""
    if not isinstance(losses, Mapping):
        raise TypeError(
            f"training_losses must return a dictionary, name -> loss, not {_told(losses)}; "
            f"on are: {sorted(run.losses)}"
        )
    if not losses:
        raise ValueError(f"training_losses returned no loss; on are: {sorted(run.losses)}")
    for name, loss in losses.items():
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"loss {name!r} must be a tensor of one number, with its gradient, "
                f"not {_told(loss)}"
            )
        if loss.numel() != 1:
            raise ValueError(f"loss {name!r} must be one number, but has {tuple(loss.shape)}")
    if not any(loss.requires_grad for loss in losses.values()):
        raise ValueError(f"no loss of {sorted(losses)} depends on a parameter: mind detach()")
    return torch.stack([loss.float() for loss in losses.values()]).sum()


def _told(value: object) -> str:
    kind = type(value).__name__
    return f"a {kind}" if isinstance(value, Tensor | Sequence) else f"the {kind} {value!r}"


def _checked(reading: Reading, run: TrainingRun) -> dict[str, float]:
    """Return the losses of a step as numbers; stop at one that is not finite."""
    named = reading.read()
    for name, value in named.items():
        if not np.isfinite(value):
            raise NonFiniteLoss(
                f"loss {name!r} is {value} at stage {run.stage + 1}, epoch {run.epoch + 1}, "
                f"step {reading.step + 1} of {run.steps_per_epoch}"
            )
    return named
