"""`harness score`: from a file of somebody else's to a row, and what becomes of the row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.files import hash_file
from harness.results import PRIMARY_EVALUATION, StoredRun, load_runs
from harness.verification import Kind, verify

Call = Callable[..., Any]

ABOUT = """
name: theirs
title: Their method
authors: [Ada Author, Bob Builder]
paper: A method of theirs
venue: PAPERS
year: 2026
link: https://example.org/theirs
supervision: identity
backbone: CLIP ViT-B/16
extra_data:
  weights: [CLIP ViT-B/16 of OpenAI]
  people: [MALS]
"""


@pytest.fixture
def split(small_dolls: Path) -> Split:
    """The test split that is scored."""
    return load_split(locate(find_declaration(str(small_dolls))), "test")


@pytest.fixture
def dumped(own_results: Path, split: Split, tmp_path: Path) -> Path:
    """What code in IRRA's style saves of `glance`, seeds 0 and 1, beside the rows of its runs."""
    from safetensors.numpy import load_file

    for run in glances(own_results):
        [file] = (run.path / "embeddings").iterdir()
        held = load_file(file)
        np.savez(
            tmp_path / f"{run.record.seed}.npz", qfeats=held["texts"], gfeats=held["images"],
            qids=split.person_of_caption, gids=split.person_of_image,
        )  # fmt: skip
    return own_results


def glances(results: Path) -> list[StoredRun]:
    """Return the runs of `glance` as published."""
    return [run for run in load_runs(results) if run.record.name == "glance"]


@pytest.fixture
def score(harness: Call, small_dolls: Path, dumped: Path) -> Call:
    """Return what scores files on the dataset of `dumped`, among its results."""
    where = "--dataset", small_dolls, "--results", dumped, "--no-report"
    return lambda *words: harness("score", *words, *where)


def row_of(results: Path, name: str, seed: int = 0) -> StoredRun:
    """Return a row by its name."""
    rows = {(run.record.method, run.record.seed): run for run in load_runs(results)}
    return rows[name, seed]


def test_features_of_seeds_score_as_the_runs_that_made_them(
    score: Call, dumped: Path, tmp_path: Path
) -> None:
    """Figures, ranks, ties and scores of every query are those of the harness's own evaluation."""
    done = score("0.npz", "1.npz", "--seeds", "0,1", "--name", "theirs", "--similarity", "cosine")
    assert done.returncode == 0, done.stderr
    assert "scores only" in done.stdout
    for run in glances(dumped):
        row = row_of(dumped, "theirs", run.record.seed)
        assert row.record.metrics == run.record.metrics
        assert row.evaluations() == {
            name: run.evaluations()[name] for name in (PRIMARY_EVALUATION, "image-to-text")
        }
        assert row.queries() == run.queries()
        assert row.record.mark == "scores only"


def test_all_that_is_said_of_a_method_stands_in_its_row(
    score: Call, dumped: Path, tmp_path: Path
) -> None:
    """One YAML file says it; options stand in its place."""
    (tmp_path / "about.yaml").write_text(ABOUT, encoding="utf-8")
    done = score("0.npz", "--about", "about.yaml", "--year", 2027, "--similarity", "dot")
    assert done.returncode == 0, done.stderr
    record = row_of(dumped, "theirs").record
    assert str(record.paper) == "Author and Builder, A method of theirs, PAPERS 2027"
    assert (record.title, record.supervision) == ("Their method", "identity")
    assert record.recipe == {"backbone": "CLIP ViT-B/16"}
    assert record.extra_data is not None
    assert record.extra_data.seen_people == "with"
    assert record.protocol["order"].startswith("by plain product in float32, ties in an order")
    assert record.handed_in is not None
    assert not record.handed_in.seeded


