"""The training of a run, or that of an earlier run taken over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import distributed, evaluation, metrics, results
from harness.data.schema import StageSet
from harness.files import read_table, write_table
from harness.method import Method
from harness.progress import Update
from harness.results import (
    HISTORY,
    SELECTED,
    RunRecord,
    StoredRun,
)
from harness.results.audit import best_on_test
from harness.run.detection import judge_clean
from harness.run.evaluate import load_weights
from harness.run.open_run import OpenRun
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
        history,
        before.selected_epoch,
        before.train_seconds,
        epoch,
        taken_over=True,
        audit=_take_over_audit(before, path),
        images_per_second=before.images_per_second,
        waiting_share=before.waiting_share,
    )


def _take_over_audit(before: RunRecord, path: Path) -> list[dict[str, Any]]:
    """Return the audit of another run; where it is not what the record tells of, it is dropped."""
    audit = StoredRun(before, path).selection_audit()
    if best_on_test(audit) == before.test_selected_epoch:
        return audit
    say_dropped("its file is damaged or gone")
    return []


def say_dropped(why: str) -> None:
    """Say in the log of a run, once for all its processes, that its audit is dropped."""
    if distributed.is_main():
        logging.getLogger(__name__).warning("The audit of the selection is dropped: %s.", why)


def train_run(
    opened: OpenRun,
    shared: Sequence[Path],
    asked_to_end: Callable[[], bool],
    epoch_ended: Callable[[Mapping[str, Any]], None],
    audit: Callable[[Method, int], Mapping[str, float]] | None = None,
) -> TrainingResult:
    """Train the method, watched on val; what a recipe without stages leaves as it is.

    An `audit` is asked for the metrics of each epoch on test, which decide nothing here.
    """
    if not opened.recipe.stages:
        return TrainingResult([], None, 0.0, None)
    people = opened.data.splits["train"]

    watchers = Watchers(
        lambda method: figures_on(opened, method, "val"),
        StageSet.of(opened.view, people).judge_pairs,
        partial(judge_clean, opened) if opened.training is not people else None,
        report=lambda progress: opened.say(Update("training", progress)),
        tell=lambda doing: opened.say(Update(doing)),
        epoch_ended=epoch_ended,
        asked_to_end=asked_to_end,
        audit=audit,
    )
    sets = opened.open_stage_sets()
    where = opened.device, opened.weights
    what = opened.method, opened.view, opened.recipe
    return train(*what, opened.seed, *where, watchers, shared, sets)


def figures_on(opened: OpenRun, method: Method, name: str) -> dict[str, float]:
    """Return the metrics by which epochs are told apart, with the weights as they are, on a split.

    A method that re-scores looks at as many candidates as its recipe says for val.
    """
    split, pixels = opened.data.splits[name], opened.data.pixels[name]
    features = evaluation.encode_split(method, split, pixels, opened.device)
    candidates = opened.recipe.val_candidates
    scores = evaluation.score_text_to_image(method, features, split, candidates, top=0)
    return metrics.summarize(scores)


def val_figures(opened: OpenRun, trained: TrainingResult) -> dict[str, float]:
    """Return the figures on val of the selected epoch, or, where nothing was trained, as it is."""
    if trained.selected_epoch is not None:
        row = trained.history[trained.selected_epoch - 1]
        return {name: row[name] for name in ("val_r1", "val_map")}
    figures = figures_on(opened, opened.method, "val")
    return {"val_r1": figures["r1"], "val_map": figures["map"]}


def write_history(file: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write one row an epoch, with a column for whatever an epoch tells."""
    names = list(dict.fromkeys(name for row in history for name in row))
    write_table(file, {name: [row.get(name) for row in history] for name in names})
