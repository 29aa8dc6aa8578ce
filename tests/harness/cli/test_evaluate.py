"""`harness evaluate`: trained runs on the test split of another dataset."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import evaluation, metrics, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import STREETDOLLS, Sizes
from harness.data.pixels import open_pixels
from harness.method import TrainSummary

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of another look."""
    folder = tmp_path_factory.mktemp("data") / "street"
    write_paperdolls(folder, sizes=Sizes(train=4, val=3, test=6), look=STREETDOLLS)
    return folder


def test_trained_runs_are_tested_on_other_data(
    harness: Call, small_dolls: Path, street: Path, toy: Path, tmp_path: Path
) -> None:
    """What is added equals a run's own evaluation there; the run itself stays as it was."""
    where = "--plugins", toy, "--results", tmp_path / "results", "--seeds", "0", "--no-report"
    assert harness("run", "toy", "--dataset", small_dolls, *where).returncode == 0
    [run] = results.load_runs(tmp_path / "results")
    kept = {
        file: file.read_bytes() for file in (run.path / "run.json", run.path / "history.parquet")
    }
    call = "evaluate", "toy", "--dataset", small_dolls, "--on", street, *where
    done = harness(*call)
    assert done.returncode == 0, done.stderr
    assert "on-street" in done.stdout
    assert all(file.read_bytes() == content for file, content in kept.items())
    [(name, record)] = run.further_evaluations().items()
    assert record.on["name"] == "street"
    assert "harness evaluate toy" in record.command
    assert len(run.queries(name)) == 6 * 4 * 2  # people, images, captions
    assert run.evaluations()[name] == _reference(street, toy, run.path)
    again = harness(*call)
    assert "1 complete" in again.stderr


def _reference(street: Path, toy: Path, run: Path) -> dict[str, float]:
    """Score the same weights on a dataset as if it were their own."""
    listing = registry.find_method("toy", registry.list_methods([toy]))
    registration = registry.load_method("toy", listing.plugin)
    method = registration.method(registration.method.config_class(), TrainSummary(0, []))
    method.load_state_dict(torch.load(run / "weights" / "selected.pt", weights_only=True))
    split = load_split(locate(find_declaration(str(street))), "test")
    pixels = open_pixels(split, (32, 16), None)
    features = evaluation.encode_split(method, split, pixels, torch.device("cpu"))
    scores = evaluation.score_text_to_image(method, features, split)
    return {**metrics.summarize(scores), "tied": 100 * float(scores.tied.mean())}


def test_what_is_not_trained_is_not_evaluated(
    harness: Call, small_dolls: Path, street: Path, toy: Path, tmp_path: Path
) -> None:
    """The message says which run, and what trains it."""
    done = harness(
        "evaluate", "toy", "--plugins", toy, "--dataset", small_dolls, "--on", street,
        "--seeds", "3", "--results", tmp_path / "results",
    )  # fmt: skip
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "toy:full seed 3" in told
    assert "harness run toy" in told


def test_what_was_trained_on_is_no_other_data(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Nothing is left to do, and it is said why."""
    done = harness(
        "evaluate", "toy", "--plugins", toy, "--dataset", small_dolls, "--on", small_dolls,
        "--results", tmp_path / "results",
    )  # fmt: skip
    assert done.returncode == 2
    assert "is no other data to toy" in " ".join(done.stderr.split())


def test_a_dataset_has_to_be_named(harness: Call) -> None:
    """Without --on there is nothing to do, with an unknown name the known ones are told."""
    assert "--on" in harness("evaluate", "clip").stderr
    unknown = harness("evaluate", "clip", "--on", "streetdols")
    assert "streetdolls" in unknown.stderr


@pytest.fixture(scope="module")
def test_alone(street: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test split of that dataset, and nothing else."""
    folder = tmp_path_factory.mktemp("data") / "alone"
    folder.mkdir()
    shutil.copyfile(street / "test.parquet", folder / "test.parquet")
    return folder


def test_a_test_split_alone_is_enough(
    harness: Call, small_dolls: Path, test_alone: Path, toy: Path, tmp_path: Path
) -> None:
    """What is only tested needs nothing to train on."""
    where = "--plugins", toy, "--results", tmp_path / "results", "--seeds", "0", "--no-report"
    assert harness("run", "toy", "--dataset", small_dolls, *where).returncode == 0
    done = harness("evaluate", "toy", "--dataset", small_dolls, "--on", test_alone, *where)
    assert done.returncode == 0, done.stderr
    [run] = results.load_runs(tmp_path / "results")
    [name] = run.further_evaluations()
    assert run.evaluations()[name] == _reference(test_alone, toy, run.path)


def test_a_method_that_trains_is_refused_on_a_test_split_alone(
    harness: Call, test_alone: Path, toy: Path, tmp_path: Path
) -> None:
    """Before anything runs, with the splits that are missing and what works instead."""
    done = harness(
        "run", "toy", "clip", "--plugins", toy, "--dataset", test_alone,
        "--results", tmp_path / "results",
    )  # fmt: skip
    told = " ".join(done.stderr.split())
    assert done.returncode == 2
    missing = "has no train and no val split (train*.parquet, val*.parquet)"
    assert f"Dataset 'alone' {missing}: toy cannot be trained" in told
    assert f"`harness evaluate METHOD --on {test_alone}`" in told
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "kept",
    [
        ("test",),
        *(
            pytest.param(kept, marks=pytest.mark.exhaustive)
            for kept in (("val", "test"), ("train", "test"))
        ),
    ],
)
def test_a_method_that_is_not_trained_runs_on_a_test_split(
    kept: tuple[str, ...], harness: Call, small_dolls: Path, tmp_path: Path
) -> None:
    """Its figures are those on the whole dataset, and pages and search take the run."""
    folder = tmp_path / "part"
    folder.mkdir()
    for split in kept:
        shutil.copyfile(small_dolls / f"{split}.parquet", folder / f"{split}.parquet")
    where = "--results", tmp_path / "results", "--seeds", "0"
    for dataset in (small_dolls, folder):
        done = harness("run", "clip", "--dataset", dataset, *where, "--site", tmp_path / "site")
        assert done.returncode == 0, done.stderr
    part, whole = results.load_runs(tmp_path / "results")
    assert (part.record.dataset, whole.record.dataset) == ("part", "small-dolls")
    assert part.record.metrics == whole.record.metrics
    assert set(part.record.data["counts"]) == set(kept)
    assert "part" in (tmp_path / "site" / "datasets.html").read_text(encoding="utf-8")
    found = harness("search", "a man in red", "--run", part.path, "--json", "--results", where[1])
    assert found.returncode == 0, found.stderr