def test_the_same_file_is_one_row(score: Call, dumped: Path, tmp_path: Path) -> None:
    """Scored again, nothing is done; another file does not take its place unasked."""
    words = "--name", "theirs", "--similarity", "cosine"
    assert score("0.npz", *words).returncode == 0
    before = row_of(dumped, "theirs")
    kept = (before.path / "run.json").read_bytes()
    shutil.copy(tmp_path / "0.npz", tmp_path / "copy.npz")
    again = score("0.npz", *words)
    assert "There already" in again.stderr
    assert (before.path / "run.json").read_bytes() == kept
    other = score("1.npz", *words)
    assert other.returncode == 2
    assert "--replace puts this one in its place" in other.stderr
    assert score("1.npz", *words, "--replace").returncode == 0
    assert row_of(dumped, "theirs").record.key != before.record.key
    renamed = score("0.npz", *words, "--replace")
    assert renamed.returncode == 0
    assert row_of(dumped, "theirs").record.key == before.record.key


def test_a_row_is_verified_as_a_run_is(
    score: Call, dumped: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """It is in order as it is; a changed array, figure or ranking is told."""
    assert score("0.npz", "--name", "theirs", "--similarity", "cosine").returncode == 0
    located = [locate(find_declaration(str(small_dolls)))]
    row = row_of(dumped, "theirs")

    def findings() -> set[tuple[Kind, str]]:
        found = verify(dumped, [], located).findings
        return {(one.kind, one.file) for one in found if one.path.split("/")[2] == "theirs"}

    assert findings() == set()
    [array] = (row.path / "embeddings").iterdir()
    name = f"embeddings/{array.name}"
    kept = array.read_bytes()
    array.write_bytes(kept[:-4] + b"\0\0\0\0")
    assert findings() == {(Kind.FILES, name)}
    array.write_bytes(kept)
    record = json.loads((row.path / "run.json").read_text())
    record["handed_in"]["order_checked"] = False
    record["metrics"]["r1"] += 1
    record["key"] = "0" * 32
    (row.path / "run.json").write_text(json.dumps(record))
    kinds = {kind for kind, file in findings() if file == "run.json"}
    assert kinds == {Kind.FILES, Kind.FIGURES, Kind.STALE}


def test_rows_without_ids_are_shown_and_not_compared(
    score: Call, harness: Call, dumped: Path, tmp_path: Path
) -> None:
    """Order not checked: --all leaves them out, and who names them is told why, and what to do."""
    with np.load(tmp_path / "0.npz") as held:
        np.save(tmp_path / "q.npy", held["qfeats"])
        np.save(tmp_path / "g.npy", held["gfeats"])
    done = score("q.npy", "g.npy", "--name", "unproved", "--similarity", "cosine")
    assert "Order not checked" in done.stderr
    assert score("0.npz", "--name", "theirs", "--similarity", "cosine").returncode == 0
    compare = "compare", "--results", dumped
    every = harness(*compare, "--all", "--json")
    assert every.returncode == 0, every.stderr
    [family] = json.loads(every.stdout)
    assert {one["name"] for one in family["ranks"]} == {
        "glance", "glance-twice", "blank", "theirs",
    }  # fmt: skip
    assert family["marks"] == {"theirs": "scores only"}
    assert family["runs"]["theirs"] == 1
    named = harness(*compare, "unproved", "glance")
    assert named.returncode == 2
    assert "order not checked" in named.stderr
    assert "--replace" in named.stderr
    listed = harness("list", "runs", "--results", dumped)
    assert "rests on" in listed.stdout
    rows = json.loads(harness("list", "runs", "--results", dumped, "--json").stdout)
    handed = {one["method"]: one["handed_in"] for one in rows if one["handed_in"]}
    assert {name: one["order_checked"] for name, one in handed.items()} == {
        "theirs": True, "unproved": False,
    }  # fmt: skip


def test_a_matrix_and_a_run_give_the_same_row(
    score: Call, harness: Call, dumped: Path, small_dolls: Path, split: Split, tmp_path: Path
) -> None:
    """A similarity with ids beside it, and the harness's own TREC export, rank alike."""
    with np.load(tmp_path / "0.npz") as held:
        units = [one / np.linalg.norm(one, axis=1, keepdims=True)
                 for one in (held["qfeats"], held["gfeats"])]  # fmt: skip
    order = np.random.default_rng(0).permutation(len(split.captions))
    np.savez(tmp_path / "matrix.npz", similarity=(units[0] @ units[1].T)[order],
             query_ids=order, image_ids=np.asarray(split.image_ids))  # fmt: skip
    exported = harness("export", "glance", "--format", "trec", "--seeds", "0",
                       "--results", dumped)  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    [run] = (tmp_path / "trec" / small_dolls.name).glob("glance*.txt")
    for name, file in (("matrix", "matrix.npz"), ("run", run)):
        done = score(file, "--name", name)
        assert done.returncode == 0, done.stderr
        row, wanted = row_of(dumped, name), glances(dumped)[0]
        ranks = [one["hit_ranks"] for one in row.queries()]
        assert ranks == [one["hit_ranks"] for one in wanted.queries()]
        assert row.record.metrics["map"] == pytest.approx(wanted.record.metrics["map"], abs=1e-6)
        assert row.record.handed_in is not None
        assert row.record.handed_in.order_checked
    cut = tmp_path / "cut.txt"
    lines = run.read_text().splitlines(keepends=True)
    cut.write_text("".join(line for line in lines if int(line.split()[3]) <= 10))
    done = score(cut, "--name", "cut")
    assert done.returncode == 1
    assert " to " in done.stdout
    assert "No row was made" in done.stderr
    assert all(run.record.method != "cut" for run in load_runs(dumped))


def test_val_is_shown_and_not_ranked(
    score: Call, dumped: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Features of val are scored, and no row is made; as test they are refused as what they are."""
    val = load_split(locate(find_declaration(str(small_dolls))), "val")
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "val.npz", texts=draw.normal(size=(len(val.captions), 4)),
             images=draw.normal(size=(len(val.image_ids), 4)))  # fmt: skip
    words = "val.npz", "--name", "theirs", "--similarity", "cosine"
    done = score(*words, "--split", "val")
    assert done.returncode == 0, done.stderr
    assert "R1" in done.stdout
    wrong = score(*words)
    assert wrong.returncode == 2
    assert "as val has" in wrong.stderr
    assert all(run.record.method != "theirs" for run in load_runs(dumped))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("0.npz", "--name", "irra"), "is a method that is here"),
        (("0.npz", "--name", "glance"), "was trained here"),
        (("0.npz", "--name", "theirs"), "say --similarity cosine"),
        (("0.npz",), "--name NAME"),
        (("0.npz", "--name", "a:b"), "take letters, digits"),
        (("0.npz", "--name", "theirs", "--extra-data", "dogs=MALS"), "write KIND=WHAT"),
        (("0.npz", "--name", "theirs", "--link", "javascript:x"), "no address of a page"),
        (("no.npz", "--name", "theirs"), "There is no file no.npz"),
        (("0.npz", "1.npz", "0.npz", "--name", "theirs"), "3 files and no --seeds"),
    ],
)
def test_what_cannot_be_a_row_is_refused(
    score: Call, dumped: Path, words: tuple[str, ...], said: str
) -> None:
    """The message says what was wrong and what to do, and nothing is written."""
    similarity = () if "say" in said else ("--similarity", "cosine")
    done = score(*words, *similarity)
    assert done.returncode == 2
    assert said in done.stderr
    assert not any(run.record.handed_in for run in load_runs(dumped))


def test_rows_travel_and_are_dropped_as_runs_are(
    score: Call, harness: Call, dumped: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Exported, imported elsewhere with a trained run, verified and ranked there; then dropped."""
    for name in ("theirs", "others"):
        words = "--name", name, "--similarity", "cosine"
        assert score("0.npz" if name == "theirs" else "1.npz", *words).returncode == 0
    bundle = harness("export", "theirs", "others", "glance", "--results", dumped, "--by", "A lab")
    assert bundle.returncode == 0, bundle.stderr
    where = "--results", "elsewhere"
    taken = harness("import-results", "submission.zip", *where, "--dataset", small_dolls)
    assert taken.returncode == 0, taken.stderr
    assert "4 runs imported" in taken.stdout
    for name in ("theirs", "others"):
        there, here = row_of(tmp_path / "elsewhere", name), row_of(dumped, name)
        assert there.queries() == here.queries()
        assert there.record.handed_in == here.record.handed_in
    assert harness("verify", "elsewhere", "--dataset", small_dolls).returncode == 0
    compared = harness("compare", "theirs", "others", "glance", *where)
    assert compared.returncode == 0, compared.stderr
    assert "scores only" in " ".join(compared.stdout.split())
    assert harness("report", *where).returncode == 0
    assert "theirs (scores only)" in (tmp_path / "site/index.html").read_text("utf-8")
    queries = row_of(tmp_path / "elsewhere", "theirs").path / "evaluations/text-to-image"
    (queries / "queries.parquet").write_bytes((queries / "queries.parquet").read_bytes()[:-9])
    assert harness("verify", "elsewhere", "--dataset", small_dolls).returncode == 1
    assert harness("drop", "theirs", "--yes", *where).returncode == 0
    assert {run.record.method for run in load_runs(tmp_path / "elsewhere")} == {"others", "glance"}


def test_what_needs_weights_or_features_says_that_there_are_none(
    score: Call, harness: Call, dumped: Path, tmp_path: Path
) -> None:
    """No advice to train again what was never trained here."""
    assert score("0.npz", "--name", "theirs", "--similarity", "dot").returncode == 0
    where = "--results", dumped
    asked = {
        "there are no weights of it here": ("search", "a man", "--run", "theirs", *where),
        "a card is for weights trained here": ("export", "theirs", "--format", "model-card",
                                               *where),
        "What was handed in holds them": ("export", "theirs", "--format", "trec", *where),
        "only features that cosine compares": ("export-embeddings", "theirs", *where),
    }  # fmt: skip
    for said, words in asked.items():
        done = harness(*words)
        assert done.returncode in (1, 2), words
        assert said in done.stderr
        assert "Train" not in done.stderr


def test_a_bundle_cannot_pass_for_a_method_that_is_trained(
    score: Call, harness: Call, dumped: Path, glance: Path, tmp_path: Path
) -> None:
    """Rows of scores only, called like a method that is here or was trained here, are refused."""
    assert score("0.npz", "--name", "theirs", "--similarity", "cosine").returncode == 0
    row = row_of(dumped, "theirs")
    record = json.loads((row.path / "run.json").read_text())
    for name, said in (("irra", "has the name of a method that is here"),
                       ("glance", "what has its name here is trained")):  # fmt: skip
        other = tmp_path / f"as-{name}"
        place = other / Path(*row.path.relative_to(dumped).parts[:2]) / name / "full/seed-7"
        shutil.copytree(row.path, place)
        for digest in row.path.parents[2].glob("dataset-*"):
            shutil.copytree(digest, place.parents[2] / digest.name)
        (place / "run.json").write_text(json.dumps({**record, "method": name, "seed": 7}))
        sums = json.loads((place / "checksums.json").read_text())
        sums["sha256"] |= {"run.json": hash_file(place / "run.json")}
        (place / "checksums.json").write_text(json.dumps(sums))
        made = harness("export", name, "--results", other, "--out", f"{name}.zip")
        assert made.returncode == 0, made.stderr
        taken = harness("import-results", f"{name}.zip", "--results", dumped)
        assert taken.returncode == 1
        assert said in taken.stderr
