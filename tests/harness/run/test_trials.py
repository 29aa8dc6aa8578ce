"""Trials as runs: what they go on from, and what they open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.tune import plan_points
from harness.plan.spec import Trial
from harness.run.folder import prepare_folder
from harness.run.open_run import open_run
from harness.run.options import Options


@pytest.fixture
def trial(toy: Path, small_dolls: Path) -> Trial:
    """A trial of the toy."""
    (point,) = plan_points("toy", ["width=4"], "demo", [str(small_dolls)], "0", [toy])
    return point.trials[0]


def test_a_trial_opens_train_and_val_alone(trial: Trial, tmp_path: Path) -> None:
    """Neither rows nor pixels of test, and no digest of the dataset is written for pages."""
    folder = tmp_path / "results"
    opened = open_run(trial, Options(folder), folder, folder, lambda update: None)
    assert sorted(opened.data.splits) == ["train", "val"]
    assert sorted(opened.data.pixels) == ["train", "val"]
    assert not folder.exists()


def test_figures_of_other_code_on_val_are_not_gone_on_from(trial: Trial, tmp_path: Path) -> None:
    """A checkpoint holds those of its epochs: it stays for the same key alone."""
    options = Options(tmp_path)
    checkpoint = prepare_folder(trial, options) / "weights" / "last.pt"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    prepare_folder(trial, options)
    assert checkpoint.is_file()
    prepare_folder(replace(trial, key="of what judges otherwise"), options)
    assert not checkpoint.exists()
