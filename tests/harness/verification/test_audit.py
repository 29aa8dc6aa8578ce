"""`harness verify` on runs whose selection was audited."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harness.results import SELECTION_AUDIT, TEST_EVALUATION
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.verification import Kind, verify

from ...command_line import CommandLine
from ...conftest import TOY
from ...made_once import Make, write_text

Change = Callable[[Path], Any]


@pytest.fixture(scope="session")
def audited(once: Make, harness_in: Callable[[Path], CommandLine], small_dolls: Path) -> Path:
    """The results of one audited run."""

    def fill(folder: Path) -> None:
        write_text(folder / "toy.py", TOY)
        done = harness_in(folder)(
            "run", "toy", "--plugins", "toy.py", "--dataset", small_dolls, "--seeds", "0",
            "--audit-selection", "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return once("audited", fill) / "results"


@pytest.fixture
def run(audited: Path, tmp_path: Path) -> Path:
    """The folder of that run in a copy of the results."""
    copy = Path(shutil.copytree(audited, tmp_path / "results"))
    return next(copy.glob("demo/*/toy/full/seed-0"))


def problems(run: Path) -> set[tuple[Kind, str]]:
    """Return kinds and files of what is wrong with the results of a run."""
    found = verify(run.parents[4], [], []).problems
    return {(finding.kind, finding.file) for finding in found}


def rows(change: Callable[[list[dict[str, Any]]], Any]) -> Change:
    """Return what changes the curve of a run."""

    def call(run: Path) -> None:
        table = pyarrow.parquet.read_table(run / SELECTION_AUDIT)
        values = table.to_pylist()
        change(values)
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(values, table.schema), run / SELECTION_AUDIT
        )

    return call


def record(**changes: Any) -> Change:
    """Return what changes the record of a run."""

    def call(run: Path) -> None:
        values = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps({**values, **changes}), encoding="utf-8")

    return call


def best_elsewhere(rows: list[dict[str, Any]]) -> None:
    """Let an epoch that was not the best be it."""
    best = max(row["test_r1"] for row in rows)
    worst = min(rows, key=lambda row: (row["test_r1"], row["test_map"], -row["epoch"]))
    worst["test_r1"] = best + 1


def test_an_audit_as_it_was_made_is_in_order(run: Path) -> None:
    """Its curve, epoch and evaluation agree; its figures are recomputed as those of any other."""
    assert problems(run) == set()
    counted = verify(run.parents[4], [], []).figures
    shutil.rmtree(run / "evaluations" / TEST_EVALUATION)
    assert counted - verify(run.parents[4], [], []).figures == 3 * 8 * 4 * 2 + 6


@pytest.mark.parametrize(
    "change",
    [
        rows(best_elsewhere),
        rows(list.pop),
        rows(lambda rows: rows[0].update(epoch=3)),
        rows(lambda rows: rows[0].update(test_r1=float("nan"))),
        rows(lambda rows: rows[0].update(test_map=101.0)),
        rows(lambda rows: rows[0].update(test_map=None)),
        lambda run: (run / SELECTION_AUDIT).unlink(),
        lambda run: (run / SELECTION_AUDIT).write_text("PAR1"),
        lambda run: shutil.rmtree(run / "evaluations" / TEST_EVALUATION),
        record(test_selected_epoch=None),
        record(test_selected_epoch=17),
    ],
)
def test_an_audit_that_does_not_fit_is_found(run: Path, change: Change) -> None:
    """Though the checksums were written anew, by someone who knows of them."""
    change(run)
    (run / CHECKSUMS).write_text(json.dumps(hash_folder(run)), encoding="utf-8")
    assert (Kind.FIGURES, SELECTION_AUDIT) in problems(run)


def test_a_file_that_was_changed_shows(run: Path) -> None:
    """The checksums of the run cover the curve and the evaluation."""
    rows(best_elsewhere)(run)
    (run / "evaluations" / TEST_EVALUATION / "metrics.json").unlink()
    found = problems(run)
    assert (Kind.FILES, SELECTION_AUDIT) in found
    assert (Kind.FILES, f"evaluations/{TEST_EVALUATION}/metrics.json") in found


def test_an_audit_is_handed_on(run: Path, tmp_path: Path) -> None:
    """A bundle holds it, and whoever takes it in has it."""
    from harness.results import load_runs
    from harness.results.selection import select_runs
    from harness.submission.bundle import make_bundle, write_bundle
    from harness.submission.intake import import_bundle
    from harness.submission.judging import Here

    own = run.parents[4]
    write_bundle(make_bundle(own, select_runs(own, "demo"), (), by="me").files, tmp_path / "b.zip")
    import_bundle(tmp_path / "b.zip", Here(tmp_path / "there", [], []), False)
    [before], [after] = load_runs(own), load_runs(tmp_path / "there")
    assert after.selection_audit() == before.selection_audit()
    assert after.test_selected() == before.test_selected()
    assert after.record.test_selected_epoch == before.record.test_selected_epoch
