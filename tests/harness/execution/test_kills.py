"""The harness killed at any moment and started again ends with the same bits, and loses no run.

Five kills by default; HARNESS_TEST_KILLS=100 makes it a hundred, which takes half an hour.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import results

from .commands import SECONDS, Command, Start, wait_for

KILLS = int(os.environ.get("HARNESS_TEST_KILLS", "5"))
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(300 + 60 * KILLS),
]
EPOCHS, STEPS, RUNS = 4, 6, 4
JOBS = 2
# A line a step, with the process, in one write; a pause that is no part of what the run means.
NOTED = """
        import os, time
        line = f"{os.getpid()} {run.epoch} {run.step}\\n".encode()
        file = os.open(os.environ["TEST_STEPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)
        time.sleep(float(os.environ["TEST_PAUSE"]))
"""
STEP = "        images = normalize(self.encode_images(batch.images), dim=-1)\n"


class Suite:
    """Two variants of a slow toy with two seeds, in a results folder of its own."""

    def __init__(self, start: Start, plugin: Path, dolls: Path, folder: Path) -> None:
        self._start = start
        self.results = folder / "results"
        self.steps_file = folder / "steps"
        folder.mkdir(parents=True, exist_ok=True)
        self.arguments = (
            "run", "slow", "--ablations", "--plugins", plugin, "--dataset", dolls,
            "--seeds", "0,1", "--keep", "all", "--no-report", "--results", self.results,
            "--audit-selection",
        )  # fmt: skip

    def start(self, pause: float = 0.1, jobs: int = JOBS) -> Command:
        """Start it, or go on with it, with a pause of so many seconds in each step."""
        told = {"TEST_STEPS": self.steps_file, "TEST_PAUSE": pause}
        return self._start(*self.arguments, "--jobs", jobs, **told)

    def steps(self) -> list[list[int]]:
        """Return process, epoch and step of every step that was begun."""
        text = self.steps_file.read_text() if self.steps_file.is_file() else ""
        return [[int(number) for number in line.split()] for line in text.splitlines()]

    def all(self) -> dict[str, Any]:
        """Return all that the runs mean, by folder: no time and no machine."""
        return {
            str(run.path.relative_to(self.results)): {
                "status": run.record.status,
                "metrics": run.record.metrics,
                "selected": run.record.selected_epoch,
                "evaluations": run.evaluations(),
                "queries": {name: run.queries(name) for name in run.evaluations()},
                "audit": (run.record.test_selected_epoch, run.selection_audit()),
                "by test": run.queries(results.TEST_EVALUATION),
                "history": [without_seconds(row) for row in run.history()],
                "weights": {file.name: weights(file) for file in run.path.glob("weights/*")},
            }
            for run in results.load_runs(self.results)
        }

    def left_overs(self) -> list[Path]:
        """Return what a killed process has left and nothing has cleared."""
        kinds = ("unfinished", "retired", "tmp")
        return [file for kind in kinds for file in self.results.rglob(f"*.{kind}")]


def without_seconds(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a history but for what differs from run to run."""
    return {name: value for name, value in row.items() if name != "seconds"}


def weights(file: Path) -> dict[str, list[Any]]:
    """Return the bits of every tensor."""
    state = torch.load(file, weights_only=True)
    return {name: tensor.contiguous().view(torch.uint8).tolist() for name, tensor in state.items()}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, toy_source: str) -> Path:
    """The plugin of the slow toy."""
    file = tmp_path_factory.mktemp("slow") / "slow.py"
    source = toy_source.replace('register("toy"', 'register("slow"').replace("epochs=2", "epochs=4")
    file.write_text(source.replace(STEP, NOTED + STEP), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def undisturbed(start_once: tuple[Start, Path], slow: Path, small_dolls: Path) -> dict[str, Any]:
    """What the runs mean that nothing has disturbed."""
    start, folder = start_once
    suite = Suite(start, slow, small_dolls, folder)
    command = suite.start(pause=0)
    assert command.finish() == 0, command.said
    assert len(suite.steps()) == RUNS * EPOCHS * STEPS
    found = suite.all()
    assert len(found) == RUNS
    return found


def test_kills_change_nothing(
    start: Start, slow: Path, small_dolls: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Killed at random moments, it ends as if nothing had been: the same bits, no run lost, at
    most an epoch repeated for each kill and job, nothing left over."""
    chance = random.Random(0)
    kills = 0
    while kills < KILLS:
        suite = Suite(start, slow, small_dolls, tmp_path / str(kills))
        before = kills
        command = suite.start()
        while kills < KILLS and not ends_first(command, suite, chance):
            kills += 1
            command = suite.start()
        assert command.finish() == 0, command.said
        assert suite.all() == undisturbed
        assert suite.left_overs() == []
        assert len(suite.steps()) <= RUNS * EPOCHS * STEPS + (kills - before) * JOBS * STEPS
        print(f"{kills} kills, {len(suite.steps())} steps for {RUNS * EPOCHS * STEPS}")
        again = suite.start()
        assert again.finish() == 0
        assert f"{RUNS} runs planned, {RUNS} complete" in again.said


def ends_first(command: Command, suite: Suite, chance: random.Random) -> bool:
    """Kill the harness at a random moment; tell whether it has ended before."""
    begun = len(suite.steps())
    if chance.random() < 0.8:  # behind its start, which is long
        while command.process.poll() is None and len(suite.steps()) == begun:
            time.sleep(0.02)
        seconds = chance.uniform(0, 3)
    else:
        seconds = chance.uniform(0, 6)
    try:
        command.process.wait(seconds)
    except subprocess.TimeoutExpired:
        command.send(signal.SIGKILL)
    command.finish()
    wait_for(lambda: not command.processes(), 10)
    return command.process.returncode != -signal.SIGKILL


def test_a_killed_run_is_recorded_and_goes_on(
    start: Start, slow: Path, small_dolls: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Where the process of a run is killed alone, its record names the signal, the others are
    made, and the next call goes on from its checkpoint."""
    suite = Suite(start, slow, small_dolls, tmp_path)
    command = suite.start()
    wait_for(lambda: [line for line in suite.steps() if line[1] == 2])
    (process, *_) = next(line for line in suite.steps() if line[1] == 2)
    os.kill(process, signal.SIGKILL)
    assert command.finish() == 1
    assert "was killed by signal 9 (SIGKILL)" in command.said
    statuses = [run.record.status for run in results.load_runs(suite.results)]
    assert sorted(statuses) == ["killed", "ok", "ok", "ok"]
    again = suite.start()
    assert again.finish() == 0, again.said
    assert suite.all() == undisturbed
    assert len(suite.steps()) <= RUNS * EPOCHS * STEPS + STEPS
    assert suite.left_overs() == []


def test_an_interruption_repeats_no_step(
    start: Start, slow: Path, small_dolls: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Ctrl-C and a request to end stop behind a checkpoint within an epoch; it goes on there."""
    suite = Suite(start, slow, small_dolls, tmp_path)
    for number in (signal.SIGINT, signal.SIGTERM):
        begun = len(suite.steps())
        command = suite.start(pause=0.5)
        wait_for(lambda begun=begun: len(suite.steps()) > begun + STEPS)
        command.send(number)
        assert command.finish(20) == 130
        assert "the same command goes on from here" in command.said
        assert command.processes() == []
    again = suite.start()
    assert again.finish() == 0, again.said
    assert len(suite.steps()) == RUNS * EPOCHS * STEPS
    assert suite.all() == undisturbed


def test_a_second_interruption_stops_at_once(
    start: Start, slow: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """The first waits for a step of a minute, the second for nothing."""
    suite = Suite(start, slow, small_dolls, tmp_path)
    command = suite.start(pause=60)
    wait_for(lambda: len(suite.steps()) == JOBS)
    command.send(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        command.process.wait(2)
    command.send(signal.SIGINT)
    assert command.finish(10) == 130
    assert "Traceback" not in command.said
    wait_for(lambda: not command.processes(), 10)


def test_two_harnesses_share_the_work(
    start: Start, slow: Path, small_dolls: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Started together on one folder, each run is made once, and both show all of them."""
    suite = Suite(start, slow, small_dolls, tmp_path)
    commands = [suite.start(jobs=1), suite.start(jobs=1)]
    for command in commands:
        assert command.finish() == 0, command.said
        assert "slow:narrow" in command.said
        assert f"{RUNS}/{RUNS}" in command.said
    assert len({process for process, *_ in suite.steps()}) == RUNS
    assert len(suite.steps()) == RUNS * EPOCHS * STEPS
    assert suite.all() == undisturbed


def test_a_harness_takes_over_what_another_leaves(
    start: Start, slow: Path, small_dolls: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """Of two on one folder one is killed: the other makes its runs too, from where they were."""
    suite = Suite(start, slow, small_dolls, tmp_path)
    one, two = suite.start(jobs=1), suite.start(jobs=1)
    wait_for(lambda: len(suite.steps()) > 3 * STEPS, SECONDS)
    one.send(signal.SIGKILL)
    assert two.finish() == 0, two.said
    assert len(suite.steps()) <= RUNS * EPOCHS * STEPS + STEPS
    assert suite.all() == undisturbed
    assert suite.left_overs() == []
