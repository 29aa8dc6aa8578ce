"""Bundles of small results, and what they are imported into."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data.catalogue import find_declaration, locate
from harness.files import hash_file
from harness.results import load_runs
from harness.results.checksums import CHECKSUMS, hash_folder
from harness.results.selection import select_runs
from harness.submission.bundle import make_bundle, write_bundle
from harness.submission.intake import Taken, import_bundle
from harness.submission.judging import Here

BY = "A lab, someone@example.org"

Change = Callable[[Path], object]


@pytest.fixture(scope="session")
def bundle(made_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of all methods as published; not to be changed."""
    out = tmp_path_factory.mktemp("bundle") / "submission.zip"
    runs = select_runs(made_results, "demo")
    write_bundle(make_bundle(made_results, runs, (), by=BY).files, out)
    return out


@pytest.fixture
def unpacked(bundle: Path, tmp_path: Path) -> Path:
    """The same as a folder that a test may change."""
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where results are to be: nothing is there yet."""
    return tmp_path / "there" / "results"


@pytest.fixture
def take(target: Path, small_dolls: Path) -> Callable[..., Taken]:
    """Import a bundle, where the dataset is here or not."""

    def call(source: Path, replace: bool = False, knows_data: bool = False) -> Taken:
        datasets = [locate(find_declaration(str(small_dolls)))] if knows_data else []
        return import_bundle(source, Here(target, [], datasets), replace)

    return call


@pytest.fixture
def reseal() -> Callable[[Path], None]:
    """Write checksums and manifest of an unpacked bundle anew, as a forger does."""

    def call(folder: Path) -> None:
        manifest = json.loads((folder / "submission.json").read_text(encoding="utf-8"))
        for run in manifest["runs"]:
            place = folder / run["path"]
            (place / CHECKSUMS).write_text(json.dumps(hash_folder(place)), encoding="utf-8")
            run["sha256"] = hash_file(place / CHECKSUMS)
        (folder / "submission.json").write_text(json.dumps(manifest), encoding="utf-8")

    return call


@pytest.fixture
def figures() -> Callable[[Path], dict[str, dict[str, float]]]:
    """Return a function that reads the figures of all runs below a folder, by their paths."""

    def read(results: Path) -> dict[str, dict[str, float]]:
        return {
            str(run.path.relative_to(results)): dict(run.record.metrics)
            for run in load_runs(results)
        }

    return read
