"""`harness list runs` tells what is outdated, `harness drop` removes runs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import Sizes
from harness.results import finish_run, load_runs, working_folder
from harness.results.locks import run_lock

from ...made_once import Make

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trained(
    harness_in: Callable[[Path], Call], once: Make, toy: Path, small_dolls: Path, tmp_path: Path
) -> Path:
    """Results of the toy: as published and narrow, seeds 0 and 1; a run of it that failed."""

    def train(folder: Path) -> None:
        folder.mkdir()
        harness, common = harness_in(folder), ("toy", "--plugins", toy, "--no-report")
        on_dolls = ("--dataset", small_dolls)
        done = harness("run", *common, *on_dolls, "--ablations", "--seeds", "0,1")
        assert done.returncode == 0, done.stderr
        exploding = ("--seeds", "2", "--set", "learning_rate=1e30")
        failed = harness("run", *common, *on_dolls, *exploding)
        assert failed.returncode == 1, failed.stderr

    made = once("results-to-drop-of", train)
    return shutil.copytree(made / "results", tmp_path / "results")


def stored(results: Path) -> list[tuple[str, int]]:
    """Return what is stored, by name and seed."""
    return [(run.record.name, run.record.seed) for run in load_runs(results)]


EXPLODED = ("toy:full (learning_rate=1e+30)", 2)
ALL = [("toy", 0), ("toy", 1), EXPLODED, ("toy:narrow", 0), ("toy:narrow", 1)]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["toy:narrow"], [("toy", 0), ("toy", 1), EXPLODED]),
        (["toy:narrow", "--seeds", "1"], [("toy", 0), ("toy", 1), EXPLODED, ("toy:narrow", 0)]),
        (["--failed"], [one for one in ALL if one != EXPLODED]),
        (["toy:narrow", "--failed"], ALL),
        (["toy"], []),
        (["--outdated"], ALL),
    ],
)
def test_what_is_named_is_removed_and_nothing_else(
    harness: Call, toy: Path, trained: Path, arguments: list[str], left: list[tuple[str, int]]
) -> None:
    """By names, seeds, failures; a dry look changes nothing; empty folders go with the runs."""
    assert sorted(stored(trained)) == sorted(ALL)
    looked = harness("drop", *arguments, "--plugins", toy)
    assert sorted(stored(trained)) == sorted(ALL)
    if left != ALL:
        assert looked.returncode == 2
        assert "Nothing was removed" in looked.stderr
    assert harness("drop", *arguments, "--plugins", toy, "--yes").returncode == 0
    assert sorted(stored(trained)) == sorted(left)
    assert not [path for path in trained.rglob("*/seed-*") if not any(path.iterdir())]
    if not left:
        assert not [*trained.glob("demo/*/toy")]


def test_outdated_runs_are_told_and_removed(
    harness: Call, toy: Path, toy_source: str, trained: Path
) -> None:
    """After a change of the method its runs are not current; those made since are."""

    def listed() -> dict[tuple[str, int], bool]:
        runs = json.loads(harness("list", "runs", "--json", "--plugins", toy).stdout)
        assert all(run["compared"] for run in runs if run["status"] == "ok")
        return {(run["method"], run["seed"]): run["outdated"] is None for run in runs
                if run["status"] == "ok" and run["variant"] == "full"}  # fmt: skip

    assert listed() == {("toy", 0): True, ("toy", 1): True}
    toy.write_text(toy_source.replace("/ 255", "/ 254"), encoding="utf-8")
    assert listed() == {("toy", 0): False, ("toy", 1): False}
    shown = harness("list", "runs", "--plugins", toy)
    assert "harness drop --outdated" in " ".join(shown.stderr.split())
    assert harness("drop", "--outdated", "--plugins", toy, "--yes").returncode == 0
    assert stored(trained) == [EXPLODED]


def test_without_its_plugin_a_run_is_not_called_outdated(harness: Call, trained: Path) -> None:
    """What cannot be compared is neither current nor outdated, and stays."""
    runs = json.loads(harness("list", "runs", "--json").stdout)
    assert not any(run["compared"] or run["outdated"] for run in runs if run["status"] == "ok")
    assert "No such run" in harness("drop", "--outdated", "--yes").stderr
    assert len(stored(trained)) == len(ALL)


def test_a_run_that_a_process_is_at_stays(harness: Call, toy: Path, trained: Path) -> None:
    """It is named; the others are removed."""
    taken = next(run.path for run in load_runs(trained) if run.record.name == "toy")
    with run_lock(taken, trained):
        done = harness.apart("drop", "toy", "--plugins", toy, "--yes")
    assert done.returncode == 0
    assert "Removed from results: 4 of 5." in done.stderr
    assert "a process is at them" in done.stderr
    assert stored(trained) == [("toy", 0)]


def test_what_does_not_exist_is_said(harness: Call, trained: Path) -> None:
    """With what there is, and what was probably meant."""
    assert "Name methods or variants" in harness("drop").stderr
    refused = " ".join(harness("drop", "toi").stderr.split())
    assert "Did you mean 'toy'?" in refused
    assert len(stored(trained)) == len(ALL)


def test_a_dataset_of_the_same_name_outdates_nothing(
    harness: Call, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Neither one that another suite was run on, nor a folder that lies here."""
    common = ("run", "toy", "--plugins", toy, "--seeds", "0", "--no-report", "--results", "r")
    one = shutil.copytree(small_dolls, tmp_path / "v1" / "people")
    two = tmp_path / "v2" / "people"
    write_paperdolls(two, sizes=Sizes(train=13, val=6, test=8))
    suite = "scale: tiny\nseeds: [0]\ndatasets: [{}]\n"
    (tmp_path / "other.yaml").write_text(suite.format(two), encoding="utf-8")
    declared = suite.format(f"{{name: x, folder: {one}}}")
    (tmp_path / "mine.yaml").write_text(declared, encoding="utf-8")
    for arguments in (("--dataset", one), ("--suite", "other.yaml"), ("--suite", "mine.yaml")):
        assert harness(*common, *arguments).returncode == 0
    shutil.copytree(two, tmp_path / "x")
    runs = json.loads(harness("list", "runs", "--json", "--plugins", toy, "--results", "r").stdout)
    assert [run["outdated"] for run in runs] == [None, None, None]
    done = harness("drop", "--outdated", "--plugins", toy, "--results", "r", "--yes")
    assert "No such run" in done.stderr


