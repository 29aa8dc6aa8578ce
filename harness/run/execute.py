"""One run, in a process of its own: seed -> data -> train -> evaluate -> record."""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import distributed, evaluation, metrics, results
from harness.errors import HarnessError, describe_error
from harness.evaluation.embeddings import read_embeddings, write_embeddings
from harness.evaluation.write import write_evaluation
from harness.files import UNFINISHED, read_table, write_json, write_table
from harness.method import Method
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.progress import Update
from harness.results import (
    EMBEDDINGS,
    HIGHLIGHTS,
    HISTORY,
    LAST_EVALUATION,
    PRIMARY_EVALUATION,
    REVERSE_EVALUATION,
    SELECTED,
    WEIGHTS,
    RunRecord,
)
from harness.results.left_overs import KEY, clear_left_overs, clear_work
from harness.run.environment import describe_environment
from harness.run.further import Evaluated, add_evaluations, record_failure
from harness.run.highlights import write_highlights
from harness.run.job import Job, open_job
from harness.run.options import Options
from harness.run.tracking import Tracking
from harness.training import Interrupted, Trained, Watchers, train
from harness.training.checkpoints import LAST


def execute(
    spec: RunSpec,
    options: Options,
    say: Callable[[Update], None],
    asked_to_end: Callable[[], bool] = lambda: False,
    failing: Callable[[BaseException], None] = lambda error: None,
) -> RunRecord:
    """Execute a run and put its folder in place, whatever happens: an error is a record too.

    A run that is finished is not repeated: only the evaluations that it lacks are added. One that
    other code has scored is not trained again where its weights were kept. `failing` is told of an
    error before it is recorded.

    Raises:
        Interrupted: it was asked to end; a checkpoint stays in its working folder.
    """
    work = prepare_folder(spec, options)
    if work == spec.path(options.results):
        return _evaluate_further(spec, options, say)
    before = _stored_training(spec, options)
    record = results.of_training(spec.record(), before) if before else spec.record()
    process = os.getpid()
    began = time.perf_counter()
    try:
        record = _execute(spec, options, work, record, say, asked_to_end)
    except Interrupted:
        raise
    except BaseException as error:  # sys.exit and what libraries in Rust raise, too
        failing(error)
        record = replace(record, status="error", error=describe_error(error))
    if os.getpid() != process:
        os._exit(1)  # a fork of the method's that came back up here: the run is its parent's
    if record.error:
        for kept in (EMBEDDINGS,) if before else (WEIGHTS, EMBEDDINGS):
            shutil.rmtree(work / kept, ignore_errors=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record = replace(
        record,
        total_seconds=record.total_seconds + time.perf_counter() - began,
        peak_memory=max(record.peak_memory, memory),
    )
    write_json(work / "run.json", asdict(record))  # from here on a kill undoes nothing
    _put_in_place(record, spec.path(options.results), options.keep)
    distributed.leave()
    return record


def _stored_training(spec: RunSpec, options: Options) -> RunRecord | None:
    """Return the record of the same training, where its weights need no more than be scored."""
    return None if options.force else spec.stored_training(options.results)


def _put_in_place(record: RunRecord, path: Path, keep: str) -> None:
    """Put a run in its place of which all is done, without the weights that are not kept."""
    _keep_weights(results.working_folder(path) / WEIGHTS, keep)
    results.finish_run(record, path)


def execute_beside(spec: RunSpec, options: Options) -> None:
    """Do the part of a rank but the first in a run: the same, with nothing left on the disk."""
    weights = results.working_folder(spec.path(options.results)) / WEIGHTS
    with tempfile.TemporaryDirectory() as scratch:
        job = open_job(spec, options, Path(scratch), weights, lambda update: None)
        options = replace(options, trackers=())  # the first shows what there is to see
        _train_and_evaluate(job, spec, options, lambda: False)


def prepare_folder(spec: RunSpec, options: Options) -> Path:
    """Return the folder a run works in: a finished run's own, where only evaluations are missing.

    Checkpoints of an interrupted run of the same content stay in it; anything else is cleared.
    """
    path = spec.path(options.results)
    if done := results.read_record(results.working_folder(path)):
        _put_in_place(done, path, options.keep)
    clear_left_overs(path)
    if spec.is_trained(options.results) and not options.force:
        return path
    work = results.working_folder(path)
    marker = work / KEY
    if marker.is_file() and marker.read_text(encoding="utf-8") == spec.key:
        clear_work(work)
    else:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)  # a log may be written into it right now
        marker.write_text(spec.key, encoding="utf-8")
    return work


