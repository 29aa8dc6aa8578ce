"""`harness run --forecast` as a user meets it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]


def words(text: str) -> str:
    """Return what is said, however it is broken into lines."""
    return " ".join(text.split())


def test_a_forecast_tells_time_memory_and_disk_and_runs_nothing(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """A row a variant, totals behind it; a second call tries nothing again."""
    run = ("run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0-2")
    first = harness(*run, "--forecast", "--jobs", "2")
    assert first.returncode == 0, first.stderr
    [row] = [line.split() for line in first.stdout.splitlines() if line.startswith("small-dolls")]
    assert row[:3] == ["small-dolls", "toy", "3"]
    said = words(first.stderr)
    assert "3 runs, 2 at a time: about " in said
    assert "Memory: " in said
    assert "Results, with weights and checkpoints under way, take " in said
    assert "trying steps of small-dolls toy" in said
    assert not list((tmp_path / "results").glob("demo/**/run.json"))
    second = harness(*run, "--forecast", "--jobs", "2")
    assert "trying steps" not in second.stderr
    assert second.stdout == first.stdout


@pytest.mark.parametrize(
    ("line", "limits", "reason"),
    [
        ("raise RuntimeError('it broke')", (), "RuntimeError: it broke"),
        pytest.param(
            "__import__('time').sleep(600)",
            ("--timeout", "30s"),
            "it took longer than --timeout 30 s",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_a_plugin_that_fails_is_a_row_with_its_reason(
    harness: Call,
    small_dolls: Path,
    toy: Path,
    toy_source: str,
    line: str,
    limits: tuple[str, ...],
    reason: str,
) -> None:
    """It raises, or hangs: the others are forecast all the same."""
    broken = toy_source.replace('"toy"', '"broken"')
    at = "        images = normalize("
    broken = broken.replace(at, f"        {line}\n{at}", 1)
    toy.with_name("broken.py").write_text(broken, encoding="utf-8")
    done = harness(
        "run", "broken", "toy", "--plugins", toy.parent, "--dataset", small_dolls, "--seeds", "0",
        "--forecast", *limits,
    )  # fmt: skip
    said = words(done.stderr)
    assert f"no forecast for small-dolls broken: {reason}" in said or (
        "no forecast for small-dolls broken: " in said and reason in said
    )
    assert "small-dolls toy" in words(done.stdout)
    assert "1 runs, 1 at a time" in said
    assert done.returncode == 1


def test_a_forecast_is_of_this_machine(harness: Call, small_dolls: Path, toy: Path) -> None:
    """What several processes train is not tried, and says so."""
    run = ("run", "irra", "--dataset", small_dolls, "--seeds", "0", "--forecast")
    done = harness(*run, "--processes", "2")
    assert "is trained by 2 processes, which are not tried" in words(done.stderr)
