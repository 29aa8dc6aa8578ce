"""Runs that version 1 of the protocol scored: verified by its rule, beside newer ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.results import load_runs
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.results.comparison import compare_methods
from harness.submission.bundle import make_bundle, write_bundle
from harness.submission.intake import import_bundle
from harness.submission.judging import Here
from harness.tie_order import recorded_order
from harness.trained.split import order_of_images, read_test_split
from harness.verification import Finding, Kind, verify

from ...older_protocol import make_older

Call = Callable[..., Any]


@pytest.fixture
def mixed(made_results: Path, tmp_path: Path) -> Path:
    """Real results of which one run, of a method that gives all images one embedding, is older."""
    results = Path(shutil.copytree(made_results, tmp_path / "mixed"))
    make_older(blank_of(results))
    return results


def blank_of(results: Path) -> Path:
    """Return the first run of the method whose ranking is of ties alone."""
    return next(results.glob("demo/*/blank/full/seed-0"))


def found(results: Path, kind: Kind) -> list[Finding]:
    """Return what verifying finds of a kind."""
    return [one for one in verify(results, [], []).findings if one.kind is kind]


def test_an_older_run_is_verified_by_its_own_rule(mixed: Path) -> None:
    """Its ties are in the dataset's order, and are in order; that it stands apart is told."""
    assert verify(mixed, [], []).problems == []
    [apart] = found(mixed, Kind.APART)
    assert apart.path == blank_of(mixed).relative_to(mixed).as_posix()
    assert "it is not known how many of its queries hang on a tie" in apart.message


@pytest.mark.parametrize("older", [False, True])
def test_the_rule_of_another_version_does_not_fit(
    made_results: Path, mixed: Path, older: bool
) -> None:
    """What says that another version scored it is found out: by its ties, or by what it lacks."""
    results = mixed if older else Path(shutil.copytree(made_results, mixed.with_name("new")))
    run = blank_of(results)
    file = run / "run.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values["protocol"]["version"] = 2 if older else 1
    file.write_text(json.dumps(values), encoding="utf-8")
    (run / CHECKSUMS).write_text(json.dumps(hash_folder(run)), encoding="utf-8")
    told = " ".join(one.message for one in verify(results, [], []).problems)
    assert ("no column tied" if older else "not in the order of the ranking") in told


def test_a_run_on_which_nothing_hangs_may_stand_beside_newer_ones(mixed: Path) -> None:
    """Were it known that no query hangs on a tie, both rules would rank alike."""
    run = blank_of(mixed)
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    values["metrics"]["tied"] = 0.0
    (run / "run.json").write_text(json.dumps(values), encoding="utf-8")
    assert not found(mixed, Kind.APART)


def test_an_older_bundle_is_taken_in(mixed: Path, tmp_path: Path, made_results: Path) -> None:
    """It is verified by its rule, and stands apart from the newer runs beside it."""
    runs = [run for run in load_runs(mixed) if run.path == blank_of(mixed)]
    bundle = tmp_path / "bundle.zip"
    write_bundle(make_bundle(mixed, runs, ()).files, bundle)
    here = Path(shutil.copytree(made_results, tmp_path / "here"))
    shutil.rmtree(next(here.glob("demo/*/blank")))
    taken = import_bundle(bundle, Here(here, [], []), replace=False)
    assert len(taken.imported) == 1
    assert verify(here, [], []).problems == []
    assert len(found(here, Kind.APART)) == 1


def test_older_and_newer_runs_are_not_compared(mixed: Path) -> None:
    """The message names the method and says why."""
    with pytest.raises(HarnessError, match="blank was scored under version 1 of the protocol"):
        compare_methods(mixed, "demo", ["blank", "glance-twice"], "r1", seeds=[0])


def test_a_run_is_ranked_again_as_it_was(mixed: Path, made_results: Path) -> None:
    """Rankings that are exported and searched break ties by the version of the run's protocol."""
    orders = []
    for results in (mixed, made_results):
        [run] = [one for one in load_runs(results) if one.path == blank_of(results)]
        split = read_test_split(run, lambda what, done, total: None).split
        order = order_of_images(run.record, split)
        assert [query["top_rows"] for query in run.queries()] == [order[:10].tolist()] * len(
            split.captions
        )
        orders.append(order)
    assert orders[0].tolist() == list(range(len(orders[0])))
    fingerprint = run.record.data["fingerprint"]
    drawn = recorded_order({"version": 2}, fingerprint, "images", len(orders[1]))
    np.testing.assert_array_equal(orders[1], drawn)


def test_an_older_ranking_is_exported_as_it_was(
    mixed: Path, harness: Call, glance: Path, tmp_path: Path
) -> None:
    """The TREC file of a run whose ranking is of ties alone is in the dataset's order."""
    call = "export", "blank", "--seeds", "0", "--format", "trec", "--results", mixed
    done = harness(*call, "--plugins", glance, "--out", tmp_path / "trec")
    assert done.returncode == 0, done.stderr
    assert "rank a right image elsewhere" not in done.stderr


def planned(results: Path) -> list[Any]:
    """Return what a plan tells of the runs that are stored."""
    records = [run.record for run in load_runs(results)]
    return [
        SimpleNamespace(
            suite=one.suite,
            dataset=one.dataset,
            method=one.method,
            variant=one.variant,
            located=SimpleNamespace(fingerprint=one.data["fingerprint"]),
        )
        for one in records
    ]


def test_the_terminal_does_not_rank_them_together(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The older run stands below the others without a rank, and what hangs on ties is told."""
    from harness.cli.display.running import show_ranking

    show_ranking(mixed, planned(mixed))
    shown, told = capsys.readouterr()
    rows = [line.split() for line in shown.splitlines()]
    ranks = {row[1]: row[0] for row in rows if len(row) > 5}
    assert ranks["blank"] == "-"
    assert {ranks["glance"], ranks["glance-twice"]} == {"1", "2"}
    assert "Not ranked: blank was scored under version 1 of the protocol" in told


def test_the_terminal_tells_what_hangs_on_ties(
    made_results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a method that gives all images one embedding, all of it."""
    from harness.cli.display.running import show_ranking

    show_ranking(made_results, planned(made_results))
    assert "100 % of the queries of blank" in capsys.readouterr().err
