"""`harness import-results`: what is taken in, what is passed over, and what a kill leaves."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.results import load_runs
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.results.locks import run_lock
from harness.results.origin import read_origin
from harness.results.selection import select_runs
from harness.submission.bundle import make_bundle
from harness.submission.unpacking import Refused
from harness.verification import Kind, verify

Call = Callable[..., Any]

BY = "A lab, someone@example.org"


def test_a_bundle_gives_the_same_figures_elsewhere(
    harness: Call, bundle: Path, made_results: Path, target: Path, tmp_path: Path, figures: Call
) -> None:
    """Exported, imported where nothing is, not even the methods, and shown with who sent it."""
    done = harness("import-results", bundle, "--results", target)
    assert done.returncode == 0, done.stderr
    assert f"by {BY}: 6 runs imported." in done.stdout
    assert "nothing here vouches for it" in done.stderr
    assert figures(target) == figures(made_results)
    listed = json.loads(harness("list", "runs", "--results", target, "--json").stdout)
    assert {run["origin"]["by"] for run in listed} == {BY}
    assert "submitted" in harness("list", "runs", "--results", target).stdout
    assert "submitted" not in harness("list", "runs", "--results", made_results).stdout
    site = tmp_path / "site"
    done = harness("report", "--results", target, "--site", site)
    assert done.returncode == 0, done.stderr
    page = next(site.glob("methods/glance*.html")).read_text(encoding="utf-8")
    assert "submitted by A lab, someone@example.org" in page
    r1 = f"{next(load_runs(target)).record.metrics['r1']:.2f}"
    assert r1 in (site / "index.html").read_text(encoding="utf-8") + page


def test_what_was_imported_verifies(take: Call, bundle: Path, target: Path) -> None:
    """Weights that were not handed on are missed by nobody; a changed origin shows."""
    take(bundle)
    assert verify(target, [], []).problems == []
    run = next(load_runs(target)).path
    sums = json.loads((run / CHECKSUMS).read_text(encoding="utf-8"))
    assert "origin.json" in sums["sha256"]
    (run / "origin.json").write_text('{"by": "someone else"}', encoding="utf-8")
    [found] = verify(target, [], []).problems
    assert (found.file, found.message) == ("origin.json", "was changed")


def test_weights_that_come_later_have_to_be_the_ones(
    take: Call, bundle: Path, target: Path, made_results: Path
) -> None:
    """A bundle keeps the sums of what it leaves out."""
    take(bundle)
    run = next(target.glob("demo/*/glance/full/seed-0"))
    weights = made_results / run.relative_to(target) / "weights"
    shutil.copytree(weights, run / "weights")
    assert verify(target, [], []).problems == []
    (run / "weights" / "selected.pt").write_bytes(b"others")
    [found] = verify(target, [], []).problems
    assert (found.file, found.message) == ("weights/selected.pt", "was changed")


def test_a_folder_is_a_bundle_too(take: Call, unpacked: Path, target: Path, figures: Call) -> None:
    """As it lies in a checkout of a pull request."""
    assert len(take(unpacked).imported) == 6
    assert len(figures(target)) == 6


def test_what_is_here_already_is_passed_over(take: Call, bundle: Path, target: Path) -> None:
    """A second import changes nothing; nor does one of runs that were made here."""
    assert len(take(bundle).imported) == 6
    before = {file: file.stat().st_mtime_ns for file in target.rglob("*") if file.is_file()}
    again = take(bundle)
    assert (again.imported, len(again.known)) == ([], 6)
    after = {file: file.stat().st_mtime_ns for file in target.rglob("*") if file.is_file()}
    locks = {file for file in after if ".locks" in file.parts}
    assert {file: time for file, time in after.items() if file not in locks} == {
        file: time for file, time in before.items() if file not in locks
    }


def test_own_runs_are_not_replaced_by_their_bundle(
    take: Call, bundle: Path, target: Path, own_results: Path
) -> None:
    """The lab's own results keep their weights and have no origin."""
    target.parent.mkdir()
    own_results.rename(target)
    assert len(take(bundle).known) == 6
    assert all(read_origin(run.path) is None for run in load_runs(target))
    assert next(target.glob("demo/*/glance/full/seed-0/weights/selected.pt")).is_file()


def test_another_run_stays_unless_it_is_to_be_replaced(
    take: Call, bundle: Path, target: Path, own_results: Path, figures: Call
) -> None:
    """With another key in the place of one run, nothing is imported; --replace says otherwise."""
    target.parent.mkdir()
    own_results.rename(target)
    run = next(target.glob("demo/*/glance/full/seed-0"))
    shutil.rmtree(run.parent / "seed-1")
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**values, "key": "0" * 32}), encoding="utf-8")
    (run / CHECKSUMS).write_text(json.dumps(hash_folder(run)), encoding="utf-8")
    before = figures(target)
    with pytest.raises(Refused, match=r"seed-0 is here already, and was made by other code"):
        take(bundle)
    assert figures(target) == before
    taken = take(bundle, replace=True)
    assert (len(taken.imported), len(taken.known)) == (2, 4)
    assert str(read_origin(run)).startswith("submitted by A lab")
    assert verify(target, [], []).problems == []


def test_other_rankings_under_one_key_are_refused(
    take: Call, bundle: Path, target: Path, own_results: Path
) -> None:
    """Equal keys mean equal results: where they do not, someone has to look."""
    target.parent.mkdir()
    own_results.rename(target)
    one, other = (next(target.glob(f"demo/*/glance/full/seed-{n}")) for n in (0, 1))
    shutil.rmtree(one / "evaluations")
    shutil.copytree(other / "evaluations", one / "evaluations")
    with pytest.raises(Refused, match=r"has other rankings in"):
        take(bundle)


def test_the_data_that_is_here_is_believed(
    take: Call, unpacked: Path, reseal: Call, target: Path
) -> None:
    """Where the dataset is here, its people decide, and its digest is written from it."""
    assert take(unpacked, knows_data=True).unchecked == []
    [digest] = target.glob("demo/*/dataset-*")
    assert (digest / "gallery.parquet").is_file()


def test_runs_on_another_content_are_refused(
    take: Call, bundle: Path, target: Path, own_results: Path
) -> None:
    """Runs beside them that saw other data could never be compared."""
    run = next(own_results.glob("demo/*/blank/full/seed-0"))
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    values["data"]["fingerprint"] = "0" * 64
    place = target / run.relative_to(own_results).parent / "seed-9"
    place.mkdir(parents=True)
    (place / "run.json").write_text(json.dumps({**values, "seed": 9}), encoding="utf-8")
    with pytest.raises(Refused, match="has another content of the dataset"):
        take(bundle)
    assert len(list(load_runs(target))) == 1


def test_one_bad_bundle_does_not_stop_the_others(
    harness: Call, bundle: Path, target: Path, tmp_path: Path, figures: Call
) -> None:
    """Each is taken in or refused by itself, as the shell names them; the status tells."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    (folder / "a.zip").write_bytes(b"no zip")
    shutil.copyfile(bundle, folder / "b.zip")
    done = harness("import-results", *sorted(folder.glob("*.zip")), "--results", target)
    assert done.returncode == 1
    assert "a.zip: it is no zip file. Nothing of it was imported." in done.stderr
    assert "6 runs imported" in done.stdout
    assert len(figures(target)) == 6


def test_a_run_that_is_under_way_is_left_alone(
    take: Call, bundle: Path, target: Path, made_results: Path
) -> None:
    """A process that holds the lock of a run is not disturbed."""
    path = next(load_runs(made_results)).path.relative_to(made_results)
    (target / path).parent.mkdir(parents=True)
    with run_lock(target / path, target), pytest.raises(Refused, match="being run here"):
        take(bundle)
    assert not list(load_runs(target))


def test_what_others_submitted_is_not_handed_on(take: Call, bundle: Path, target: Path) -> None:
    """Their bundles are theirs to send."""
    from harness.errors import HarnessError

    take(bundle)
    with pytest.raises(HarnessError, match="no run to hand on that was made here"):
        make_bundle(target, select_runs(target, "demo"), ())


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.submission import intake, judging
from harness.submission.judging import Here

step, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
calls = 0

def dying(function, at):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

name, _, number = step.partition(":")
setattr(intake, name, dying(getattr(intake, name), int(number)))
intake.import_bundle(source, Here(target, [], []), replace=True)
"""


@pytest.mark.parametrize(
    "step",
    [
        "judge:1",
        "flush_folder:1",
        "put_in_place:1",
        "put_in_place:3",
        "flush_folder:5",
        "_seal_origin:2",
    ],
)
def test_a_kill_leaves_whole_runs_alone(
    take: Call, bundle: Path, target: Path, figures: Call, made_results: Path, step: str
) -> None:
    """Whatever it was at, results verify, and the next import completes them and clears up."""
    target.mkdir(parents=True)
    call = [sys.executable, "-c", KILLED, step, str(bundle), str(target)]
    done = subprocess.run(call, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL
    there = figures(target)
    assert there.items() <= figures(made_results).items()
    if there:
        report = verify(target, [], [])
        assert report.problems == []
        assert report.count(Kind.LEFT_OVER) >= 1
    taken = take(bundle)
    assert len(taken.imported) + len(taken.known) == 6
    assert figures(target) == figures(made_results)
    assert verify(target, [], []).findings == [
        finding for finding in verify(target, [], []).findings if finding.kind is Kind.NOT_CHECKED
    ]


def test_a_kill_while_a_run_is_replaced_loses_neither(
    take: Call, bundle: Path, target: Path, own_results: Path, figures: Call, made_results: Path
) -> None:
    """Between stepping aside and taking its place; the next import brings the one or the other."""
    target.parent.mkdir()
    own_results.rename(target)
    run = next(target.glob("demo/*/glance/full/seed-0"))
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**values, "key": "0" * 32}), encoding="utf-8")
    call = [sys.executable, "-c", KILLED, "put_in_place:1", str(bundle), str(target)]
    done = subprocess.run(call, check=False, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not run.exists()
    with pytest.raises(Refused, match="--replace"):
        take(bundle)
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["key"] == "0" * 32
    assert len(take(bundle, replace=True).imported) == 1
    assert figures(target) == figures(made_results)
