"""Files of a results folder that were cut short: told, or made again, and never a crash."""

from __future__ import annotations

from pathlib import Path

from harness import results
from harness.results import RunRecord

from ...command_line import CommandLine
from .commands import one_epoch

DAMAGED = (
    "run.json",
    "history.parquet",
    "evaluations/text-to-image/queries.parquet",
    "evaluations/text-to-image/metrics.json",
    "checksums.json",
    "weights/selected.pt",
)


def cut(file: Path) -> None:
    """Keep the first half of a file."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def records(folder: Path) -> dict[int, RunRecord]:
    """Return the records by seed."""
    return {run.record.seed: run.record for run in results.load_runs(folder)}


def test_damaged_results_are_told_or_made_again(
    harness: CommandLine, toy: Path, toy_source: str, small_dolls: Path, tmp_path: Path
) -> None:
    """A run without a record is made again; the page is written whatever else is cut short, and
    `harness verify` names it."""
    toy.write_text(one_epoch(toy_source), encoding="utf-8")
    arguments = (
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--jobs", "2",
        "--seeds", f"0-{len(DAMAGED) - 1}",
    )  # fmt: skip
    assert harness(*arguments, "--no-report").returncode == 0
    before = records(tmp_path / "results")
    for seed, name in enumerate(DAMAGED):
        cut(tmp_path / f"results/demo/small-dolls/toy/full/seed-{seed}" / name)
    report = harness("report")
    assert report.returncode == 0, report.stderr
    assert "Traceback" not in report.stderr
    verify = harness("verify")
    assert verify.returncode == 1
    assert "Traceback" not in verify.stderr
    for name in DAMAGED[1:]:
        assert name in verify.stdout
    again = harness(*arguments)
    assert again.returncode == 0, again.stderr
    assert "Traceback" not in again.stderr
    assert f"{len(DAMAGED)} runs planned, {len(DAMAGED) - 1} complete" in again.stderr
    after = records(tmp_path / "results")
    assert after.keys() == before.keys()
    assert after[0].metrics == before[0].metrics
