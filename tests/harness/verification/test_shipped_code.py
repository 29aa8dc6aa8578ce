"""What ships against the code and the drawings that are here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from harness import registry
from harness.data.catalogue import code_of_drawing
from harness.files import to_json
from harness.results import load_runs
from harness.results.shipped import ABOUT, About
from harness.verification.shipped import check_about, find_outdated, promised
from harness.verification.staleness import find_of_other_code
from harness.verification.staleness import find_outdated as find_by_settings

from ...leaderboard.recorder import Recorder

Change = Callable[[str, str], Path]


@pytest.fixture
def changed(glance: Path, tmp_path: Path) -> Change:
    """Return a function that writes the plugin with some of its text replaced."""

    def call(old: str, new: str) -> Path:
        source = glance.read_text(encoding="utf-8")
        assert old in source
        file = tmp_path / "changed" / "glance.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source.replace(old, new), encoding="utf-8")
        return file

    return call


@pytest.mark.parametrize(
    ("old", "new", "is_other"),
    [
        ("Mean colour", "Average colour", False),  # words
        ("width: int = 8", "width: int = 9", True),  # a setting, by default
        ("epochs=1", "epochs=2", True),  # a recipe
        ("float().mean", "double().mean", True),
    ],
)
def test_code_is_compared_as_with_settings(
    made_results: Path, changed: Change, old: str, new: str, is_other: bool
) -> None:
    """Though no method is described: what it has by default is written in its code."""
    plugin, runs = changed(old, new), list(load_runs(made_results))
    found = find_of_other_code(runs, registry.find_plugins([plugin]))
    assert found == (runs if is_other else [])
    by_settings = find_by_settings(runs, registry.list_methods([plugin]), [])
    assert {run.path for run in found} == {path for path, why in by_settings.items() if why}


def test_runs_of_no_plugin_are_of_other_code(made_results: Path) -> None:
    """Their method is not here."""
    runs = list(load_runs(made_results))
    assert find_of_other_code(runs, []) == runs


def test_nothing_is_imported_or_drawn(packed: Path, glance: Path, tmp_path: Path) -> None:
    """Neither torch nor a method, with nothing in the cache."""
    script = (
        "import sys; from pathlib import Path; from harness.results import load_runs, shipped\n"
        f"shipped.FOLDER = Path({str(packed)!r})\n"
        "from harness.verification.shipped import find_outdated\n"
        "print(len(find_outdated(list(load_runs(shipped.FOLDER)))), 'torch' in sys.modules)"
    )
    environment = {"HARNESS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["6", "False"]
    assert not list((tmp_path / "cache").rglob("*.parquet"))


@pytest.mark.parametrize("drawing", [code_of_drawing, lambda: "0" * 64, None])
def test_people_that_are_drawn_otherwise_are_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawing: Callable[[], str] | None
) -> None:
    """Whether or not the code of the method has changed; where nothing tells, nothing is said."""
    ships = tmp_path / "ships"
    monkeypatch.setattr("harness.results.shipped.FOLDER", ships)
    monkeypatch.setattr("harness.verification.shipped.find_of_other_code", lambda runs, of: [])
    fingerprint = "ab" * 32
    Recorder(ships).add_run("one", 50.0, data={"fingerprint": fingerprint, "drawn": True})
    told = {fingerprint: drawing()} if drawing else {}
    about = About("1", 1, "2026-01-01", "2026-01-01", (), (), (), told)
    (ships / ABOUT).write_bytes(to_json(asdict(about)))
    runs = list(load_runs(ships))
    is_other = bool(drawing) and drawing is not code_of_drawing
    assert find_outdated(runs) == (runs if is_other else [])
    assert [one.fingerprint for one in promised(runs)] == (
        [] if drawing is None else ["" if is_other else fingerprint]
    )


def test_an_account_that_tells_nothing_is_a_finding(ships: Path) -> None:
    """A version, days and machines are what runs are marked with."""
    assert not list(check_about())
    (ships / ABOUT).write_text(json.dumps({"version": 1}), encoding="utf-8")
    [found] = check_about()
    assert found.is_problem
