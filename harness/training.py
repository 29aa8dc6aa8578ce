"""The training loop: stages, named losses, schedule, checkpoints, selection on val.

A checkpoint is written after every epoch. A run that is started again goes on behind the last one
and ends with the same bits: what a step draws depends on the seed and its number alone.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from harness.data.schema import TrainView
from harness.evaluation import encode_images, encode_texts
from harness.method import Batch, Encoded, Method, Recipe, Stage, TrainSet
from harness.optimization import build_optimizer, build_schedule
from harness.progress import Progress
from harness.results import UNFINISHED, process_tag, put_in_place
from harness.seeding import derive, seed_everything

LAST = "last.pt"
SELECTED = "selected.pt"


class NonFiniteLoss(ArithmeticError):
    """A loss became NaN or infinite; the message names it and the step."""


@dataclass(frozen=True)
class Watchers:
    """What the loop calls: nothing of it changes the weights."""

    validate: Callable[[Method], Mapping[str, float]] | None = None  # metrics on val
    judge_pairs: Callable[[Tensor, Tensor], int] | None = None  # how many reported pairs are right
    report: Callable[[Progress], None] = lambda progress: None
    tell: Callable[[str], None] = lambda doing: None  # what a method says that it is doing


@dataclass(frozen=True)
class Trained:
    """What training leaves beside the weights in its folder."""

    history: list[dict[str, Any]]  # one dict an epoch
    selected_epoch: int | None  # from 1; None without validation
    seconds: float


@dataclass
class _Run:
    """The `harness.method.Run` that a method is handed."""

    method: Method
    device: torch.device
    seed: int
    accelerator: Accelerator
    view: TrainView
    stage: int = 0
    epoch: int = 0
    step: int = 0
    steps_per_epoch: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda doing: None
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=lambda: defaultdict(list))

    def generator(self, purpose: str) -> torch.Generator:
        value = derive(self.seed, "generator", self.stage, self.step, purpose)
        return torch.Generator().manual_seed(value)

    @torch.no_grad()
    def encode(self, train: TrainSet) -> tuple[Encoded, Encoded]:
        training = self.method.training
        self.method.eval()
        images = range(len(train.captions_of_image))
        encoded = (
            encode_images(self.method, train.pixels, len(images), self.device),
            encode_texts(self.method, train.captions, self.device),
        )
        self.method.train(training)
        return encoded

    def gather(self, tensor: Tensor) -> Tensor:
        return self.accelerator.gather(tensor)  # type: ignore[no-any-return]  # untyped library

    def report_pairs(self, name: str, images: Tensor, captions: Tensor) -> None:
        self.pairs[name].append((images.detach().cpu(), captions.detach().cpu()))


def train(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    folder: Path,
    watchers: Watchers,
    shared: Sequence[Path] = (),
) -> Trained:
    """Train a method through the stages of a recipe.

    `shared` are the folders of the checkpoints at the end of each stage but the last: one that is
    there is taken up in place of training so far, one that is not is written.

    Leaves the weights after the last epoch in `folder/last.pt`, those of the epoch with the best
    val R1 (then mAP, then the earliest) in `folder/selected.pt`, and in `method` the last ones.

    Raises:
        NonFiniteLoss: a loss is NaN or infinite.
    """
    run = preparation(method, view, recipe, seed, device, watchers.tell)
    method.prepare(view, run)
    loop = _Loop(method, view, recipe, run, folder, watchers)
    loop.resume(shared)
    for number, stage in enumerate(recipe.stages):
        if number >= loop.stage:
            loop.run_stage(number, stage)
            if number < len(shared):
                loop.share(shared[number])
    return Trained(loop.history, loop.selected_epoch, loop.seconds)


def preparation(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    tell: Callable[[str], None],
) -> _Run:
    """Put a method on its device and return the run that its `prepare` is handed."""
    method.to(device)
    accelerator = _accelerator(device, recipe.precision)
    losses = dict(method.config.losses)
    seed_everything(seed, "prepare")
    return _Run(method, device, seed, accelerator, view, losses=losses, tell=tell)


class _Loop:
    """The state of one training: what a checkpoint holds."""

    def __init__(
        self,
        method: Method,
        view: TrainView,
        recipe: Recipe,
        run: _Run,
        folder: Path,
        watchers: Watchers,
    ) -> None:
        self.method = method
        self.view = view
        self.recipe = recipe
        self.run = run
        self.folder = folder
        self.watchers = watchers
        self.stage = 0
        self.epoch = 0  # done in this stage
        self.history: list[dict[str, Any]] = []
        self.selected_epoch: int | None = None
        self.seconds = 0.0
        self.resumed: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self, shared: Sequence[Path]) -> None:
        """Take up the last checkpoint, or the furthest that another variant left, or none."""
        if (self.folder / LAST).is_file():
            self._load(self.folder / LAST)
            return
        for folder in reversed(shared):
            if (folder / LAST).is_file():
                for name in (SELECTED, LAST):  # in this order: the last one says that all is there
                    if (folder / name).is_file():
                        shutil.copyfile(folder / name, self.folder / name)
                self._load(folder / LAST)
                return

    def share(self, folder: Path) -> None:
        """Leave the end of a stage for variants that begin with the same."""
        unfinished = folder.with_name(f"{folder.name}.{process_tag()}{UNFINISHED}")
        unfinished.mkdir(parents=True, exist_ok=True)
        if (self.folder / SELECTED).is_file():
            shutil.copyfile(self.folder / SELECTED, unfinished / SELECTED)
        _write(unfinished / LAST, self._state())
        put_in_place(unfinished, folder)

    def _load(self, file: Path) -> None:
        saved = torch.load(file, map_location=self.run.device, weights_only=True)
        self.method.load_state_dict(saved["method"])
        for name in ("stage", "epoch", "history", "selected_epoch", "seconds"):
            setattr(self, name, saved[name])
        self.resumed = saved

    def run_stage(self, number: int, stage: Stage) -> None:
        """Train one stage, or what a checkpoint left of it."""
        steps = -(-len(self.view.captions) // stage.batch_size)
        seed_everything(self.run.seed, "stage", number)
        optimizer = build_optimizer(self.method.parameter_groups(stage), stage)
        schedule = build_schedule(optimizer, stage, steps)
        if self.resumed.get("stage") == number and "optimizer" in self.resumed:
            optimizer.load_state_dict(self.resumed["optimizer"])
            schedule.load_state_dict(self.resumed["schedule"])
        self.resumed = {}
        module, prepared = self.run.accelerator.prepare(self.method, optimizer)
        self.run.stage, self.run.steps_per_epoch = number, steps
        self.run.losses = _active(self.method.config.losses, stage)
        for epoch in range(self.epoch, stage.epochs):
            began = time.perf_counter()
            rate = schedule.get_last_lr()[0]
            losses = self._run_epoch(epoch, stage, module, prepared, schedule)
            self.seconds += time.perf_counter() - began
            self.epoch = epoch + 1
            self._end_epoch({"stage": number + 1, "learning_rate": rate, **losses})
            self._save(optimizer, schedule)
        self.stage, self.epoch = number + 1, 0

    def _run_epoch(
        self, epoch: int, stage: Stage, module: Any, optimizer: Any, schedule: Any
    ) -> dict[str, float]:
        """Train one epoch and return the mean of each loss over its steps."""
        run = self.run
        run.epoch = epoch
        self.method.train()
        seed_everything(run.seed, "epoch", run.stage, epoch)
        self.method.begin_epoch(run)
        sums: dict[str, float] = defaultdict(float)
        order = np.random.default_rng(derive(run.seed, "order", run.stage, epoch))
        for step, rows in enumerate(_rows(order, len(self.view.captions), stage.batch_size)):
            run.step = epoch * run.steps_per_epoch + step
            seed_everything(run.seed, "step", run.stage, run.step)
            batch = _batch(self.view, rows, run.device)
            losses = module(batch, run)
            total = _sum(losses, run)
            run.accelerator.backward(total)
            if stage.clip_norm is not None:
                run.accelerator.clip_grad_norm_(self.method.parameters(), stage.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            with torch.no_grad():
                self.method.after_step(batch, run)
            for name, value in _values(losses, run).items():
                sums[name] += value
            self._report(step, sum(sums.values()) / (step + 1))
        means = {name: value / run.steps_per_epoch for name, value in sums.items()}
        return {"loss": sum(means.values()), **{f"loss/{name}": v for name, v in means.items()}}

    def _end_epoch(self, row: dict[str, Any]) -> None:
        """Validate, select, and add a row to the history."""
        row = {"epoch": len(self.history) + 1, **row, **self._judge_pairs()}
        row["seconds"] = self.seconds - sum(earlier["seconds"] for earlier in self.history)
        if self.watchers.validate:
            self.method.eval()
            metrics = self.watchers.validate(self.method)
            row |= {"val_r1": metrics["r1"], "val_map": metrics["map"]}
            best = max(((r["val_r1"], r["val_map"]) for r in self.history), default=(-1.0, -1.0))
            if (row["val_r1"], row["val_map"]) > best:
                self.selected_epoch = row["epoch"]
                _write(self.folder / SELECTED, self.method.state_dict())
        self.history.append(row)

    def _judge_pairs(self) -> dict[str, float]:
        """Score what the method reported against the identities that it was not shown."""
        judged: dict[str, float] = {}
        for name, reported in self.run.pairs.items():
            images = torch.cat([images for images, _ in reported])
            captions = torch.cat([captions for _, captions in reported])
            judged[f"pairs/{name}/count"] = len(images)
            if self.watchers.judge_pairs and len(images):
                right = self.watchers.judge_pairs(images, captions)
                judged[f"pairs/{name}/right"] = right / len(images)
        self.run.pairs.clear()
        return judged

    def _save(self, optimizer: Any, schedule: Any) -> None:
        state = {
            **self._state(),
            "stage": self.run.stage,
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        _write(self.folder / LAST, state)

    def _state(self) -> dict[str, Any]:
        return {
            "method": self.method.state_dict(),
            "stage": self.stage,
            "epoch": self.epoch,
            "history": self.history,
            "selected_epoch": self.selected_epoch,
            "seconds": self.seconds,
        }

    def _report(self, step: int, loss: float) -> None:
        epochs = sum(stage.epochs for stage in self.recipe.stages)
        best = max((row["val_r1"] for row in self.history if "val_r1" in row), default=None)
        done = len(self.history) + 1
        self.watchers.report(Progress(done, epochs, step + 1, self.run.steps_per_epoch, loss, best))


def _accelerator(device: torch.device, precision: str) -> Accelerator:
    """Return an accelerator for one device; mixed precision only where the device has it."""
    mixed = precision if device.type == "cuda" else "no"
    return Accelerator(cpu=device.type == "cpu", mixed_precision=mixed)


def _active(losses: Mapping[str, float], stage: Stage) -> dict[str, float]:
    names = losses if stage.losses is None else stage.losses
    return {name: weight for name, weight in losses.items() if name in names}


def _rows(order: np.random.Generator, count: int, size: int) -> Iterator[Tensor]:
    """Yield the caption indices of each batch of one epoch; the last may be smaller."""
    yield from torch.split(torch.from_numpy(order.permutation(count)), size)


def _batch(view: TrainView, captions: Tensor, device: torch.device) -> Batch:
    images = view.image_of_caption[captions]  # (B,)
    people = None if view.person_of_image is None else view.person_of_image[images].to(device)
    return Batch(
        images=view.pixels(images).to(device, non_blocking=True),  # (B, 3, H, W)
        captions=[view.captions[index] for index in captions.tolist()],
        image_index=images.to(device),
        caption_index=captions.to(device),
        person_ids=people,
    )


def _sum(losses: Mapping[str, Tensor], run: _Run) -> Tensor:
    if not losses:
        raise ValueError(f"training_losses returned no loss; on are: {sorted(run.losses)}")
    return torch.stack([loss.float() for loss in losses.values()]).sum()


def _values(losses: Mapping[str, Tensor], run: _Run) -> dict[str, float]:
    """Return the losses as numbers; stop at one that is not finite."""
    values = torch.stack([loss.detach().float() for loss in losses.values()]).tolist()
    named = dict(zip(losses, values, strict=True))
    for name, value in named.items():
        if not np.isfinite(value):
            raise NonFiniteLoss(
                f"loss {name!r} is {value} at stage {run.stage + 1}, epoch {run.epoch + 1}, "
                f"step {run.step % run.steps_per_epoch + 1} of {run.steps_per_epoch}"
            )
    return named


def _write(file: Path, state: Any) -> None:
    """Write a checkpoint beside its place and rename it, so that it is whole or absent."""
    unfinished = file.with_suffix(".unfinished")
    torch.save(state, unfinished)
    unfinished.replace(file)
