"""A run that begins unlike earlier ones is told, once, and decides nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import results
from harness.files import read_table, write_json, write_table
from harness.results import HISTORY, RECORD
from harness.results.store import run_path
from harness.run.doubt import Doubts, earlier_histories, find_doubt

Call = Callable[..., Any]


def histories(*figures: Sequence[float], name: str = "val_r1") -> list[list[dict[str, Any]]]:
    """Return a history for each sequence of figures, an epoch each."""
    return [
        [{"epoch": number, name: one} for number, one in enumerate(of_run, 1)] for of_run in figures
    ]


@pytest.mark.parametrize(
    ("value", "earlier", "doubt"),
    [
        (12.0, [48.1, 52.3], "val R1 after epoch 1: 12.0, earlier runs 48.1 to 52.3"),
        (12.0, [52.3, 50.0, 48.1], ""),
        (45.1, [50.0, 50.5], ""),  # less than 5 points below
        (44.9, [50.0, 50.5], "val R1 after epoch 1: 44.9, earlier runs 50.0 to 50.5"),
        (36.0, [40.0, 45.0], ""),  # earlier ones lie far apart
        (19.0, [40.0, 45.0], "val R1 after epoch 1: 19.0, earlier runs 40.0 to 45.0"),
        (30.5, [50.0], ""),  # one alone
        (29.5, [50.0], "val R1 after epoch 1: 29.5, earlier run 50.0"),
        (99.0, [48.1, 52.3], ""),  # better is no mistake
        (12.0, [], ""),
    ],
)
def test_how_far_outside_is_doubted(value: float, earlier: list[float], doubt: str) -> None:
    """Below the least by more than 5 points and four times their range; alone by 20 points."""
    if len(earlier) == 3:
        value = 48.1 - 4 * (52.3 - 48.1) + 0.1
    (own,) = histories([value])
    assert find_doubt(own, histories(*([one] for one in earlier))) == doubt


@pytest.mark.parametrize(("value", "is_doubted"), [(3.7, False), (4.1, True), (0.1, False)])
def test_a_loss_is_doubted_where_it_is_larger(value: float, is_doubted: bool) -> None:
    """By more than a quarter of the largest, whatever its scale."""
    earlier = histories([3.1], [3.0], name="loss")
    (own,) = histories([value], name="loss")
    assert bool(find_doubt(own, earlier)) is is_doubted


def test_the_first_doubt_is_told_once() -> None:
    """While it goes on, and in the record the same; later epochs are compared with their own."""
    earlier = histories([10.0, 50.0, 60.0, 70.0], [11.0, 51.0, 61.0, 71.0])
    (own,) = histories([10.5, 20.0, 20.0, 20.0])
    told: list[Any] = []
    doubts = Doubts(earlier, told.append)
    for row in own:
        doubts.see(row)
    expected = "val R1 after epoch 2: 20.0, earlier runs 50.0 to 51.0"
    assert [update.doubt for update in told] == [expected] == [doubts.of(own)]
    (late,) = histories([10.5, 50.0, 60.0, 1.0])
    assert doubts.of(late) == ""


@pytest.mark.parametrize("value", [None, float("nan"), "<script>", [1.0]])
def test_what_is_no_number_tells_nothing(value: Any) -> None:
    """Of a damaged history, or of an epoch without a figure."""
    row = {"epoch": 1, "val_r1": value, "loss": value}
    good = [{"epoch": 1, "val_r1": 50.0, "loss": 1.0}]
    assert find_doubt([row], [good, good]) == find_doubt(good, [[row], [{"epoch": value}]]) == ""


@pytest.fixture
def train(harness: Call, small_dolls: Path, toy: Path, tmp_path: Path) -> Call:
    """Train the toy with a seed, and return what was shown and its record."""

    def call(seed: int) -> tuple[str, results.RunRecord]:
        where = "--dataset", small_dolls, "--plugins", toy, "--no-report"
        done = harness("run", "toy", *where, "--seeds", seed, "--results", tmp_path / "results")
        assert done.returncode == 0, done.stderr
        runs = results.load_runs(tmp_path / "results")
        return done.stderr, next(run.record for run in runs if run.record.seed == seed)

    return call


def pretend(path: Path, place: Path, seed: int, r1: float) -> None:
    """Put a copy of a run into another place, as of another seed that began with such a figure."""
    shutil.copytree(path, place)
    record = results.read_record(path)
    assert record is not None
    write_json(place / RECORD, asdict(replace(record, seed=seed, key=str(seed))))
    table = read_table(place / HISTORY)
    write_table(place / HISTORY, {
        name: [r1 if name == "val_r1" else row[name] for row in table] for name in table[0]
    })  # fmt: skip


def test_a_run_far_below_earlier_ones_says_so(train: Call, harness: Call, tmp_path: Path) -> None:
    """While it runs, at the end, in its record, its log and the list, beside what else they say."""
    shown, first = train(0)
    assert (first.doubt, "doubt" in shown) == ("", False)
    (run,) = results.load_runs(tmp_path / "results")
    for seed, r1 in ((7, 99.0), (8, 98.5)):
        pretend(run.path, run.path.with_name(f"seed-{seed}"), seed, r1)
    shutil.rmtree(run.path)
    shown, second = train(1)
    assert second.doubt.startswith("val R1 after epoch 1: ")
    assert second.doubt.endswith(", earlier runs 98.5 to 99.0")
    assert f"In doubt, {second.dataset} toy:full seed 1: {second.doubt}." in shown
    assert "In doubt" in (run.path.with_name("seed-1") / "log.txt").read_text(encoding="utf-8")
    listed = harness("list", "runs", "--results", tmp_path / "results")
    assert second.doubt in listed.stdout + listed.stderr
    found = json.loads(harness("list", "runs", "--json", "--results", tmp_path / "results").stdout)
    assert [one["doubt"] for one in found if one["seed"] == 1] == [second.doubt]


def test_whose_histories_are_compared(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished runs of the variant on the same data, own and shipped; one that is both once."""
    monkeypatch.setattr("harness.run.doubt.FOLDER", tmp_path / "ships")
    make("own", 0, 50.0)
    make("ships", 0, 50.0)
    make("ships", 1, 51.0)
    make("own", 2, 52.0, status="error")
    make("own", 3, 53.0, data={"fingerprint": "other"})
    make("own", 4, 54.0)
    (tmp_path / "own/demo/dolls/one/full/seed-4" / HISTORY).write_text("no table")
    spec: Any = SimpleNamespace(
        is_tested=True, variant="full", located=SimpleNamespace(fingerprint="same"),
        path=lambda folder: run_path(folder, "demo", "dolls", "one", "full", 9),
    )  # fmt: skip
    found = earlier_histories(spec, tmp_path / "own")
    assert [[row["val_r1"] for row in history] for history in found] == [[50.0], [], [51.0]]
    spec.is_tested = False  # a trial
    assert earlier_histories(spec, tmp_path / "own") == []


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a run of one epoch into a folder."""

    def call(folder: str, seed: int, r1: float, **fields: Any) -> Path:
        path = run_path(tmp_path / folder, "demo", "dolls", "one", "full", seed)
        known = {"status": "ok", "data": {"fingerprint": "same"}, **fields}
        path.mkdir(parents=True)
        record = results.RunRecord(
            key=str(seed), suite="demo", dataset="dolls", method="one", variant="full", seed=seed,
            scale="tiny", title="One", **known,
        )  # fmt: skip
        write_json(path / RECORD, asdict(record))
        write_table(path / HISTORY, {"epoch": [1], "val_r1": [r1]})
        return path

    return call
