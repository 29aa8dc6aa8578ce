"""Checkpoints that are written while training goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from harness.method import Stage
from harness.training import checkpoints
from harness.training.checkpoints import LAST, Writer, copied, is_whole

from .test_loop import recipe, run

SECONDS = 60.0  # that a thread may take on a busy machine


class Slow:
    """Stands for a disk that writes when it is told to."""

    def __init__(self) -> None:
        self.begun, self.may_go = threading.Semaphore(0), threading.Semaphore(0)
        self.write = checkpoints.write_checkpoint

    def __call__(self, file: Path, state: Any) -> None:
        self.begun.release()
        assert self.may_go.acquire(timeout=SECONDS)
        self.write(file, state)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """A slow disk under every checkpoint."""
    disk = Slow()
    monkeypatch.setattr(checkpoints, "write_checkpoint", disk)
    return disk


def test_what_is_written_is_as_it_was(tmp_path: Path, slow: Slow) -> None:
    """Training goes on while it is written, and changes weights, lists and dictionaries."""
    weight, history = torch.zeros(3), [{"epoch": 1}]
    with Writer() as writer:
        writer.write(tmp_path / LAST, {"weight": weight, "history": history})
        assert slow.begun.acquire(timeout=SECONDS)
        weight += 1
        history[0]["epoch"] = 2
        history.append({"epoch": 3})
        slow.may_go.release()
    found = torch.load(tmp_path / LAST, weights_only=True)
    assert found["weight"].tolist() == [0, 0, 0]
    assert found["history"] == [{"epoch": 1}]


def test_at_most_one_is_behind(tmp_path: Path, slow: Slow) -> None:
    """The next one waits for it, so that they are written in their order."""
    done = threading.Event()

    def two() -> None:
        with Writer() as writer:
            writer.write(tmp_path / "one.pt", {})
            writer.write(tmp_path / "two.pt", {})
            done.set()

    thread = threading.Thread(target=two)
    thread.start()
    assert slow.begun.acquire(timeout=SECONDS)
    assert not done.is_set()
    slow.may_go.release()
    assert slow.begun.acquire(timeout=SECONDS)
    assert done.wait(SECONDS)
    assert is_whole(tmp_path / "one.pt")
    slow.may_go.release()
    thread.join(SECONDS)
    assert is_whole(tmp_path / "two.pt")


def test_an_error_is_raised_by_what_comes_next(tmp_path: Path) -> None:
    """Once; and where something else fails, that is told."""
    missing = tmp_path / "missing" / LAST
    with Writer() as writer:
        writer.write(missing, {})
        with pytest.raises(FileNotFoundError):
            writer.write(tmp_path / LAST, {})
        writer.write(tmp_path / LAST, {})
        writer.write(missing, {})
        with pytest.raises(FileNotFoundError):
            wait_until_told(writer)
    assert is_whole(tmp_path / LAST)
    with pytest.raises(FileNotFoundError), Writer() as writer:
        writer.write(missing, {})
    with pytest.raises(ValueError, match="mine"):
        fail_while_writing(missing)


def fail_while_writing(file: Path) -> None:
    """Fail for another reason than the disk's."""
    with Writer() as writer:
        writer.write(file, {})
        raise ValueError("mine")


def wait_until_told(writer: Writer) -> None:
    """Check again and again, as each step does."""
    while True:
        writer.check()


def test_a_full_disk_ends_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error of the disk, and the checkpoint before as it was."""
    kept = []

    def full(state: Any, out: Any) -> None:
        if kept:
            raise OSError(28, "No space left on device")
        kept.append(torch.save(state, out))

    monkeypatch.setattr(checkpoints, "_save", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path, stages=recipe(Stage(epochs=3, learning_rate=0.01, batch_size=10)))
    assert torch.load(tmp_path / LAST, weights_only=True)["epoch"] == 1


def test_a_copy_shares_what_its_original_shares() -> None:
    """Tied weights are written once, and a module is told the version that it was saved with."""
    tied = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    tied[1].weight = tied[0].weight
    state: Any = tied.state_dict()
    found = copied({"method": state, "pairs": [(torch.ones(1), torch.zeros(0))]}, {})
    first, second = (found["method"][f"{number}.weight"] for number in (0, 1))
    assert first.data_ptr() == second.data_ptr() != tied[0].weight.data_ptr()
    assert found["method"]._metadata == state._metadata
    assert found["pairs"][0][1].shape == (0,)


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from harness.training.checkpoints import Writer


class Deadly:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)


with Writer() as writer:
    writer.write(Path(sys.argv[1]), {"number": 1})
    writer.write(Path(sys.argv[1]), {"number": 2, "ballast": torch.zeros(1000), "deadly": Deadly()})
"""


def test_a_kill_while_one_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    """Whole, whatever lies beside it."""
    file = tmp_path / LAST
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert torch.load(file, weights_only=True) == {"number": 1}
    assert len(list(tmp_path.iterdir())) == 2  # what was begun
