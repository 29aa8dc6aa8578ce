"""`harness run --track`: trackers see what the history holds, and change nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import results
from harness.errors import HarnessError
from harness.run.tracking import Tracker, require_trackers

Call = Callable[..., Any]


@pytest.fixture
def train(harness: Call, small_dolls: Path, toy: Path, tmp_path: Path) -> Call:
    """Train the toy method into a results folder and return its run."""

    def call(folder: str, *options: str) -> results.StoredRun:
        where = "--dataset", small_dolls, "--plugins", toy, "--seeds", "0", "--no-report"
        done = harness("run", "toy", *where, "--results", tmp_path / folder, *options)
        assert done.returncode == 0, done.stderr
        [run] = results.load_runs(tmp_path / folder)
        return run

    return call


def test_trackers_show_the_history_and_change_nothing(train: Call, tmp_path: Path) -> None:
    """TensorBoard holds every figure of every epoch and the test's; the rankings stay the same."""
    run = train("watched", "--track", "tensorboard", "--track", "wandb")
    shown = _tensorboard(tmp_path / "watched")
    for row in run.history():
        for name in ("loss", "loss/itc", "val_r1", "val_map", "learning_rate"):
            assert shown[name][row["epoch"]] == pytest.approx(row[name], rel=1e-6)
    assert shown["test_r1"] == {2: pytest.approx(run.record.metrics["r1"])}
    [of_wandb] = (tmp_path / "watched" / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"test_minp" in of_wandb.read_bytes()
    assert train("alone").queries() == run.queries()


@pytest.mark.exhaustive  # a process of its own, whose client waits for an answer
def test_a_tracker_that_fails_ends_no_run(train: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is whole, the other tracker goes on, and the log tells what went wrong."""
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    run = train("results", "--track", "wandb", "--track", "tensorboard")
    assert run.record.status == "ok"
    assert "wandb failed and is left out" in (run.path / "log.txt").read_text(encoding="utf-8")
    assert "test_r1" in _tensorboard(run.path.parents[4])


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install, before anything is run."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        HarnessError, match=r"--track wandb .* pip install 'tbpr-bench\[trackers\]'"
    ):
        require_trackers([Tracker.WANDB])


def _tensorboard(folder: Path) -> dict[str, dict[int, float]]:
    """Return what TensorBoard shows of the one run of a results folder: name -> step -> value."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    [file] = (folder / ".tensorboard").rglob("events.out.*")
    events = EventAccumulator(str(file.parent))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }
