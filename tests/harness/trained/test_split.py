"""The data of a stored run, found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.results import load_runs
from harness.trained.split import locate_again


@pytest.mark.parametrize("older", [False, True])
def test_a_dataset_that_was_named_by_its_path_is_found_again(
    made_results: Path, small_dolls: Path, tmp_path: Path, older: bool
) -> None:
    """Records of older code tell the path in their command alone."""
    results = tmp_path / "results"
    shutil.copytree(made_results, results)
    if older:
        for file in results.glob("*/*/*/*/*/run.json"):
            values = json.loads(file.read_text(encoding="utf-8"))
            del values["suite_argument"], values["dataset_argument"]
            file.write_text(json.dumps(values), encoding="utf-8")
    record = next(load_runs(results)).record
    assert bool(record.dataset_argument) is not older
    located = locate_again(record, lambda what, done, total: None)
    assert located.declaration.folder == str(small_dolls)
