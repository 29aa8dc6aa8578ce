"""Further evaluations of trained runs, through real runs and the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from harness import results
from harness.results.locks import run_lock

Call = Callable[..., Any]


def stored(folder: Path) -> results.StoredRun:
    """Return the only run of a results folder."""
    (run,) = results.load_runs(folder)
    return run


@pytest.fixture
def rerun(harness: Call, small_dolls: Path, toy: Path, tmp_path: Path) -> Call:
    """Run the toy with further options, always into the same results."""

    def call(*options: Any) -> Any:
        return harness(
            "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0",
            "--results", tmp_path / "results", "--no-report", *options,
        )  # fmt: skip

    return call


def test_reranking_adds_to_a_trained_run(rerun: Call, tmp_path: Path) -> None:
    """The run is not trained again, its record and ranked figures stay to the byte."""
    assert rerun().returncode == 0
    run = stored(tmp_path / "results")
    names = ("run.json", "history.parquet", "evaluations/text-to-image/queries.parquet")
    before = {name: (run.path / name).read_bytes() for name in names}
    done = rerun("--rerank", "k-reciprocal:k1=4,k2=2", "--rerank", "visual-neighbours")
    assert done.returncode == 0, done.stderr
    assert {name: (run.path / name).read_bytes() for name in names} == before
    found = run.further_evaluations()
    assert {record.rerank for record in found.values()} == {
        "k-reciprocal:k1=4,k2=2",
        "visual-neighbours",
    }
    for name, record in found.items():
        assert record.error is None
        assert record.query_milliseconds > 0 < record.cosine_milliseconds
        assert f"--rerank {record.rerank}" in record.command
        assert len(run.queries(name)) == len(run.queries())
        assert set(run.evaluations()[name]) == {*results.METRICS, results.TIED}
    assert "visual-neighbours" in done.stdout
    assert not list(run.path.parent.glob("*.unfinished"))


def test_reranking_with_the_first_run_is_the_same(rerun: Call, tmp_path: Path) -> None:
    """Asked for at once or later, from stored weights, each query finds the same."""
    assert rerun("--rerank", "visual-neighbours").returncode == 0
    run = stored(tmp_path / "results")
    at_once = run.queries("visual-neighbours")
    folder = run.path / "evaluations/visual-neighbours"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    again = rerun("--rerank", "visual-neighbours")
    assert "0 complete" in again.stderr
    assert run.queries("visual-neighbours") == at_once


def test_what_is_stored_is_not_encoded_again(
    rerun: Call, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """A further evaluation takes the embeddings of the run; where they are gone, it makes them."""
    noted = tmp_path / "encoded"
    noting = f"        open({str(noted)!r}, 'a').write('x')\n        return self.images("
    toy.write_text(toy_source.replace("        return self.images(", noting), encoding="utf-8")
    assert rerun().returncode == 0
    run = stored(tmp_path / "results")
    before = noted.read_text(encoding="utf-8")
    assert rerun("--rerank", "visual-neighbours").returncode == 0
    assert noted.read_text(encoding="utf-8") == before
    (embeddings,) = (run.path / results.EMBEDDINGS).iterdir()
    cost = {"text_milliseconds": "1"}  # and nothing of images, as others may write it
    save_file(load_file(embeddings), embeddings, cost)
    assert rerun("--rerank", "visual-neighbours:weight=0.4").returncode == 0
    embeddings.write_bytes(embeddings.read_bytes()[:100])  # as a disk that lost the rest
    assert rerun("--rerank", "visual-neighbours:weight=0.5").returncode == 0
    assert len(noted.read_text(encoding="utf-8")) > len(before)
    assert {record.error for record in run.further_evaluations().values()} == {None}


def test_what_is_stored_is_not_evaluated_again(rerun: Call, tmp_path: Path) -> None:
    """The second call finds the evaluation complete and writes nothing."""
    rerun("--rerank", "visual-neighbours")
    file = stored(tmp_path / "results").path / "evaluations/visual-neighbours/evaluation.json"
    before = file.stat().st_mtime_ns
    again = rerun("--rerank", "visual-neighbours")
    assert "1 complete" in again.stderr
    assert file.stat().st_mtime_ns == before


def test_what_another_process_makes_is_no_left_over(rerun: Call, tmp_path: Path) -> None:
    """A second harness leaves it alone while its maker lives, and clears it away afterwards."""
    assert rerun().returncode == 0
    path = stored(tmp_path / "results").path
    making = path / "k-reciprocal.1.unfinished"
    making.mkdir()
    with run_lock(path, tmp_path / "results"):
        assert rerun().returncode == 0
        assert making.is_dir()
    assert rerun().returncode == 0
    assert not making.exists()


def test_an_evaluation_of_other_weights_is_stale(rerun: Call, tmp_path: Path) -> None:
    """An evaluation whose key is another's is made again."""
    rerun("--rerank", "visual-neighbours")
    file = stored(tmp_path / "results").path / "evaluations/visual-neighbours/evaluation.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps({**values, "key": "of another code"}))
    assert "0 complete" in rerun("--rerank", "visual-neighbours").stderr
    assert json.loads(file.read_text())["key"] == values["key"]