def _execute(
    spec: RunSpec,
    options: Options,
    work: Path,
    record: RunRecord,
    say: Callable[[Update], None],
    asked_to_end: Callable[[], bool],
) -> RunRecord:
    job = open_job(spec, options, work, work / WEIGHTS, say)
    trained, features = _train_and_evaluate(job, spec, options, asked_to_end)
    test = job.data.splits["test"], job.data.pixels["test"]
    write_highlights(work / HIGHLIGHTS, job.method, *test, job.device)
    if options.keep == "none":
        shutil.rmtree(work / EMBEDDINGS, ignore_errors=True)
    environment = describe_environment(job.device, options.jobs)
    return replace(
        record,
        parameters=sum(parameter.numel() for parameter in job.method.parameters()),
        train_seconds=trained.seconds,
        selected_epoch=trained.selected_epoch,
        data={**record.data, "counts": {n: s.counts for n, s in job.data.splits.items()}},
        environment={**record.environment, **_told(environment, trained)},
        metrics=_primary_metrics(job),
        image_milliseconds=features.embeddings.image_milliseconds,
        text_milliseconds=features.embeddings.text_milliseconds,
    )


def _train_and_evaluate(
    job: Job, spec: RunSpec, options: Options, asked_to_end: Callable[[], bool]
) -> tuple[Trained, evaluation.Features]:
    """Do what all ranks of a run do together."""
    shared = [spec.stages_path(options.results) / key for key in spec.stage_keys]
    before = _stored_training(spec, options)
    with Tracking(options.trackers, spec, options.results) as tracking:
        if before:
            trained = _take_over(job, before, spec.path(options.results))
        else:
            trained = train_job(job, shared, asked_to_end, tracking)
        if trained.history and not trained.taken_over:
            _write_history(job.work / HISTORY, trained.history)
        job.say(Update("evaluating"))
        features = score_job(job, trained)
        figures = {f"test_{name}": value for name, value in _primary_metrics(job).items()}
        tracking.log(figures, len(trained.history))
    add_evaluations(job.work, spec.evaluations, _evaluated(spec, job, features))
    return trained, features


def _take_over(job: Job, before: RunRecord, path: Path) -> Trained:
    """Take what another run has trained; the last weights where it kept them, else the selected."""
    if distributed.is_main():
        results.copy_trained(path, job.work)
    distributed.wait_for_all()
    history = read_table(path / HISTORY)
    has_last = (job.weights / LAST).is_file()
    _load_weights(job, LAST if has_last else SELECTED)
    epoch = len(history) if has_last else before.selected_epoch
    return Trained(history, before.selected_epoch, before.train_seconds, epoch, taken_over=True)


def _told(environment: dict[str, Any], trained: Trained) -> dict[str, Any]:
    """Return where a run was made; where it was only scored, under a name of its own."""
    return {"scored anew": environment} if trained.taken_over else environment


def _primary_metrics(job: Job) -> dict[str, float]:
    file = job.evaluations / PRIMARY_EVALUATION / "metrics.json"
    metrics: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return metrics


def _evaluate_further(spec: RunSpec, options: Options, say: Callable[[Update], None]) -> RunRecord:
    """Add the evaluations that a finished run lacks, from its stored weights."""
    path = spec.path(options.results)
    if wanted := spec.missing(path):
        _add_missing(spec, options, path, wanted, say)
    record = results.read_record(path)
    assert record is not None
    return record