class TestWhatHappensWhileItAsks:
    """What has changed since it was shown stays."""

    @staticmethod
    def removed(harness: Call, toy: Path, meanwhile: Callable[[], object], *names: str) -> str:
        """Let something happen between the question and the answer yes; return what is said."""

        def agreed() -> bool:
            meanwhile()
            return True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("harness.cli.drop._agreed", agreed)
            return harness("drop", *names, "--plugins", toy).stderr

    def test_a_run_that_was_made_again_stays(self, harness: Call, toy: Path, trained: Path) -> None:
        """What was shown had failed; what is there now has not."""
        failed = next(run for run in load_runs(trained) if run.record.status != "ok")

        def repair() -> None:
            record = replace(failed.record, status="ok", error=None, metrics={"r1": 1.0})
            finish_run(record, failed.path)

        told = self.removed(harness, toy, repair, "--failed")
        assert "Removed from results: 0 of 1" in told
        assert EXPLODED in stored(trained)

    def test_what_somebody_else_has_removed_is_no_error(
        self, harness: Call, toy: Path, trained: Path
    ) -> None:
        """The others are removed all the same."""
        first = next(run.path for run in load_runs(trained) if run.record.name == "toy:narrow")
        told = self.removed(harness, toy, lambda: shutil.rmtree(first), "toy:narrow")
        assert "Removed from results: 1 of 2" in told
        assert not [name for name, _ in stored(trained) if name == "toy:narrow"]


@pytest.mark.parametrize(("option", "stays"), [("--outdated", True), ("toy", False)])
def test_a_newer_training_goes_on(
    harness: Call, toy: Path, toy_source: str, trained: Path, option: str, stays: bool
) -> None:
    """Where an outdated run is removed, what was interrupted beside it has its checkpoint."""
    path = next(run.path for run in load_runs(trained) if run.record.name == "toy")
    checkpoint = working_folder(path) / "weights" / "last.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    toy.write_text(toy_source.replace("/ 255", "/ 254"), encoding="utf-8")
    assert harness("drop", option, "--plugins", toy, "--yes").returncode == 0
    assert not path.exists()
    assert checkpoint.exists() == stays
