"""One run, in a process of its own: seed -> data -> train -> evaluate -> record.

A trial ends behind val: of the test split it opens nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import distributed, results
from harness.errors import HarnessError
from harness.files import write_json
from harness.plan.keys import code_of
from harness.plan.spec import FurtherEvaluation, Probe, RunSpec
from harness.progress import Update
from harness.results import (
    EMBEDDINGS,
    HIGHLIGHTS,
    HISTORY,
    RECORD,
    WEIGHTS,
    RunRecord,
)
from harness.run.advice import describe_failure
from harness.run.audit import evaluate_audited, figures_on_test
from harness.run.crowd import add_crowds
from harness.run.crowd_index import add_indexed
from harness.run.detection import count_wrong
from harness.run.determinism import strictly_if_possible
from harness.run.doubt import Doubts, earlier_histories
from harness.run.environment import describe_environment, device_memory, peak_memory
from harness.run.evaluate import encode_test, evaluated, load_weights, primary_metrics, score_run
from harness.run.folder import finish_folder, prepare_folder, stored_training
from harness.run.further import add_evaluations, record_failure
from harness.run.highlights import write_highlights
from harness.run.open_run import OpenRun, open_run
from harness.run.options import Options
from harness.run.probe import probe_run
from harness.run.tracking import Tracking
from harness.run.train import take_over, train_run, val_figures, write_history
from harness.training import Interrupted, TrainingResult


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
    before = stored_training(spec, options)
    record = results.of_training(spec.record(), before) if before else spec.record()
    process = os.getpid()
    began = time.perf_counter()
    try:
        record = strictly_if_possible(
            options, lambda how: _perform(spec, how, work, record, say, asked_to_end)
        )
    except Interrupted:
        raise
    except BaseException as error:  # sys.exit and what libraries in Rust raise, too
        failing(error)
        how = spec.recipe, bool(spec.description["spreads"]), options.device
        record = replace(record, status="error", error=describe_failure(error, *how))
    if os.getpid() != process:
        os._exit(1)  # a fork of the method's that came back up here: the run is its parent's
    if record.error:
        for kept in (WEIGHTS, EMBEDDINGS):
            shutil.rmtree(work / kept, ignore_errors=True)
    keep = options.keep
    if record.error and before:  # whatever failed: what was trained is still in its place
        results.copy_trained(spec.path(options.results), work)
        keep = "all"
    memory = peak_memory()
    record = replace(
        record,
        total_seconds=record.total_seconds + time.perf_counter() - began,
        peak_memory=max(record.peak_memory, memory),
        device_memory=max(record.device_memory, device_memory()),
    )
    write_json(work / RECORD, asdict(record))  # from here on a kill undoes nothing
    finish_folder(record, spec.path(options.results), keep)
    distributed.leave()
    return record


def execute_beside(spec: RunSpec, options: Options) -> None:
    """Do the part of a rank but the first in a run: the same, with nothing left on the disk."""
    weights = results.working_folder(spec.path(options.results)) / WEIGHTS
    with tempfile.TemporaryDirectory() as scratch:
        options = replace(options, trackers=())  # the first shows what there is to see

        def work(how: Options) -> None:
            opened = open_run(spec, how, Path(scratch), weights, lambda update: None)
            _train_and_evaluate(opened, spec, how, lambda: False)

        strictly_if_possible(options, work)


def _perform(
    spec: RunSpec, options: Options, work: Path, record: RunRecord, *watch: Any
) -> RunRecord:
    """Do what is asked of a run: all of it, or a few steps."""
    if isinstance(spec, Probe):
        return probe_run(spec, options, work, record, *watch)
    return _execute(spec, options, work, record, *watch)


def _execute(
    spec: RunSpec,
    options: Options,
    work: Path,
    record: RunRecord,
    say: Callable[[Update], None],
    asked_to_end: Callable[[], bool],
) -> RunRecord:
    opened = open_run(spec, options, work, work / WEIGHTS, say)
    _refuse_other_code(spec)
    trained, figures = _train_and_evaluate(opened, spec, options, asked_to_end)
    if spec.is_tested:
        test = opened.data.splits["test"], opened.data.pixels["test"]
        write_highlights(work / HIGHLIGHTS, opened.method, *test, opened.device)
    if options.keep == "none":
        shutil.rmtree(work / EMBEDDINGS, ignore_errors=True)
    environment = describe_environment(opened.device, options.jobs)
    return replace(
        record,
        parameters=sum(parameter.numel() for parameter in opened.method.parameters()),
        train_seconds=trained.seconds,
        images_per_second=trained.images_per_second,
        waiting_share=trained.waiting_share,
        recipe={**record.recipe, **({"chunks": trained.chunks} if trained.chunks else {})},
        selected_epoch=trained.selected_epoch,
        test_selected_epoch=figures.test_selected_epoch,
        data={**record.data, "counts": {n: s.counts for n, s in opened.data.splits.items()}},
        environment={**record.environment, **_told(environment, trained)},
        noise={**record.noise, "wrong": count_wrong(opened)} if record.noise else {},
        metrics=figures.metrics,
        doubt=figures.doubt or record.doubt,
        image_milliseconds=figures.image_milliseconds,
        text_milliseconds=figures.text_milliseconds,
    )


def _refuse_other_code(spec: RunSpec) -> None:
    """Refuse a run whose plugin was edited while it waited: its key is that of the older code.

    Raises:
        HarnessError: what was imported just now computes something else.
    """
    if spec.plugin.content() != spec.files and code_of(spec.plugin).weights != spec.code:
        raise HarnessError(
            "its code was changed after it was planned, and is not what its key stands for: start "
            "it again"
        )


@dataclass(frozen=True)
class _Figures:
    """What was measured of the selected weights: on test, or of a trial on val."""

    metrics: Mapping[str, float]
    image_milliseconds: float = 0.0
    text_milliseconds: float = 0.0
    test_selected_epoch: int | None = None  # of an audit
    doubt: str = ""


def _train_and_evaluate(
    opened: OpenRun, spec: RunSpec, options: Options, asked_to_end: Callable[[], bool]
) -> tuple[TrainingResult, _Figures]:
    """Do what all ranks of a run do together."""
    audit = partial(figures_on_test, opened) if spec.is_audited else None
    before = stored_training(spec, options)
    doubts = Doubts(earlier_histories(spec, options.results), opened.say)
    with Tracking(options.trackers, spec, options.results) as tracking:

        def epoch_ended(row: Mapping[str, Any]) -> None:
            tracking.log(row, row["epoch"])
            doubts.see(row)

        if before:
            trained = take_over(opened, before, spec.path(options.results))
        else:
            shared = spec.shared_stages(options.results)
            trained = train_run(opened, shared, asked_to_end, epoch_ended, audit)
        if trained.history and not trained.taken_over:
            write_history(opened.work / HISTORY, trained.history)
        opened.say(Update("evaluating"))
        if not spec.is_tested:
            return trained, _Figures(val_figures(opened, trained))
        features = score_run(opened, trained)
        metrics = primary_metrics(opened)
        shown = {f"test_{name}": value for name, value in metrics.items()}
        tracking.log(shown, len(trained.history))
    audited = evaluate_audited(opened, trained)
    add_evaluations(opened.work, spec.evaluations, evaluated(spec, opened, features))
    cost = features.embeddings.image_milliseconds, features.embeddings.text_milliseconds
    doubt = "" if trained.taken_over else doubts.of(trained.history)
    return trained, _Figures(metrics, *cost, audited, doubt)


def _told(environment: dict[str, Any], trained: TrainingResult) -> dict[str, Any]:
    """Return where a run was made; where it was only scored, under a name of its own."""
    return {"scored anew": environment} if trained.taken_over else environment


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
    def work(how: Options) -> None:
        opened = open_run(spec, how, path, path / WEIGHTS, say)
        _refuse_other_code(spec)
        say(Update("evaluating"))
        load_weights(opened)
        features = encode_test(opened, stored=True)
        start = evaluated(spec, opened, features)
        add_evaluations(path, [one for one in wanted if not one.crowd], start)
        height, width = spec.config["image_size"]
        among = [one for one in wanted if one.crowd]
        scanned = [one for one in among if one.crowd and not one.crowd.index]
        indexed = [one for one in among if one.crowd and one.crowd.index]
        add_crowds(path, scanned, start, (height, width), say)
        add_indexed(path, indexed, start, (height, width), say)

    try:
        strictly_if_possible(options, work)
    except Exception as error:
        record_failure(path, wanted, error)
