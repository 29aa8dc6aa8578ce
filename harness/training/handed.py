"""What a method is handed while it trains: the `harness.method.Run` of the loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor

from harness import distributed
from harness.data.schema import TrainView
from harness.errors import HarnessError, unknown
from harness.evaluation import encode_images, encode_texts
from harness.method import Batch, Encoded, Method, Recipe, TrainSet
from harness.seeding import derive, seed_everything
from harness.structures import map_tensors, tensors_of, with_tensors
from harness.training.chunks import apply_in_chunks
from harness.training.feeding import feed

CLEAN = 0.5  # the least share that is taken for clean


class UnknownLoss(KeyError):
    """A loss is asked for that is not on; the message says which are."""

    def __str__(self) -> str:
        return str(self.args[0])


class Losses(dict[str, float]):
    """The weights of the losses that are on, by name.

    Raises:
        UnknownLoss: on looking up another; `get` and `in` tell whether one is on.
    """

    def __missing__(self, name: str) -> float:
        raise UnknownLoss(str(unknown("active loss", name, self)))


@dataclass
class TrainingRun:
    """The `harness.method.Run` that a method is handed."""

    method: Method
    device: torch.device
    seed: int
    accelerator: Accelerator
    train: TrainView
    stage: int = 0
    epoch: int = 0
    step: int = 0
    steps_per_epoch: int = 0
    batch_size: int = 1
    chunks: int = 1  # that rows are spread in
    losses: Mapping[str, float] = field(default_factory=Losses)
    tell: Callable[[str], None] = lambda doing: None
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = field(default_factory=lambda: defaultdict(list))
    clean: Tensor | None = None  # (captions,) bool, on the CPU: what was reported of this epoch
    measured: tuple[int, ...] = ()  # the batch that is measured, where one is

    def generator(self, purpose: str) -> torch.Generator:
        value = derive(self.seed, "generator", self.stage, self.step, purpose, *self.measured)
        return torch.Generator().manual_seed(value)

    @torch.no_grad()
    def measure(self, function: Callable[[Batch], Any]) -> Any:
        order = np.random.default_rng(derive(self.seed, "measured", self.stage, self.step))
        captions = torch.from_numpy(order.permutation(len(self.train.captions)))
        fed = feed(self.train, torch.split(captions, self.batch_size), self.device)
        with self._evaluating(), self.accelerator.autocast():
            parts = [self._measure_batch(function, *numbered) for numbered in enumerate(fed)]
        return _by_caption(parts, captions.argsort().to(self.device))

    def _measure_batch(self, function: Callable[[Batch], Any], number: int, batch: Batch) -> Any:
        done, count = number * self.batch_size, len(self.train.captions)
        self.tell(f"measuring training pairs: {done} of {count}")
        self.measured = (number,)
        return _of_batch(function, batch)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = self.method.training
        self.method.eval()
        try:
            yield
        finally:
            self.method.train(training)
            self.measured = ()

    @torch.no_grad()
    def encode(self, train: TrainSet) -> tuple[Encoded, Encoded]:
        images = range(len(train.captions_of_image))
        with self._evaluating():
            return (
                encode_images(self.method, train.pixels, len(images), self.device),
                encode_texts(self.method, train.captions, self.device),
            )

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        if self.chunks == 1:
            return distributed.spread(function, *rows)
        before = self._moves()
        found = distributed.spread(
            partial(apply_in_chunks, function, self.chunks, self.device), *rows
        )
        if self._moves() != before:
            raise HarnessError(
                "a function that is called through `run.spread` moves a buffer, as batch norm "
                "does: it sees the whole batch, and cannot be trained in chunks."
            )
        return found

    def _moves(self) -> int:
        """Return how often buffers of the method were changed."""
        return sum(buffer._version for buffer in self.method.buffers())

    def report_pairs(self, name: str, images: Tensor, captions: Tensor) -> None:
        self.pairs[name].append((images.detach().cpu(), captions.detach().cpu()))

    def report_clean(self, clean: Tensor) -> None:
        self.clean = _as_division(clean.detach().cpu(), len(self.train.captions))


def _as_division(clean: Tensor, captions: int) -> Tensor:
    """Return which pairs are taken for clean, (captions,) bool. Raises ValueError."""
    if clean.shape != (captions,):
        raise ValueError(
            f"report_clean takes a row for each training caption, ({captions},), not "
            f"{tuple(clean.shape)}"
        )
    shares = clean.double()
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("report_clean takes booleans, or shares from 0 to 1")
    return shares >= CLEAN


def _of_batch(function: Callable[[Batch], Any], batch: Batch) -> Any:
    """Return what a function gives of a batch. Raises ValueError: other than its rows."""
    found = function(batch)
    rows = len(batch.captions)
    if other := [tuple(each.shape) for each in tensors_of(found) if each.shape[:1] != (rows,)]:
        raise ValueError(
            f"what is measured must give as many rows as it takes: of {rows} pairs came {other[0]}"
        )
    return map_tensors(Tensor.detach, found)


def _by_caption(parts: Sequence[Any], order: Tensor) -> Any:
    """Put what batches gave together: row i is that of the caption in place `order[i]`."""
    columns = zip(*map(tensors_of, parts), strict=True)
    return with_tensors(parts[0], [torch.cat(column)[order] for column in columns])


def preparation(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    tell: Callable[[str], None],
) -> TrainingRun:
    """Put a method on its device and return the run that its `prepare` is handed."""
    method.to(device)
    accelerator = _accelerator(device, recipe.precision)
    losses = Losses(method.config.losses)
    seed_everything(seed, "prepare")
    size = recipe.stages[0].batch_size if recipe.stages else TrainingRun.batch_size
    return TrainingRun(
        method, device, seed, accelerator, view, batch_size=size, losses=losses, tell=tell
    )


def _accelerator(device: torch.device, precision: str) -> Accelerator:
    """Return an accelerator for this rank; mixed precision only where the device has it."""
    mixed = precision if device.type == "cuda" else "no"
    # Heads of losses that are off have no gradient; buffers are the same on every rank as it is.
    parallel = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=mixed, kwargs_handlers=[parallel])
