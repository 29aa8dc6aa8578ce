"""What goes to a card and comes back, counted on a device that is pretended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.data.schema import TrainView
from harness.method import Stage, Supervision
from harness.training import NonFiniteLoss, loop
from harness.training.feeding import Reading, feed, reading_delay, send_back

from .test_loop import COUNT, CPU, Regression, recipe, run, view, weights

DEVICE = torch.device("meta")  # holds no values, but all that is moved to it
SECONDS = 60.0  # that a batch may take on a busy machine


class Watched:
    """A view that notes which images are asked for, and from where."""

    def __init__(self, inner: TrainView) -> None:
        self.inner = inner
        self.asked = 0
        self.threads: set[int] = set()
        self.changed = threading.Condition()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def pixels(self, indices: Any) -> Tensor:
        with self.changed:
            self.asked += 1
            self.threads.add(threading.get_ident())
            self.changed.notify_all()
        return self.inner.pixels(indices)

    def wait_for(self, count: int) -> bool:
        """Wait until so many batches were asked for; tell whether they were."""
        with self.changed:
            return self.changed.wait_for(lambda: self.asked >= count, SECONDS)


BATCHES = list(torch.arange(COUNT).split(10))


def test_the_next_batch_is_gathered_while_one_is_worked_off() -> None:
    """One ahead and no more, in another thread, and each moved once."""
    watched: Any = Watched(view(Supervision.IDENTITY))
    for number, batch in enumerate(feed(watched, BATCHES, DEVICE), start=1):
        assert watched.wait_for(min(number + 1, len(BATCHES)))
        assert watched.asked <= number + 1
        for tensor in (batch.images, batch.image_index, batch.caption_index, batch.person_ids):
            assert tensor.device == DEVICE
        rows = BATCHES[number - 1]
        assert batch.caption_numbers == rows.tolist()  # known without asking the device
        assert batch.image_numbers == watched.image_of_caption[rows].tolist()
    assert number == len(BATCHES)
    assert threading.get_ident() not in watched.threads


def test_on_the_processor_each_batch_comes_when_it_is_due() -> None:
    """Nothing would be won by another thread, and a batch is the same."""
    watched: Any = Watched(view(Supervision.IDENTITY))
    for number, (batch, rows) in enumerate(
        zip(feed(watched, BATCHES, CPU), BATCHES, strict=True), start=1
    ):
        assert watched.asked == number
        assert torch.equal(batch.caption_index, rows)
        assert torch.equal(batch.image_index, watched.image_of_caption[rows])
        assert batch.captions == [watched.captions[row] for row in rows.tolist()]
        assert torch.equal(batch.images, watched.inner.pixels(batch.image_index))
    assert watched.threads == {threading.get_ident()}


def test_what_fails_while_it_is_gathered_is_raised() -> None:
    """Where it would have been without a thread: the batch before it is there."""

    class Broken(Watched):
        def pixels(self, indices: Any) -> Tensor:
            if self.asked == 1:
                raise OSError("gone")
            return super().pixels(indices)

    broken: Any = Broken(view())
    fed = feed(broken, BATCHES, DEVICE)
    next(fed)
    with pytest.raises(OSError, match="gone"):
        next(fed)


def test_an_epoch_without_a_step_left_is_none() -> None:
    """Where a checkpoint was written behind the last one."""
    assert not list(feed(view(), [], DEVICE))


class Queue:
    """Pretends that what was sent back is there only when it is waited for."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def send(self, step: int, numbers: Any) -> Reading:
        self.done.append(f"sent {step}")
        return Waited(step, list(numbers), send_back(step, numbers).values, self)


class Waited(Reading):
    """A reading that tells of being read."""

    def read(self) -> dict[str, float]:
        self.arrived.done.append(f"read {self.step}")
        return dict(zip(self.names, self.values.tolist(), strict=True))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A device from which losses are read one step late."""
    made = Queue()
    monkeypatch.setattr(loop, "send_back", made.send)
    monkeypatch.setattr(loop, "reading_delay", lambda device: 1)
    return made


def test_losses_are_read_one_step_late(tmp_path: Path, queue: Queue) -> None:
    """So that a step never waits for its own; those of an epoch's end are read there. Weights and
    history are the same."""
    late = run(tmp_path / "late")
    expected = [f"{what} {step}" for what, step in (
        ("sent", 0), ("sent", 1), ("read", 0), ("sent", 2), ("read", 1), ("sent", 3), ("read", 2),
        ("read", 3),
    )]  # fmt: skip
    assert queue.done == expected * 2
    assert [reading_delay(CPU), reading_delay(torch.device("cuda"))] == [0, 1]
    at_once = _at_once(tmp_path)
    assert [row["loss"] for row in late.history] == [row["loss"] for row in at_once.history]
    first, second = weights(tmp_path / "late"), weights(tmp_path / "at once")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _at_once(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "reading_delay", lambda device: 0)
        return run(folder / "at once")


def test_a_loss_that_is_read_late_stops_with_its_own_step(tmp_path: Path, queue: Queue) -> None:
    """Not with the one behind it, and before the next but one."""
    steps: list[int] = []

    class Diverging(Regression):
        """Turns NaN in its second step."""

        def training_losses(self, batch: Any, run: Any) -> dict[str, Tensor]:
            steps.append(run.step)
            found = super().training_losses(batch, run)
            return found if run.step != 1 else {**found, "noise": found["noise"] * torch.nan}

    with pytest.raises(NonFiniteLoss, match="loss 'noise' is nan at stage 1, epoch 1, step 2 of 4"):
        run(tmp_path, Diverging())
    assert steps == [0, 1, 2]


def test_a_checkpoint_waits_for_the_losses_of_its_steps(tmp_path: Path, queue: Queue) -> None:
    """What was stopped within an epoch and goes on has the history of what was not."""
    stops = iter([False, True])
    stage = recipe(Stage(epochs=1, learning_rate=0.01, batch_size=10))
    asked = {"asked_to_end": lambda: next(stops, True)}
    with pytest.raises(loop.Interrupted):
        run(tmp_path / "stopped", stages=stage, **asked)
    on = run(tmp_path / "stopped", stages=stage)
    whole = run(tmp_path / "whole", stages=stage)
    assert [row["loss/noise"] for row in on.history] == [row["loss/noise"] for row in whole.history]
