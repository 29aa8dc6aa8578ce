"""`harness export-embeddings`: files of embeddings with what every row is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from safetensors import safe_open

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.schema import Split
from harness.results import StoredRun, load_runs

from ...command_line import CommandLine
from ...conftest import TOY
from ...made_once import Make, write_text

Call = Callable[..., Any]


@pytest.fixture
def suite(small_dolls: Path, tmp_path: Path) -> Path:
    """A suite of a dataset whose captions may be handed on."""
    return write_suite(tmp_path, small_dolls)


def write_suite(folder: Path, small_dolls: Path) -> Path:
    """Write it."""
    file = folder / "own.yaml"
    dataset = {"name": "dolls", "folder": str(small_dolls), "thumbnails": True}
    file.write_text(json.dumps({"scale": "tiny", "seeds": [0], "datasets": [dataset]}))
    return file


@pytest.fixture
def trained(
    once: Make, harness_in: Callable[[Path], CommandLine], small_dolls: Path, tmp_path: Path
) -> StoredRun:
    """A run of the toy on it."""

    def fill(folder: Path) -> None:
        write_text(folder / "toy.py", TOY)
        call = "run", "toy", "--plugins", "toy.py", "--suite", write_suite(folder, small_dolls)
        done = harness_in(folder)(*call, "--no-report")
        assert done.returncode == 0, done.stderr

    shutil.copytree(once("embedded", fill) / "results", tmp_path / "results")
    (run,) = load_runs(tmp_path / "results")
    return run


@pytest.fixture
def split(small_dolls: Path) -> Split:
    """The test split as the dataset holds it."""
    return load_split(locate(find_declaration(str(small_dolls))), "test")


def read_safetensors(file: Path) -> dict[str, Any]:
    """Return numbers and texts by name."""
    with safe_open(file, framework="np") as stored:
        found: dict[str, Any] = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # no dict
        return found | {n: json.loads(text) for n, text in stored.metadata().items()}


def read_npz(file: Path) -> dict[str, Any]:
    """Return numbers and texts by name."""
    with np.load(file, allow_pickle=False) as stored:
        found = {name: stored[name] for name in stored}
    texts = {name: found[name].tolist() for name in ("image_ids", "captions")}
    return found | texts | {"about": json.loads(str(found["about"]))}


def read_parquet(file: Path) -> dict[str, Any]:
    """Return numbers and texts by the names that the other formats have."""
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    images = [row for row in rows if row["kind"] == "image"]
    texts = [row for row in rows if row["kind"] == "text"]
    assert [row["image_row"] for row in images] == list(range(len(images)))
    return {
        "images": np.array([row["embedding"] for row in images], np.float32),
        "texts": np.array([row["embedding"] for row in texts], np.float32),
        "image_ids": [row["id"] for row in images],
        "query_ids": np.array([int(row["id"]) for row in texts]),
        "image_person_ids": np.array([row["person_id"] for row in images]),
        "text_person_ids": np.array([row["person_id"] for row in texts]),
        "image_of_text": np.array([row["image_row"] for row in texts]),
        "captions": [row["caption"] for row in texts],
        "about": json.loads(table.schema.metadata[b"about"]),
    }


READERS = {"safetensors": read_safetensors, "npz": read_npz, "parquet": read_parquet}


def test_every_format_holds_the_same(
    harness: Call, trained: StoredRun, split: Split, tmp_path: Path
) -> None:
    """Rows stand in the dataset's order, and repeat the run's own ranking."""
    read = {}
    for name, reader in READERS.items():
        done = harness("export-embeddings", "toy", "--suite", "own", "--format", name)
        assert done.returncode == 0, done.stderr
        file = tmp_path / done.stdout.strip()
        assert file == tmp_path / f"embeddings/own/dolls/toy/full/seed-0.{name}"
        read[name] = reader(file)
    first = read["safetensors"]
    for found in read.values():
        assert found.keys() == first.keys()
        for name, rows in first.items():
            assert np.array_equal(found[name], rows), name
            assert np.asarray(found[name]).dtype == np.asarray(rows).dtype, name
    assert tuple(first["image_ids"]) == split.image_ids
    assert tuple(first["captions"]) == split.captions
    assert np.array_equal(first["image_person_ids"], split.person_of_image)
    assert np.array_equal(first["text_person_ids"], split.person_of_caption)
    assert np.array_equal(first["image_of_text"], split.image_of_caption)
    assert first["about"]["method"] == "toy"
    assert first["about"]["key"] == trained.record.key
    assert first["images"].dtype == first["texts"].dtype == np.float32
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True)
             for rows in (first["texts"], first["images"])]  # fmt: skip
    cosines = units[0] @ units[1].T
    for query in trained.queries():
        best = cosines[query["query_id"]].max()
        assert cosines[query["query_id"], query["top_rows"][0]] == pytest.approx(best, abs=1e-6)


def test_captions_are_handed_on_only_where_they_may_be(
    harness: Call, toy: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Of a dataset that does not say so, the files hold numbers and ids alone."""
    call = "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0", "--no-report"
    assert harness(*call).returncode == 0
    assert harness("export-embeddings", "--all", "--out", "out").returncode == 0
    (file,) = (tmp_path / "out").rglob("*.*")
    assert "captions" not in read_safetensors(file)
    assert harness("export-embeddings", "toy", "--format", "parquet").returncode == 0
    (file,) = (tmp_path / "embeddings").rglob("*.parquet")
    assert set(read_parquet(file)["captions"]) == {None}


def test_what_was_not_kept_is_told(harness: Call, toy: Path, suite: Path, tmp_path: Path) -> None:
    """Without embeddings nothing is written, and the message says what trains them."""
    call = "run", "toy", "--plugins", toy, "--suite", suite, "--no-report", "--keep", "none"
    assert harness(*call).returncode == 0
    done = harness("export-embeddings", "toy", "--suite", "own")
    assert done.returncode == 1
    told = " ".join(done.stderr.split())
    assert "toy seed 0 keeps no embeddings (--keep none)" in told
    assert "--force --keep selected" in told
    assert not (tmp_path / "embeddings").exists()


def test_mistakes_are_one_message(harness: Call, trained: StoredRun) -> None:
    """A name that has no run is told with those that have, and nothing at all with what to say."""
    unknown = harness("export-embeddings", "toi", "--suite", "own")
    assert unknown.returncode == 2
    assert "'toy'" in unknown.stderr
    assert "--all" in harness("export-embeddings").stderr
    for done in (unknown, harness("export-embeddings", "toy", "--suite", "nowhere")):
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
