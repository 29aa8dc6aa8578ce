"""The folder that a run works in: what an earlier process left of it, and what stays at the end."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from harness import results
from harness.files import UNFINISHED
from harness.plan.spec import AUDITED, RunSpec
from harness.results import (
    TEST_SELECTED,
    WEIGHTS,
    RunRecord,
)
from harness.results.left_overs import KEY, clear_left_overs, clear_work
from harness.run.options import Options
from harness.training.checkpoints import LAST


def stored_training(spec: RunSpec, options: Options) -> RunRecord | None:
    """Return the record of the same training, where its weights need no more than be scored."""
    return None if options.force else spec.stored_training(options.results)


def finish_folder(record: RunRecord, path: Path, keep: str) -> None:
    """Put a run in its place of which all is done, without the weights that are not kept."""
    weights = results.working_folder(path) / WEIGHTS
    if record.test_selected_epoch in (None, record.selected_epoch):
        (weights / TEST_SELECTED).unlink(missing_ok=True)  # there is none, or they are the selected
    _keep_weights(weights, keep)
    results.finish_run(record, path)


def prepare_folder(spec: RunSpec, options: Options) -> Path:
    """Return the folder a run works in: a finished run's own, where only evaluations are missing.

    Checkpoints of an interrupted run that it goes on from stay in it; anything else is cleared.
    """
    path = spec.path(options.results)
    if done := results.read_record(results.working_folder(path)):
        finish_folder(done, path, options.keep)
    clear_left_overs(path)
    if spec.is_trained(options.results) and not options.force:
        return path
    work = results.working_folder(path)
    marker = work / KEY
    is_trained = stored_training(spec, options) is not None
    content = f"{spec.key}, scored anew" if is_trained else spec.resume_key
    known = marker.read_text(encoding="utf-8") if marker.is_file() else ""
    if known in (content, f"{content}{AUDITED}"):  # an audit that is not asked for ends there
        clear_work(work)
    else:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)  # a log may be written into it right now
    if known != content:
        marker.write_text(content, encoding="utf-8")
    return work


def _keep_weights(folder: Path, keep: str) -> None:
    """Drop the weights that are not kept; the last ones go without their optimiser's state."""
    if keep == "none":
        shutil.rmtree(folder, ignore_errors=True)
        return
    last = folder / LAST
    if keep == "selected":
        last.unlink(missing_ok=True)
    elif last.is_file():
        state = torch.load(last, map_location="cpu", weights_only=True)
        if "training" in state:  # else it was done before a kill: no parameter is called so
            unfinished = last.with_suffix(UNFINISHED)
            with open(unfinished, "wb") as out:  # torch itself does not tell of a full disk
                torch.save(state["method"], out)
            unfinished.replace(last)
