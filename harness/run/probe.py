"""A probe of a run: a few steps and batches of it, from which follows what all of it would take."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from harness.data.loading import load_split
from harness.plan.spec import Probe
from harness.progress import Update
from harness.results import WEIGHTS, RunRecord
from harness.run.costs import Costs, write_costs
from harness.run.environment import device_memory, peak_memory
from harness.run.open_run import Data, OpenRun, open_run
from harness.run.options import Options
from harness.run.probe_evaluation import ItemCosts, probe_end, probe_items, val_seconds
from harness.training import Watchers
from harness.training.probing import ProbedTraining, probe_training

UNTRAINED = ProbedTraining(0.0, (), 0, 0, 0.0)


def probe_run(
    spec: Probe,
    options: Options,
    work: Path,
    record: RunRecord,
    say: Callable[[Update], None],
    asked_to_end: Callable[[], bool],
) -> RunRecord:
    """Take a few steps of a run, and write into its folder what all of it would take.

    Data is opened as the run would: pixels that are decoded stay for it.
    """
    splits = {name: load_split(spec.located, name) for name in spec.located.files}
    Data.open(splits, spec, options, say)
    began = time.perf_counter()
    opened = open_run(spec, options, work, work / WEIGHTS, say)
    opening = time.perf_counter() - began
    training = _probe_training(opened, asked_to_end)
    shutil.rmtree(opened.weights, ignore_errors=True)
    say(Update("trying to encode and score"))
    write_costs(work, _costs(spec, opened, opening, training))
    return replace(record, images_per_second=_images_per_second(training))


def _probe_training(opened: OpenRun, asked_to_end: Callable[[], bool]) -> ProbedTraining:
    if not opened.recipe.stages:
        return UNTRAINED
    watchers = Watchers(tell=lambda doing: opened.say(Update(doing)), asked_to_end=asked_to_end)
    sets = opened.open_stage_sets()
    where = opened.device, opened.weights
    what = opened.method, opened.view, opened.recipe
    return probe_training(*what, opened.seed, *where, watchers, sets)


def _costs(spec: Probe, opened: OpenRun, opening: float, training: ProbedTraining) -> Costs:
    """Put together what was measured, and measure what evaluating takes."""
    recipe = opened.recipe
    epochs = [stage.epochs for stage in recipe.stages]
    items = probe_items(opened, "test")
    an_epoch = val_seconds(opened, items, "val") + training.choosing if epochs else 0.0
    audited = spec.is_audited
    # The last weights and those that val chose, which may be the same; an audit's own besides.
    times = (min(2, sum(epochs)) or 1) + audited
    end = probe_end(opened, items, spec, spec.asked, times)
    return Costs(
        opening=opening,
        preparing=training.preparing,
        stages=[
            stage.seconds + count * an_epoch
            for stage, count in zip(training.stages, epochs, strict=True)
        ],
        auditing=sum(epochs) * val_seconds(opened, items, "test") if audited else 0.0,
        evaluating=end.seconds,
        weights=training.weights,
        checkpoint=training.checkpoint,
        stored=end.bytes,
        **_memory(opened, items),
        images_per_second=_images_per_second(training),
    )


def _images_per_second(training: ProbedTraining) -> float:
    """Return the rows that all epochs train in a second."""
    took = sum(stage.seconds for stage in training.stages)
    return sum(stage.rows for stage in training.stages) / took if took else 0.0


def _memory(opened: OpenRun, items: ItemCosts) -> dict[str, float]:
    """Return the most memory that was held, or would be while the test split is re-scored, in MB.

    Its tokens lie where the method is.
    """
    held, on_card = psutil.Process().memory_info().rss / 1024**2, _allocated()
    tokens = items.token_megabytes(opened.data.splits["test"])
    is_card = opened.device.type == "cuda"
    return {
        "memory": max(peak_memory(), held + (0.0 if is_card else tokens)),
        "device_memory": max(device_memory(), on_card + tokens if is_card else 0.0),
    }


def _allocated() -> float:
    """Return what tensors hold of the graphics card now, in MB."""
    return torch.cuda.memory_allocated() / 1024**2 if device_memory() else 0.0