def test_without_weights_the_error_says_what_to_do(rerun: Call, tmp_path: Path) -> None:
    """Weights that were not kept cannot be scored again; the run's record stays as it was."""
    rerun("--keep", "none")
    run = stored(tmp_path / "results")
    record = (run.path / "run.json").read_bytes()
    done = rerun("--rerank", "visual-neighbours")
    assert done.returncode == 1
    assert "weights were not kept" in done.stderr
    assert "--force" in done.stderr
    assert (run.path / "run.json").read_bytes() == record
    assert "visual-neighbours" not in run.evaluations()
    assert run.further_evaluations()["visual-neighbours"].error is not None
    assert rerun("--rerank", "visual-neighbours", "--force").returncode == 0
    assert "visual-neighbours" in stored(tmp_path / "results").evaluations()


def test_an_unknown_reranking_is_refused_before_anything_runs(rerun: Call, tmp_path: Path) -> None:
    """The message says what was probably meant, and no run starts."""
    done = rerun("--rerank", "visual-neighbors")
    assert done.returncode != 0
    assert "visual-neighbours" in done.stderr
    assert not (tmp_path / "results").exists()


def test_no_neighbours_leave_the_order(rerun: Call, tmp_path: Path) -> None:
    """Without neighbours every query finds what the ranking by cosine finds."""
    rerun("--rerank", "k-reciprocal:k1=0", "--rerank", "visual-neighbours:nearest=0")
    run = stored(tmp_path / "results")
    by_cosine = [query["hit_ranks"] for query in run.queries()]
    for name in run.further_evaluations():
        for one, two in zip(run.queries(name), by_cosine, strict=True):
            assert np.array_equal(one["hit_ranks"], two)


def test_declared_evaluations_run_with_the_ablations(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """What a method says its paper prints is evaluated with its ablation rows, for the published
    method alone, under the paper's label; and declaring it repeats no run."""
    call = (
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0",
        "--results", tmp_path / "results", "--no-report",
    )  # fmt: skip
    assert harness(*call, "--ablations").returncode == 0
    started = {r.path: r.record.started for r in results.load_runs(tmp_path / "results")}
    declared = '    evaluations = {"Toy(RR)": ("visual-neighbours",)}\n    recipes = {'
    assert toy_source.count("    recipes = {") == 1
    toy.write_text(toy_source.replace("    recipes = {", declared), encoding="utf-8")
    done = harness(*call, "--ablations")
    assert done.returncode == 0, done.stderr
    runs = list(results.load_runs(tmp_path / "results"))
    assert {run.path: run.record.started for run in runs} == started
    for run in runs:
        found = run.further_evaluations()
        if run.record.variant == results.FULL:
            assert found["visual-neighbours"].reported_as == ("Toy(RR)",)
        else:
            assert not found
