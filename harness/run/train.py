"""The training of a run, or that of an earlier run taken over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import distributed, evaluation, metrics, results
from harness.files import read_table, write_table
from harness.method import Method
from harness.progress import Update
from harness.results import (
    HISTORY,
    SELECTED,
    RunRecord,
)
from harness.run.evaluate import load_weights
from harness.run.open_run import OpenRun
from harness.run.tracking import Tracking
from harness.training import TrainingResult, Watchers, train
from harness.training.checkpoints import LAST


def take_over(opened: OpenRun, before: RunRecord, path: Path) -> TrainingResult:
    """Take what another run has trained; the last weights where it kept them, else the selected."""
    if distributed.is_main():
        results.copy_trained(path, opened.work)
    distributed.wait_for_all()
    history = read_table(path / HISTORY)
    has_last = (opened.weights / LAST).is_file()
    load_weights(opened, LAST if has_last else SELECTED)
    epoch = len(history) if has_last else before.selected_epoch
    return TrainingResult(
        history, before.selected_epoch, before.train_seconds, epoch, taken_over=True
    )


def train_run(
    opened: OpenRun, shared: Sequence[Path], asked_to_end: Callable[[], bool], tracking: Tracking
) -> TrainingResult:
    """Train the method, watched on val; what a recipe without stages leaves as it is."""
    if not opened.recipe.stages:
        return TrainingResult([], None, 0.0, None)
    people = opened.data.splits["train"]

    def judge(images: torch.Tensor, captions: torch.Tensor) -> int:
        image_rows, caption_rows = opened.view.rows(images, captions)
        same = people.person_of_image[image_rows] == people.person_of_caption[caption_rows]
        return int(np.sum(same))

    watchers = Watchers(
        lambda method: validate(opened, method),
        judge,
        report=lambda progress: opened.say(Update("training", progress)),
        tell=lambda doing: opened.say(Update(doing)),
        epoch_ended=lambda row: tracking.log(row, row["epoch"]),
        asked_to_end=asked_to_end,
    )
    where = opened.device, opened.weights
    return train(opened.method, opened.view, opened.recipe, opened.seed, *where, watchers, shared)


def validate(opened: OpenRun, method: Method) -> dict[str, float]:
    """Return the metrics of a method, with the weights that it has, on val."""
    val, pixels = opened.data.splits["val"], opened.data.pixels["val"]
    features = evaluation.encode_split(method, val, pixels, opened.device)
    candidates = opened.recipe.val_candidates
    scores = evaluation.score_text_to_image(method, features, val, candidates, top=0)
    return metrics.summarize(scores)


def val_figures(opened: OpenRun, trained: TrainingResult) -> dict[str, float]:
    """Return the figures on val of the selected epoch, or, where nothing was trained, as it is."""
    if trained.selected_epoch is not None:
        row = trained.history[trained.selected_epoch - 1]
        return {name: row[name] for name in ("val_r1", "val_map")}
    figures = validate(opened, opened.method)
    return {"val_r1": figures["r1"], "val_map": figures["map"]}


def write_history(file: Path, history: list[dict[str, Any]]) -> None:
    """Write one row an epoch, with a column for whatever an epoch tells."""
    names = list(dict.fromkeys(name for row in history for name in row))
    write_table(file, {name: [row.get(name) for row in history] for name in names})
