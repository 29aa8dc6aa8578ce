"""Which run a search takes."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.files import write_json
from harness.results import SELECTED, RunRecord, run_path
from harness.results.origin import ORIGIN
from harness.trained.chosen_run import choose_run

INSTALLED = {"one", "two"}


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that stores a run; `kept` tells whether its weights are there."""

    def store(method: str, score: float, kept: bool = True, **fields: Any) -> Path:
        values: dict[str, Any] = {
            "status": "ok", "key": "k", "suite": "demo", "dataset": "dolls", "method": method,
            "variant": "full", "seed": 0, "scale": "tiny", "title": method,
            "recipe": {"stages": [{}]}, "metrics": {"map": score}, "data": {"drawn": True},
            "command": f"harness run {method} --seeds 0",
        }  # fmt: skip
        record = RunRecord(**(values | fields))
        names = record.suite, record.dataset, method, record.variant, record.seed
        path = run_path(tmp_path, *names)
        write_json(path / "run.json", asdict(record))
        if kept:
            (path / "weights").mkdir()
            (path / "weights" / SELECTED).touch()
        return path

    return store


def test_the_best_that_can_be_asked_is_taken(add: Callable[..., Path], tmp_path: Path) -> None:
    """The highest mAP of runs that are finished, have weights and whose method is here."""
    add("one", 30.0)
    best = add("one", 40.0, seed=1)
    add("two", 90.0, kept=False)
    add("two", 90.0, seed=1, status="error")
    add("three", 95.0)
    assert choose_run(tmp_path, None, INSTALLED).path == best


def test_what_was_trained_with_wrong_pairs_is_asked_only_by_name(
    add: Callable[..., Path], tmp_path: Path
) -> None:
    """However good it is; where there is nothing else, it is."""
    name = "full (noise 0.2)"
    noisy = add("two", 50.0, variant=name, noise={"rate": 0.2})
    assert choose_run(tmp_path, None, INSTALLED).path == noisy
    clean = add("one", 40.0)
    assert choose_run(tmp_path, None, INSTALLED).path == clean
    assert choose_run(tmp_path, f"two:{name}", INSTALLED).path == noisy


def test_what_others_submitted_is_asked_only_by_name(
    add: Callable[..., Path], tmp_path: Path
) -> None:
    """A stranger's figures do not choose whom a search asks."""
    own = add("one", 40.0)
    theirs = add("two", 99.0, recipe={}, data={})
    write_json(theirs / ORIGIN, {"by": "us", "bundle": "0" * 64, "imported": ""})
    assert choose_run(tmp_path, None, INSTALLED).path == own
    assert choose_run(tmp_path, "two", INSTALLED).path == theirs


def test_photographs_come_before_drawn_people(add: Callable[..., Path], tmp_path: Path) -> None:
    """A figure on drawn people does not beat one on photographs."""
    add("one", 60.0)
    real = add("two", 45.0, dataset="cuhk-pedes", data={"drawn": False})
    assert choose_run(tmp_path, None, INSTALLED).path == real


def test_what_is_not_trained_needs_no_weights(add: Callable[..., Path], tmp_path: Path) -> None:
    """A zero-shot method can be asked without a file."""
    path = add("one", 10.0, kept=False, recipe={"stages": []})
    assert choose_run(tmp_path, None, INSTALLED).path == path


def test_a_name_is_a_method_a_variant_or_a_folder(add: Callable[..., Path], tmp_path: Path) -> None:
    """A method's name is the method as published; a variant's label may hold a slash."""
    full, row = add("one", 10.0), add("one", 20.0, variant="w/o SDM")
    assert choose_run(tmp_path, "one", INSTALLED).path == full
    assert choose_run(tmp_path, "one:w/o SDM", INSTALLED).path == row
    assert choose_run(Path("nowhere"), str(row), INSTALLED).path == row


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("onne", "Did you mean 'one'"),
        ("one:+SDM", "There are: one, two"),
        ("two", "--force --keep selected"),
    ],
)
def test_what_is_not_there_is_told(
    named: str, told: str, add: Callable[..., Path], tmp_path: Path
) -> None:
    """A wrong name is told with those that exist, missing weights with what trains them."""
    add("one", 10.0)
    add("two", 10.0, kept=False)
    with pytest.raises(HarnessError, match=told.replace("+", r"\+")):
        choose_run(tmp_path, named, INSTALLED)


def test_folders_that_are_no_run_are_told(add: Callable[..., Path], tmp_path: Path) -> None:
    """A folder above runs, a failed run and an unreadable record each get their own words."""
    path = add("one", 10.0)
    failed = add("two", 0.0, status="error")
    with pytest.raises(HarnessError, match=r"run\.json"):
        choose_run(tmp_path, str(path.parent), INSTALLED)
    with pytest.raises(HarnessError, match="not finished"):
        choose_run(tmp_path, str(failed), INSTALLED)
    (path / "run.json").write_text("[]")
    with pytest.raises(HarnessError, match="no record"):
        choose_run(tmp_path, str(path), INSTALLED)


def test_nothing_to_ask_is_told(add: Callable[..., Path], tmp_path: Path) -> None:
    """Without runs the message says what trains some, without their methods what brings them."""
    with pytest.raises(HarnessError, match="harness run --all"):
        choose_run(tmp_path, None, INSTALLED)
    add("three", 10.0)
    with pytest.raises(HarnessError, match=r"three.*--plugins"):
        choose_run(tmp_path, None, INSTALLED)
