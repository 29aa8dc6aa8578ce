"""Results that ship: which of them stand beside one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.results import StoredRun, load_runs
from harness.results.shipped import (
    ABOUT,
    find_shipped,
    is_shipped,
    load_layered,
    read_about,
    say_shipped,
)
from harness.verification import verify

from ...leaderboard.recorder import Recorder

ABOUT_IT = {
    "version": "1.2.3",
    "runs": 3,
    "first": "2026-01-01",
    "last": "2026-01-02",
    "machines": ["cpu, 2 cores, x86_64"],
    "torch": ["2.9.0"],
    "commits": ["beef"],
}
SHIPPED = Path(__file__).parents[3] / "harness" / "shipped"
MOST_BYTES = 10_000_000


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Where one's own results are to be."""
    return tmp_path / "results"


@pytest.fixture
def own(results: Path) -> Recorder:
    """What adds to one's own results."""
    return Recorder(results)


@pytest.fixture
def shipping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What adds to a folder that ships: two seeds of a method of the suite `standard` so far."""
    folder = tmp_path / "ships"
    monkeypatch.setattr("harness.results.shipped.FOLDER", folder)
    recorder = Recorder(folder)
    for seed in (0, 1):
        recorder.add_run("one", 50.0 + seed, seed=seed, suite="standard")
    (folder / ABOUT).write_text(json.dumps(ABOUT_IT), encoding="utf-8")
    return recorder


def told(runs: list[StoredRun]) -> list[tuple[str, int, bool, float | None]]:
    """Return method, seed, whether it ships and R1 of each run."""
    return [
        (run.record.method, run.record.seed, is_shipped(run), run.record.metrics.get("r1"))
        for run in runs
    ]


def test_without_own_runs_what_ships_is_there(shipping: Recorder, results: Path) -> None:
    """In the order of places."""
    assert told(load_layered(results)) == [("one", 0, True, 50.0), ("one", 1, True, 51.0)]


def test_runs_of_another_suite_stay_alone(shipping: Recorder, own: Recorder, results: Path) -> None:
    """A lab's real results never get the drawn board mixed in, unless it is asked for."""
    own.add_run("mine", 40.0)
    assert told(load_layered(results)) == [("mine", 0, False, 40.0)]
    assert len(load_layered(results, always=True)) == 3


def test_what_ships_joins_runs_of_its_suite(
    shipping: Recorder, own: Recorder, results: Path
) -> None:
    """And no other suite that ships."""
    shipping.add_run("two", 30.0, suite="other")
    own.add_run("mine", 40.0, suite="standard")
    assert [one[:3] for one in told(load_layered(results))] == [
        ("mine", 0, False), ("one", 0, True), ("one", 1, True),
    ]  # fmt: skip


def test_an_own_run_holds_its_place(shipping: Recorder, own: Recorder, results: Path) -> None:
    """What ships fills the others."""
    own.add_run("one", 20.0, seed=1, suite="standard")
    assert told(load_layered(results)) == [("one", 0, True, 50.0), ("one", 1, False, 20.0)]


def test_a_failed_run_holds_its_place_unless_the_very_same_ships(
    shipping: Recorder, own: Recorder, results: Path
) -> None:
    """Other code that failed is not hidden by what older code gave; a machine's failure is."""
    own.add_run("one", seed=0, suite="standard", status="error", key="another")
    own.add_run("one", seed=1, suite="standard", status="killed")  # with the key of what ships
    assert told(load_layered(results)) == [("one", 0, False, None), ("one", 1, True, 51.0)]
    assert [run.record.seed for run in find_shipped(load_runs(results))] == [1]


@pytest.mark.parametrize("is_there", [False, True])
def test_an_empty_or_absent_folder_is_as_if_nothing_shipped(
    own: Recorder, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Own runs are what they were."""
    folder = tmp_path / "empty"
    if is_there:
        folder.mkdir()
    monkeypatch.setattr("harness.results.shipped.FOLDER", folder)
    assert load_layered(results) == []
    own.add_run("one", 20.0)
    assert load_layered(results, always=True) == list(load_runs(results))
    assert say_shipped(load_layered(results)) == ""
    assert read_about() is None


def test_it_is_said_how_many_ship_and_what_made_them(
    shipping: Recorder, own: Recorder, results: Path
) -> None:
    """Version, days, machine and torch, as far as anything tells them."""
    made = (
        "tbpr-bench 1.2.3, made from 2026-01-01 to 2026-01-02 on cpu, 2 cores, x86_64 with torch "
        "2.9.0."
    )
    assert say_shipped(load_layered(results)) == f"All 2 runs ship with {made}"
    own.add_run("one", 20.0, seed=1, suite="standard")
    assert say_shipped(load_layered(results)) == f"Of 2 runs, 1 ships with {made}"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1}', "[" * 100_000])
def test_a_damaged_account_is_none(shipping: Recorder, results: Path, content: str) -> None:
    """The runs are marked all the same."""
    (shipping.results / ABOUT).write_text(content, encoding="utf-8")
    assert read_about() is None
    assert say_shipped(load_layered(results)) == "All 2 runs ship with the project."


def test_damaged_runs_are_passed_over(shipping: Recorder, results: Path) -> None:
    """As among one's own results."""
    next(shipping.results.rglob("run.json")).write_text("{", encoding="utf-8")
    assert len(load_layered(results)) == 1


@pytest.mark.skipif(not SHIPPED.is_dir() or not any(SHIPPED.iterdir()), reason="nothing ships yet")
def test_what_ships_is_in_order_and_small() -> None:
    """Every figure follows from its ranks, every file is what it was, and the account is there."""
    assert verify(SHIPPED, [], []).problems == []
    about = read_about(SHIPPED)
    assert about is not None
    assert about.runs == len(list(load_runs(SHIPPED)))
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < MOST_BYTES