def _add_missing(
    spec: RunSpec,
    options: Options,
    path: Path,
    wanted: list[FurtherEvaluation],
    say: Callable[[Update], None],
) -> None:
    try:
        job = open_job(spec, options, path, path / WEIGHTS, say)
        say(Update("evaluating"))
        _load_weights(job)
        features = _encode_test(job, stored=True)
        add_evaluations(path, wanted, _evaluated(spec, job, features))
    except Exception as error:
        record_failure(path, wanted, error)


def _load_weights(job: Job, name: str = SELECTED) -> None:
    """Load weights that a run has stored, or, where nothing was trained, none."""
    if not job.recipe.stages:
        return
    file = job.weights / name
    if not file.is_file():
        raise HarnessError(
            f"its weights were not kept ({file} is missing): train it again with --force and "
            "--keep selected."
        )
    state = torch.load(file, map_location=job.device, weights_only=True)
    job.method.load_state_dict(state)


def train_job(
    job: Job, shared: Sequence[Path], asked_to_end: Callable[[], bool], tracking: Tracking
) -> Trained:
    """Train the method, watched on val; what a recipe without stages leaves as it is."""
    if not job.recipe.stages:
        return Trained([], None, 0.0, None)
    val, people = job.data.splits["val"], job.data.splits["train"]

    def validate(method: Method) -> dict[str, float]:
        features = evaluation.encode_split(method, val, job.data.pixels["val"], job.device)
        candidates = job.recipe.val_candidates
        scores = evaluation.score_text_to_image(method, features, val, candidates, top=0)
        return metrics.summarize(scores)

    def judge(images: torch.Tensor, captions: torch.Tensor) -> int:
        image_rows, caption_rows = job.view.rows(images, captions)
        same = people.person_of_image[image_rows] == people.person_of_caption[caption_rows]
        return int(np.sum(same))

    watchers = Watchers(
        validate,
        judge,
        report=lambda progress: job.say(Update("training", progress)),
        tell=lambda doing: job.say(Update(doing)),
        epoch_ended=lambda row: tracking.log(row, row["epoch"]),
        asked_to_end=asked_to_end,
    )
    where = job.device, job.weights
    return train(job.method, job.view, job.recipe, job.seed, *where, watchers, shared)


def score_job(job: Job, trained: Trained) -> evaluation.Features:
    """Evaluate the last and the selected weights on test; the selected ones are primary."""
    test = job.data.splits["test"]
    features = _encode_test(job)
    scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    if trained.selected_epoch is not None and trained.epoch == len(trained.history):
        write_evaluation(job.evaluations / LAST_EVALUATION, scores, test)
    if trained.selected_epoch != trained.epoch:
        _load_weights(job)
        features = _encode_test(job)
        scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    write_evaluation(job.evaluations / PRIMARY_EVALUATION, scores, test)
    write_embeddings(job.embeddings(job.located), features.embeddings)
    reverse = evaluation.score_image_to_text(features, test)
    write_evaluation(job.evaluations / REVERSE_EVALUATION, reverse, test, query="image")
    return features


def _encode_test(job: Job, stored: bool = False) -> evaluation.Features:
    """Encode the test split with the weights as they are, or take what the run has stored."""
    test, pixels = job.data.splits["test"], job.data.pixels["test"]
    embeddings = read_embeddings(job.embeddings(job.located), test) if stored else None
    return evaluation.encode_split(job.method, test, pixels, job.device, embeddings)


def _evaluated(spec: RunSpec, job: Job, features: evaluation.Features) -> Evaluated:
    return Evaluated(
        method=job.method,
        features=features,
        split=job.data.splits["test"],
        located=spec.located,
        scale=spec.scale,
        candidates=job.recipe.candidates,
        device=job.device,
        open_test=job.open_test,
    )


def _write_history(file: Path, history: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in history for name in row))
    write_table(file, {name: [row.get(name) for row in history] for name in names})


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
