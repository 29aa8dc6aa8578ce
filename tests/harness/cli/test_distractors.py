"""`harness evaluate --distractors`: trained runs among a crowd, through the command line."""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness import results
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.paperdolls.looks import PAPERDOLLS
from harness.data.paperdolls.strangers import draw_stranger, people_of_test
from harness.errors import HarnessError
from harness.indexes import KINDS
from harness.results.crowd import CROWD, CURVE, FIGURES, read_crowd
from harness.results.crowd_index import (
    COSTS,
    INDEX,
    JUDGED,
    read_index_table,
    refused_points,
    write_index_table,
)
from harness.results.selection import select_runs
from harness.submission.bundle import make_bundle, write_bundle
from harness.submission.intake import import_bundle
from harness.submission.judging import Here

from ...made_once import Make

Call = Callable[..., Any]
STRANGERS = 130


@pytest.fixture(scope="module")
def photographs(small_dolls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 130 images, beside one of the test split, a copy of one, and a broken file."""
    folder = tmp_path_factory.mktemp("data") / "photographs"
    (folder / "deeper").mkdir(parents=True)
    known = people_of_test(PAPERDOLLS)
    for number in range(STRANGERS):
        place = folder / "deeper" if number % 2 else folder
        draw_stranger(number, PAPERDOLLS, known).save(place / f"{number}.png")
    test = load_split(locate(find_declaration(str(small_dolls))), "test")
    (folder / "same.png").write_bytes(test.encoded(0))
    Image.open(io.BytesIO(test.encoded(1))).save(folder / "near.jpg", quality=60)
    (folder / "broken.png").write_text("<script>")
    return folder


@pytest.fixture(scope="module")
def trained(
    glance: Path, small_dolls: Path, photographs: Path, once: Make, harness_in: Call
) -> Path:
    """Runs of a method that looks once and of one that looks twice, evaluated in the crowd."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        where = "--dataset", small_dolls, "--seeds", "0", "--plugins", glance, "--no-report"
        names = "glance", "glance-twice"
        done = harness_in(folder)("run", *names, *where, "--jobs", "1")
        assert done.returncode == 0, done.stderr
        done = harness_in(folder)(
            "evaluate", *names, *where, "--distractors", photographs, "--jobs", "1"
        )
        assert done.returncode == 0, done.stderr
        (folder / "stdout").write_text(done.stdout, encoding="utf-8")
        (folder / "stderr").write_text(done.stderr, encoding="utf-8")

    return once("among-photographs", fill)


def runs(folder: Path) -> dict[str, results.StoredRun]:
    """Return the runs of a results folder by method."""
    return {run.record.method: run for run in results.load_runs(folder / "results")}


def test_a_gallery_grows_with_the_images_of_a_folder(trained: Path) -> None:
    """Figures at every size, told and kept; the run and its ranked figures stay as they were."""
    run = runs(trained)["glance"]
    [(name, record)] = run.further_evaluations().items()
    assert name == "among-photographs"
    assert record.error is None
    assert record.crowd["count"] == STRANGERS
    assert record.crowd["left_out"] == {
        "broken": 1, "files of the test split": 1, "near copies of test images": 1,
    }  # fmt: skip
    assert "--distractors" in record.command
    place = run.path / "evaluations" / name
    table = read_crowd(place / CROWD)
    assert table.sizes == (0, 100, STRANGERS)
    own = [rank for query in run.queries() for rank in query["hit_ranks"]]
    assert table.hit_ranks[0].tolist() == own
    stored = json.loads((place / CURVE).read_text(encoding="utf-8"))
    assert stored["gallery"] == 32
    assert stored["curve"] == table.curve(32)
    alone, *more = stored["curve"]
    for metric in ("r1", "r5", "r10", "map", "tied"):
        assert alone[metric] == pytest.approx(run.record.metrics[metric], abs=1e-9)
    assert all(point["map"] <= alone["map"] for point in more)
    assert {*FIGURES} <= alone.keys()
    assert name not in run.evaluations()  # no page takes it for figures of a gallery
    told = " ".join((trained / "stderr").read_text(encoding="utf-8").split())
    assert f"{STRANGERS} images; left out: 1 broken, 1 files of the test split, 1 near" in told
    shown = (trained / "stdout").read_text(encoding="utf-8")
    assert "DIR at FAR 1 %" in shown
    assert f"{32 + STRANGERS}" in shown


def test_a_second_look_is_left_aside_and_told(trained: Path) -> None:
    """Its cosines rank; a method without one says nothing of it."""
    found = {
        method: next(iter(run.further_evaluations().values())).crowd["second_look_left_aside"]
        for method, run in runs(trained).items()
    }
    assert found == {"glance": False, "glance-twice": True}
    told = " ".join((trained / "stderr").read_text(encoding="utf-8").split())
    assert "the second look of glance-twice" in told


def test_what_is_there_is_not_made_again(
    trained: Path, glance: Path, small_dolls: Path, photographs: Path, tmp_path: Path,
    harness_in: Call,
) -> None:  # fmt: skip
    """Nor where files were renamed: content decides."""
    folder = Path(shutil.copytree(trained, tmp_path / "again"))
    moved = Path(shutil.copytree(photographs, tmp_path / "photographs"))
    (moved / "0.png").rename(moved / "zero.png")
    call = (
        "evaluate", "glance", "--dataset", small_dolls, "--seeds", "0", "--plugins", glance,
        "--no-report", "--distractors",
    )  # fmt: skip
    for one in (photographs, moved):
        done = harness_in(folder)(*call, one)
        assert done.returncode == 0, done.stderr
        assert "1 complete" in done.stderr


@pytest.fixture
def verify(
    trained: Path, glance: Path, small_dolls: Path, tmp_path: Path, harness_in: Call
) -> tuple[Path, Call]:
    """The evaluation's folder in a copy, and what verifies it."""
    folder = Path(shutil.copytree(trained, tmp_path / "copy"))
    place = runs(folder)["glance"].path / "evaluations" / "among-photographs"
    return place, lambda: harness_in(folder)("verify", "--plugins", glance)


def test_figures_among_a_crowd_are_verified(verify: tuple[Path, Call]) -> None:
    """As they were written nothing is wrong; a figure or a rank that was changed is found."""
    place, check = verify
    done = check()
    assert done.returncode == 0, done.stdout + done.stderr
    text = (place / CURVE).read_text(encoding="utf-8")
    curve = json.loads(text)
    curve["curve"][2]["dir10"] += 0.5
    (place / CURVE).write_text(json.dumps(curve), encoding="utf-8")
    done = check()
    assert done.returncode == 1
    told = " ".join((done.stdout + done.stderr).split())
    assert f"dir10 at {STRANGERS} distractors is" in told
    (place / CURVE).write_text(text, encoding="utf-8")
    (place / CROWD).write_bytes((place / CROWD).read_bytes()[:200])
    assert "no whole Parquet file" in " ".join(check().stdout.split())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--distractors", "500"), "is not drawn by the project"),
        (("--distractors", "streetdols"), "streetdolls"),
        (("--distractors", "500", "--on", "streetdolls"), "give one"),
        ((), "--distractors and how many"),
        (("--on", "streetdolls", "--index", "hnsw"), "say --distractors"),
        (("--distractors", "500", "--index", "hnws"), "Did you mean 'hnsw'?"),
    ],
)
def test_what_makes_no_sense_is_refused(
    asked: tuple[str, ...], told: str, trained: Path, glance: Path, small_dolls: Path,
    harness_in: Call,
) -> None:  # fmt: skip
    """Before anything is encoded, with what could be said instead."""
    done = harness_in(trained)(
        "evaluate", "glance", "--dataset", small_dolls, "--seeds", "0", "--plugins", glance, *asked
    )
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())


