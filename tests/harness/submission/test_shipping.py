"""Runs as they ship: small, in order, and whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import Located
from harness.data.digest import read_digest
from harness.errors import HarnessError
from harness.results import load_runs
from harness.results.answers import read_answers
from harness.results.checksums import CHECKSUMS
from harness.results.query_table import FIRST_IMAGES, FOLLOWING
from harness.results.selection import select_runs
from harness.results.shipped import ABOUT, read_about
from harness.submission.shipping import TIMES, make_shipped, write_shipped
from harness.verification import Kind, verify

Call = Callable[..., Any]
QUERIES = "evaluations/text-to-image/queries.parquet"


@pytest.fixture
def datasets(small_dolls: Path) -> list[Located]:
    """The dataset of the runs."""
    return [locate(find_declaration(str(small_dolls)))]


def columns(run: Path) -> set[str]:
    """Return the columns of the table of a run."""
    return {*pyarrow.parquet.read_schema(run / QUERIES).names}


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_what_is_packed_is_in_order(packed: Path, datasets: list[Located]) -> None:
    """With the dataset at hand or without: every figure that is left follows from the ranks."""
    for known in ([], datasets):
        report = verify(packed, [], known)
        assert report.problems == []
        assert {finding.kind for finding in report.findings} <= {Kind.NOT_CHECKED}
        assert report.runs == 6


def test_methods_answer_as_they_did(packed: Path, made_results: Path) -> None:
    """Query by query, to the last bit."""
    for method in ("glance", "glance-twice", "blank"):
        before, after = (
            read_answers(method, [run for run in load_runs(folder)
                                  if run.record.name == method])
            for folder in (made_results, packed)
        )  # fmt: skip
        assert after.seeds == before.seeds
        for metric, values in before.values.items():
            assert (after.values[metric] == values).all(), metric


def test_what_ships_and_what_does_not(packed: Path, made_results: Path) -> None:
    """What ranks need; lists of first images of one seed a method; no weights, logs, thumbnails."""
    names = {file.name for file in packed.rglob("*") if file.is_file()}
    assert names == {
        "about.json", "run.json", "history.parquet", "metrics.json", "queries.parquet",
        "gallery.parquet", CHECKSUMS,
    }  # fmt: skip
    assert {folder.name for folder in packed.glob("*/*/*/*/*/evaluations/*")} == {"text-to-image"}
    for run in packed.glob("demo/*/*/full/seed-*"):
        assert not columns(run) & {*FOLLOWING}
        assert bool(columns(run) & {*FIRST_IMAGES}) == (run.name == "seed-0")
    [digest], [before] = (
        [read_digest(path) for path in folder.glob("demo/*/dataset-*")]
        for folder in (packed, made_results)
    )
    assert digest is not None
    assert before is not None
    assert digest.captions == before.captions
    assert digest.about == before.about
    assert not any(digest.thumbnails)
    sums = json.loads(next(packed.rglob(f"glance/full/seed-0/{CHECKSUMS}")).read_text("utf-8"))
    assert any(name.startswith("weights/") for name in sums["left_out"])


def test_an_audit_ships_without_its_lists(
    harness: Call, glance: Path, small_dolls: Path, tmp_path: Path, datasets: list[Located]
) -> None:
    """The evaluation of the epoch that is best on test, and what test says of every epoch."""
    done = harness(
        "run", "glance", "--plugins", glance, "--dataset", small_dolls, "--seeds", "0",
        "--no-report", "--audit-selection",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results, out = tmp_path / "results", tmp_path / "out"
    write_shipped(
        make_shipped(results, select_runs(results, "demo"), datasets).files, out, datasets
    )
    [run] = load_runs(out)
    assert run.test_selected()
    assert run.selection_audit()
    lists = {*pyarrow.parquet.read_schema(
        run.path / "evaluations/test-selected/queries.parquet").names}  # fmt: skip
    assert not lists & {*FIRST_IMAGES}
    assert verify(out, [], datasets).problems == []


def test_times_of_a_busy_machine_stay_there(
    own_results: Path, datasets: list[Located], tmp_path: Path
) -> None:
    """Asked so, no run that ships says how long it took, and all else is as it was."""
    runs = select_runs(own_results, "demo")
    for times in (True, False):
        files = make_shipped(own_results, runs, datasets, times=times).files
        write_shipped(files, tmp_path / f"times-{times}", datasets)
    told, silent = (list(load_runs(tmp_path / f"times-{times}")) for times in (True, False))
    for before, after in zip(told, silent, strict=True):
        assert before.record.total_seconds > 0
        assert {getattr(after.record, name) for name in TIMES} == {0.0}
        assert after.record.metrics == before.record.metrics
        assert [row for row in after.history() if "seconds" in row] == []
        assert len(after.history()) == len(before.history())


def test_equal_runs_give_equal_bytes(own_results: Path, datasets: list[Located]) -> None:
    """Neither the time of the export nor that of the files stands in it."""
    contents = []
    for _ in range(2):
        contents.append(make_shipped(own_results, select_runs(own_results, "demo"), datasets).files)
        for file in own_results.rglob("*"):
            os.utime(file, (time.time() + 1e6,) * 2)
    read = [
        {name: one.read_bytes() if isinstance(one, Path) else one for name, one in files.items()}
        for files in contents
    ]
    assert read[0] == read[1]


def test_it_tells_what_made_the_runs(packed: Path, made_results: Path) -> None:
    """As the records have it, and nothing of this machine beyond that."""
    about = read_about(packed)
    assert about is not None
    assert about.runs == 6
    environment = next(load_runs(made_results)).record.environment
    assert about.machines == (environment["device"],)
    assert about.torch == (environment["packages"]["torch"],)
    assert about.first <= about.last
    private = (str(made_results.parents[1]), str(Path.home()), os.uname().nodename)
    for file in packed.rglob("*.json"):
        raw = file.read_text(encoding="utf-8")
        assert not [one for one in private if one in raw and len(one) > 3], file


def test_the_command_replaces_what_it_wrote_and_nothing_else(
    harness: Call, own_results: Path, tmp_path: Path
) -> None:
    """A folder of others stays; of fewer runs none of the earlier ones is left."""
    out = tmp_path / "shipped"
    call = "export", "--format", "shipped", "--results", own_results, "--out", out
    done = harness(*call)
    assert done.returncode == 0, done.stderr
    assert f"{out}: 6 runs, 0.{size(out) // 100_000} MB." in done.stdout
    done = harness(*call, "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert [run.record.seed for run in load_runs(out)] == [1, 1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "shipped"]
    (out / ABOUT).unlink()
    refused = harness(*call)
    assert refused.returncode == 2
    assert "was not written by this export" in " ".join(refused.stderr.split())
    assert len(list(load_runs(out))) == 3


def test_what_is_not_in_order_leaves_what_was_there(
    own_results: Path, packed: Path, datasets: list[Located], tmp_path: Path
) -> None:
    """Neither a run that was changed by hand is taken, nor what would be wrong once packed."""
    out = Path(shutil.copytree(packed, tmp_path / "shipped"))
    files = make_shipped(own_results, select_runs(own_results, "demo"), datasets).files
    name = next(name for name in files if name.endswith("metrics.json"))
    with pytest.raises(HarnessError, match="What was packed is not in order"):
        write_shipped({**files, name: b"{}"}, out, datasets)
    assert size(out) == size(packed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "shipped"]
    file = next(own_results.rglob("run.json"))
    values = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**values, "metrics": {"r1": 99.0}}), encoding="utf-8")
    with pytest.raises(HarnessError, match="is not in order"):
        make_shipped(own_results, select_runs(own_results, "demo"), datasets)


def test_it_is_a_fifth_of_what_was_stored(packed: Path, made_results: Path) -> None:
    """Even of tables this small, of which the most is overhead."""
    tables = "demo/*/glance/full/seed-1/evaluations/text-to-image/queries.parquet"
    before, after = (next(folder.glob(tables)).stat().st_size for folder in (made_results, packed))
    assert after < before / 5
