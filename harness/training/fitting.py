"""As few chunks as fit on a graphics card, found by trying."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from harness.data.schema import TrainView
from harness.errors import HarnessError
from harness.method import Batch, Method, Stage
from harness.training.checkpoints import load_state
from harness.training.feeding import feed
from harness.training.handed import TrainingRun

SHARE = 0.9  # of the memory that there is: batches differ, and so does what others take of a card


class Training(Protocol):
    """What moves the weights in a stage."""

    @property
    def stage(self) -> Stage: ...

    @property
    def optimizer(self) -> Any: ...

    @property
    def scaler(self) -> Any: ...  # of half-precision gradients; None in full precision

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def fewest_chunks(device: torch.device, step: Callable[[int], None], most: int) -> int:
    """Return the fewest chunks, `most` at the most, with which a step stays within the memory.

    `step` takes one in so many chunks. Where there is no graphics card, nothing bounds it: 1.

    Raises:
        HarnessError: it fits with no number.
    """
    if device.type != "cuda":
        return 1
    torch.cuda.empty_cache()
    free, whole = torch.cuda.mem_get_info(device)
    room = SHARE * (free + torch.cuda.memory_reserved(device))

    def fits(count: int) -> bool:
        torch.cuda.reset_peak_memory_stats(device)
        try:
            step(count)
        except torch.OutOfMemoryError:
            found = False
        else:
            found = torch.cuda.max_memory_allocated(device) <= room
        gc.collect()  # what the error held is free only here
        torch.cuda.empty_cache()
        return found

    count = _smallest(fits, most)
    if count is None:
        raise HarnessError(
            f"not even a row at a time fits into {room / 1e9:.1f} of the {whole / 1e9:.1f} GB of "
            "the graphics card: take another card, or a smaller batch, as in --set batch_size=16, "
            "which is another variant."
        )
    return count


def _smallest(fits: Callable[[int], bool], most: int) -> int | None:
    """Return the smallest number from 1 to `most` that fits, if more fit where fewer do."""
    too_few, count = 0, 1
    while not fits(count):
        if count == most:
            return None
        too_few, count = count, min(2 * count, most)
    while count - too_few > 1:
        middle = (too_few + count) // 2
        if fits(middle):
            count = middle
        else:
            too_few = middle
    return count


def try_steps(
    method: Method,
    view: TrainView,
    run: TrainingRun,
    training: Training,
    step: Callable[[Batch, Any], object],
    chunks: int,
) -> None:
    """Take steps in so many chunks on the longest captions there are, and undo them.

    Two, since the first one makes what the optimiser remembers, beside which the second works.
    """
    rows = longest_captions(view, training.stage.batch_size)
    with undone(method, run, training):
        if training.scaler:  # a step whose gradients overflow would be left out
            training.scaler.load_state_dict({**training.scaler.state_dict(), "scale": 1.0})
        run.epoch = run.step = 0
        run.chunks = chunks
        method.train().begin_epoch(run)
        for batch in feed(view, [rows, rows], run.device):
            step(batch, training)


def longest_captions(view: TrainView, count: int) -> Tensor:
    """Return the indices of so many captions, the longest: what takes most memory."""
    by_length = sorted(range(len(view.captions)), key=lambda row: len(view.captions[row]))
    return torch.tensor(by_length[-count:])


@contextmanager
def undone(method: Method, run: TrainingRun, training: Training) -> Iterator[None]:
    """Leave a method, and what moves its weights, as they were, whatever steps do within.

    Weights are kept in the processor's memory. What a method holds that is neither weight nor
    buffer is put back, not copied.
    """
    held, before = dict(vars(method)), copy.deepcopy(training.state_dict())
    reported = {name: list(pairs) for name, pairs in run.pairs.items()}, run.clean
    buffers = [(module, dict(module._buffers)) for module in method.modules()]
    weights = {name: value.to("cpu", copy=True) for name, value in method.state_dict().items()}
    try:
        yield
    finally:
        training.optimizer.zero_grad(set_to_none=True)
        vars(method).clear()
        vars(method).update(held)
        for module, own in buffers:  # one may have been None, or of another size
            module._buffers |= own
        load_state(method, weights)
        training.load_state_dict(before)
        run.pairs.clear()
        run.pairs.update(reported[0])
        run.clean = reported[1]