def test_a_dataset_is_a_crowd_without_the_people_of_test(
    trained: Path, glance: Path, small_dolls: Path, tmp_path: Path, harness_in: Call
) -> None:
    """The training images of the run's own dataset; of its test split nobody stands twice."""
    folder = Path(shutil.copytree(trained, tmp_path / "own"))
    done = harness_in(folder)(
        "evaluate", "glance", "--dataset", small_dolls, "--seeds", "0", "--plugins", glance,
        "--no-report", "--distractors", small_dolls,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = runs(folder)["glance"].further_evaluations()[f"among-{small_dolls.name}"]
    assert record.error is None
    assert record.crowd["count"] == 12 * 4
    assert record.crowd["left_out"] == {"people of the test split": 32}


def test_a_bundle_carries_figures_among_a_crowd(
    trained: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """They arrive as they were, without a path of this machine; a figure that was changed, not."""
    runs_there = select_runs(trained / "results", "demo")
    bundle = make_bundle(trained / "results", runs_there, (), by="A lab, a@example.org")
    file = tmp_path / "submission.zip"
    write_bundle(bundle.files, file)
    datasets = [locate(find_declaration(str(small_dolls)))]
    import_bundle(file, Here(tmp_path / "there/results", [], datasets), False)
    sent, there = runs(trained)["glance"], runs(tmp_path / "there")["glance"]
    name = "among-photographs"
    for part in (CROWD, CURVE):
        place = f"evaluations/{name}/{part}"
        assert (there.path / place).read_bytes() == (sent.path / place).read_bytes()
    [record] = there.further_evaluations().values()
    assert record.crowd == sent.further_evaluations()[name].crowd
    assert str(tmp_path.parent) not in record.command
    place = next(path for path in bundle.files if path.endswith(f"{name}/{CURVE}"))
    curve = json.loads((sent.path / "evaluations" / name / CURVE).read_text(encoding="utf-8"))
    curve["curve"][0]["r1"] = 99.0
    changed = {**bundle.files, place: json.dumps(curve).encode()}
    write_bundle(changed, tmp_path / "changed.zip")
    with pytest.raises(HarnessError):
        import_bundle(tmp_path / "changed.zip", Here(tmp_path / "other", [], datasets), False)


@pytest.fixture(scope="module")
def indexed(
    trained: Path, glance: Path, small_dolls: Path, photographs: Path, once: Make, harness_in: Call
) -> Path:
    """The run that looks once, in a copy, asked again through every index."""

    def fill(folder: Path) -> None:
        shutil.copytree(trained, folder)
        done = harness_in(folder)(
            "evaluate", "glance", "--dataset", small_dolls, "--seeds", "0", "--plugins", glance,
            "--no-report", "--jobs", "1", "--distractors", photographs, "--index", "all",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder / "stdout").write_text(done.stdout, encoding="utf-8")

    return once("through-indexes", fill)


def test_indexes_are_held_against_the_exact_scan(trained: Path, indexed: Path) -> None:
    """Beside it, which stays to the byte; flat finds all that it finds, and all is told."""
    run, before = runs(indexed)["glance"], runs(trained)["glance"]
    exact = "evaluations/among-photographs"
    for file in (before.path / exact).iterdir():
        assert (run.path / exact / file.name).read_bytes() == file.read_bytes()
    scanned = read_crowd(run.path / exact / CROWD)
    for kind in KINDS:
        name = f"index-{kind}-among-photographs"
        record = run.further_evaluations()[name]
        assert record.error is None
        assert record.command.endswith(f"--index {kind}")
        assert record.crowd["library"].startswith("faiss 1")
        table = read_index_table(run.path / "evaluations" / name / INDEX)
        assert table.sizes == (STRANGERS,)
        assert np.array_equal(table.exact_right[0], scanned.by_query(2)["r1"] > 0)
        stored = json.loads((run.path / "evaluations" / name / JUDGED).read_text("utf-8"))
        [point] = stored["points"]
        assert refused_points(stored, table) is None
        assert point["settings"] == KINDS[kind].settings(32 + STRANGERS)
        assert min(point[cost] for cost in COSTS) > 0
        assert point["recall10"] >= (100 if kind == "flat" else 80)
        assert name not in run.evaluations()
    flat = read_index_table(run.path / "evaluations/index-flat-among-photographs" / INDEX)
    assert flat.nearest.all()
    assert np.array_equal(flat.right, flat.exact_right)
    shown = (indexed / "stdout").read_text(encoding="utf-8")
    assert "through an index" in shown
    assert "HNSW" in shown


def test_figures_of_an_index_are_verified(
    indexed: Path, glance: Path, tmp_path: Path, harness_in: Call
) -> None:
    """A query that is said to have found something else is seen, and so is a file that is none."""
    folder = Path(shutil.copytree(indexed, tmp_path / "copy"))
    place = runs(folder)["glance"].path / "evaluations/index-hnsw-among-photographs"
    table = read_index_table(place / INDEX)
    write_index_table(place / INDEX, replace(table, exact_right=~table.exact_right))
    (place.parent / "index-ivf-among-photographs" / INDEX).write_text("<script>")
    done = harness_in(folder)("verify", "--plugins", glance)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert "no whole Parquet file" in told
    assert f"r1_exact at {STRANGERS} distractors is" in told
    assert "other first images than the exact scan" in told
    assert "index-flat" not in told


def test_a_bundle_carries_what_indexes_found(
    indexed: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Nothing is wrong with it; every figure is computed again where it arrives."""
    bundle = make_bundle(
        indexed / "results", select_runs(indexed / "results", "demo"), (), by="A lab, a@example.org"
    )
    write_bundle(bundle.files, tmp_path / "submission.zip")
    datasets = [locate(find_declaration(str(small_dolls)))]
    import_bundle(tmp_path / "submission.zip", Here(tmp_path / "results", [], datasets), False)
    there = runs(tmp_path)["glance"]
    for kind in KINDS:
        place = f"evaluations/index-{kind}-among-photographs/{INDEX}"
        sent = runs(indexed)["glance"].path / place
        assert (there.path / place).read_bytes() == sent.read_bytes()
