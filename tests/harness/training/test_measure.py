"""A pass over the training set before an epoch, as a method sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Method, Run
from harness.training import Interrupted, Watchers, train

from .test_loop import COUNT, CPU, Regression, recipe, view, weights


class Measuring(Regression):
    """Measures its pairs before each epoch; what it finds moves the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("found", torch.zeros(COUNT))
        self.passes: list[list[Batch]] = []
        self.modes: list[bool] = []

    def begin_epoch(self, run: Run) -> None:
        self.passes.append([])
        measured = run.measure(lambda batch: self.of_pairs(batch, run))
        assert not measured["brightness"].requires_grad
        self.found = measured["brightness"] + measured["drawn"]
        self.drawn = measured["drawn"]
        self.captions = measured["captions"]
        self.modes.append(self.training)

    def of_pairs(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        self.passes[-1].append(batch)
        self.modes.append(self.training)
        drawn = torch.rand(len(batch.captions), generator=run.generator("noise"))
        brightness = run.spread(self.encode_images, batch.images)[:, 0]  # (B,)
        return {"drawn": drawn, "brightness": brightness, "captions": batch.caption_index}

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        weight = self.found[batch.caption_index].mean()
        return {name: loss * weight for name, loss in super().training_losses(batch, run).items()}


def run(folder: Path, method: Method, chunks: int = 1, **watch: Any) -> None:
    """Train a method from the weights that it has."""
    train(method, view(), replace(recipe(), chunks=chunks), 0, CPU, folder, Watchers(**watch))


def measuring() -> Measuring:
    """Return the method with fixed weights."""
    torch.manual_seed(0)
    return Measuring()


def test_each_pair_is_measured_once_before_each_epoch(tmp_path: Path) -> None:
    """In batches of the stage, in an order of its own for each epoch; rows come back by caption."""
    method = measuring()
    run(tmp_path, method)
    assert [[len(batch.captions) for batch in one] for one in method.passes] == [[10] * 4] * 2
    orders = [torch.cat([batch.caption_index for batch in one]).tolist() for one in method.passes]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(COUNT))
    assert orders[0] != orders[1]
    assert method.captions.tolist() == list(range(COUNT))


def test_it_is_measured_in_evaluation_mode(tmp_path: Path) -> None:
    """And trained in the mode that it was in before."""
    method = measuring()
    run(tmp_path, method)
    assert method.modes == [False, False, False, False, True] * 2


def test_each_batch_has_draws_of_its_own(tmp_path: Path) -> None:
    """And they are those of the seed: a second training finds the same."""
    one, two = measuring(), measuring()
    run(tmp_path / "one", one)
    run(tmp_path / "two", two)
    assert len(set(one.drawn.tolist())) == COUNT
    assert torch.equal(one.drawn, two.drawn)


def test_how_far_it_is_can_be_seen(tmp_path: Path) -> None:
    """The progress tells how many pairs are measured."""
    told: list[str] = []
    run(tmp_path, measuring(), tell=told.append)
    assert told[:4] == [f"measuring training pairs: {done} of {COUNT}" for done in (0, 10, 20, 30)]


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_training_that_was_killed_ends_with_the_same_bits(tmp_path: Path, epoch: int) -> None:
    """In a pass or in the epoch behind it."""

    class Killed(BaseException):
        """Stands for kill -9: nothing handles it."""

    run(tmp_path / "whole", measuring())
    method = measuring()

    def die(*_: Any) -> None:
        if len(method.passes) == epoch and len(method.passes[-1]) == 3:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "killed", method, tell=die)
    run(tmp_path / "killed", measuring())
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_training_that_was_stopped_within_an_epoch_goes_on(tmp_path: Path) -> None:
    """The pass is not made again: what it left is in the checkpoint."""
    run(tmp_path / "whole", measuring())
    passes = 0
    for _ in range(8):
        method = measuring()
        try:
            run(tmp_path / "stopped", method, asked_to_end=lambda: True)
        except Interrupted:
            passes += len(method.passes)
    assert passes == 2
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_spread_is_measured_in_chunks(tmp_path: Path) -> None:
    """The same is found, a batch encoded in three parts."""
    one, two = measuring(), measuring()
    seen: dict[str, Tensor] = {}

    def note(name: str, method: Measuring) -> Any:
        return lambda progress: seen.setdefault(name, method.found.clone())

    run(tmp_path / "one", one, report=note("one", one))
    run(tmp_path / "two", two, chunks=3, report=note("two", two))
    torch.testing.assert_close(seen["one"], seen["two"])


def test_other_than_the_rows_of_a_batch_is_refused(tmp_path: Path) -> None:
    """A function that returns a mean is told of."""

    class Mean(Measuring):
        """Returns one number a batch."""

        def of_pairs(self, batch: Batch, run: Run) -> dict[str, Tensor]:
            return {"drawn": batch.images.float().mean()}

    message = r"as many rows as it takes: of 10 pairs came \(\)"
    with pytest.raises(ValueError, match=message):
        run(tmp_path, Mean())
