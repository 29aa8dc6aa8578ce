"""A suite of a part of a recipe, as a user runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.results import load_runs

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_a_shorter_suite_is_a_ground_of_its_own(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """It trains fewer epochs under the label of the method, keeps apart from the whole, is
    complete when it is, and is verified as it was planned."""
    suite = tmp_path / "half.yaml"
    suite.write_text(
        f"{{scale: tiny/2, seeds: [0], datasets: [{small_dolls}], options: {{precision: bf16}}}}"
    )
    run = ("run", "toy", "--plugins", toy, "--suite", suite, "--no-report")
    assert harness(*run).returncode == 0
    [stored] = load_runs(tmp_path / "results")
    record = stored.record
    assert (record.suite, record.scale, record.variant) == ("half", "tiny/2", "full")
    assert [stage["epochs"] for stage in record.recipe["stages"]] == [1]
    assert record.recipe["precision"] == "bf16"
    assert len(stored.history()) == 1
    assert "0 to do" in " ".join(harness(*run, "--dry-run").stderr.split())
    verified = harness("verify", "--plugins", toy)
    assert verified.returncode == 0, verified.stdout
    assert "no such scale" not in verified.stdout
    assert "by other code" not in verified.stdout
