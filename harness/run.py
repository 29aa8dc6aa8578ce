"""One run, in a process of its own: seed -> data -> train -> evaluate -> record."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import evaluation, metrics, paths, registry, results
from harness.data.declaration import SPLITS, Located
from harness.data.digest import digest_path, write_digest
from harness.data.loading import load_split
from harness.data.pixels import Pixels, cache_bytes, open_pixels
from harness.data.schema import Split, TrainView
from harness.describe import build
from harness.environment import describe_environment
from harness.errors import HarnessError
from harness.evaluation_files import write_evaluation
from harness.execution import Options
from harness.highlights import write_highlights
from harness.method import Method, Recipe, Supervision, TrainSummary
from harness.progress import Update
from harness.reevaluation import Evaluated, add_evaluations, record_failure
from harness.results import EVALUATIONS, HIGHLIGHTS, PRIMARY_EVALUATION, WEIGHTS, RunRecord
from harness.seeding import seed_everything
from harness.spec import RunSpec
from harness.training import LAST, SELECTED, Trained, Watchers, train


def execute(spec: RunSpec, options: Options, say: Callable[[Update], None]) -> RunRecord:
    """Execute a run and put its folder in place, whatever happens: an error is a record too.

    A run that is finished is not repeated: only the evaluations that it lacks are added.
    """
    work = prepare_folder(spec, options)
    if work == spec.path(options.results):
        return _evaluate_further(spec, options, say)
    record = spec.record()
    began = time.perf_counter()
    try:
        record = _execute(spec, options, work, record, say)
    except Exception as error:
        record = replace(record, status="error", error=registry.describe_error(error))
        shutil.rmtree(work / WEIGHTS, ignore_errors=True)
    record = replace(
        record,
        total_seconds=time.perf_counter() - began,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    (work / "key").unlink(missing_ok=True)
    results.finish_run(record, spec.path(options.results))
    return record


def prepare_folder(spec: RunSpec, options: Options) -> Path:
    """Return the folder a run works in: a finished run's own, where only evaluations are missing.

    Checkpoints of an interrupted run of the same content stay in it; anything else is cleared.
    """
    path = spec.path(options.results)
    if spec.is_trained(options.results) and not options.force:
        return path
    work = results.working_folder(path)
    marker = work / "key"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != spec.key:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        marker.write_text(spec.key, encoding="utf-8")
    return work


@dataclass(frozen=True)
class _Job:
    """A run with all that it works on."""

    method: Method
    recipe: Recipe
    data: _Data
    view: TrainView
    device: torch.device
    seed: int
    work: Path
    open_test: Callable[[Located], tuple[Split, Pixels]]
    say: Callable[[Update], None]

    @property
    def weights(self) -> Path:
        return self.work / WEIGHTS

    @property
    def evaluations(self) -> Path:
        return self.work / EVALUATIONS


def _execute(
    spec: RunSpec,
    options: Options,
    work: Path,
    record: RunRecord,
    say: Callable[[Update], None],
) -> RunRecord:
    job = _open(spec, options, work, say)
    shared = [spec.stages_path(options.results) / key for key in spec.stage_keys]
    trained = _train(job, shared)
    if trained.history:
        _write_history(work / "history.parquet", trained.history)
    say(Update("evaluating"))
    features = _evaluate(job, trained)
    add_evaluations(work, spec.evaluations, _evaluated(spec, job, features))
    test = job.data.splits["test"], job.data.pixels["test"]
    write_highlights(work / HIGHLIGHTS, job.method, *test, job.device)
    _keep_weights(job.weights, options.keep)
    primary = job.evaluations / PRIMARY_EVALUATION / "metrics.json"
    return replace(
        record,
        parameters=sum(parameter.numel() for parameter in job.method.parameters()),
        train_seconds=trained.seconds,
        selected_epoch=trained.selected_epoch,
        data={**record.data, "counts": {n: s.counts for n, s in job.data.splits.items()}},
        environment={**record.environment, **describe_environment(job.device, options.jobs)},
        metrics=json.loads(primary.read_text(encoding="utf-8")),
        image_milliseconds=features.image_milliseconds,
        text_milliseconds=features.text_milliseconds,
    )


def _evaluate_further(spec: RunSpec, options: Options, say: Callable[[Update], None]) -> RunRecord:
    """Add the evaluations that a finished run lacks, from its stored weights."""
    path = spec.path(options.results)
    wanted = spec.missing(path)
    try:
        job = _open(spec, options, path, say)
        say(Update("evaluating"))
        _load_weights(job)
        add_evaluations(path, wanted, _evaluated(spec, job, _encode_test(job)))
    except Exception as error:
        record_failure(path, wanted, error)
    record = results.read_record(path)
    assert record is not None
    return record


def _load_weights(job: _Job) -> None:
    """Load the weights that were selected, or, where nothing was trained, none."""
    if not job.recipe.stages:
        return
    file = job.weights / SELECTED
    if not file.is_file():
        raise HarnessError(
            f"its weights were not kept ({file} is missing): train it again with --force and "
            "--keep selected."
        )
    state = torch.load(file, map_location=job.device, weights_only=True)
    job.method.load_state_dict(state)


def _open(spec: RunSpec, options: Options, work: Path, say: Callable[[Update], None]) -> _Job:
    """Load the data and build the method, with the threads and the device of the recipe."""
    recipe = build(Recipe, spec.recipe)
    torch.set_num_threads(recipe.threads or max(1, (os.cpu_count() or 1) // options.jobs))
    device = torch.device(options.device)
    # On the CPU every operation repeats its bits as it is; there the switch would only cost time.
    torch.use_deterministic_algorithms(device.type == "cuda", warn_only=True)
    say(Update("loading"))
    splits = {name: load_split(spec.located, name) for name in SPLITS}
    # Before a pixel is decoded, which a broken image stops: pages tell of the dataset even then.
    fingerprint = spec.located.fingerprint
    write_digest(spec.located, digest_path(options.results, spec.suite, spec.dataset, fingerprint))
    data = _Data.open(splits, spec, options, say)
    supervision = Supervision(spec.config["supervision"])
    view = TrainView(data.splits["train"], data.pixels["train"], supervision, spec.seed)
    method = build_method(spec, view.summary())

    def open_test(located: Located) -> tuple[Split, Pixels]:
        split = load_split(located, "test")
        return split, _open_pixels(split, located, spec, options, say)

    return _Job(method, recipe, data, view, device, spec.seed, work, open_test, say)


@dataclass(frozen=True)
class _Data:
    """The three splits with their pixels."""

    splits: dict[str, Split]
    pixels: dict[str, Pixels]

    @classmethod
    def open(
        cls,
        splits: dict[str, Split],
        spec: RunSpec,
        options: Options,
        say: Callable[[Update], None],
    ) -> _Data:
        pixels = {
            name: _open_pixels(split, spec.located, spec, options, say)
            for name, split in splits.items()
        }
        return cls(splits, pixels)


def _open_pixels(
    split: Split,
    located: Located,
    spec: RunSpec,
    options: Options,
    say: Callable[[Update], None],
) -> Pixels:
    """Open the images of a split at the size that the run's method takes."""
    folder = paths.cache_folder() / "pixels" / located.fingerprint[:24]
    height, width = spec.config["image_size"]
    return open_pixels(
        split,
        (height, width),
        folder if options.pixel_cache else None,
        lambda done, count: say(_decoding(done, count, (height, width))),
    )


def _decoding(done: int, count: int, size: tuple[int, int]) -> Update:
    megabytes = cache_bytes(count, size) / 1e6
    return Update(f"decoding image {done} of {count} into a cache of {megabytes:.0f} MB")


def build_method(spec: RunSpec, summary: TrainSummary) -> Method:
    """Import a method and build it from the run's config, with weights that the seed decides."""
    registration = registry.load_method(spec.method, spec.plugin)
    config = build(registration.method.config_class, spec.config)
    seed_everything(spec.seed, "weights")
    return registration.method(config, summary)


def _train(job: _Job, shared: Sequence[Path]) -> Trained:
    if not job.recipe.stages:
        return Trained([], None, 0.0)
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
    )
    where = job.device, job.weights
    return train(job.method, job.view, job.recipe, job.seed, *where, watchers, shared)


def _evaluate(job: _Job, trained: Trained) -> evaluation.Features:
    """Evaluate the last and the selected weights on test; the selected ones are primary."""
    test = job.data.splits["test"]
    features = _encode_test(job)
    scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    if trained.selected_epoch is not None:
        write_evaluation(job.evaluations / "last-epoch", scores, test)
    if trained.selected_epoch not in (None, len(trained.history)):
        _load_weights(job)
        features = _encode_test(job)
        scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    write_evaluation(job.evaluations / PRIMARY_EVALUATION, scores, test)
    reverse = evaluation.score_image_to_text(features, test)
    write_evaluation(job.evaluations / "image-to-text", reverse, test, query="image")
    return features


def _encode_test(job: _Job) -> evaluation.Features:
    test, pixels = job.data.splits["test"], job.data.pixels["test"]
    return evaluation.encode_split(job.method, test, pixels, job.device)


def _evaluated(spec: RunSpec, job: _Job, features: evaluation.Features) -> Evaluated:
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
    results.write_table(file, {name: [row.get(name) for row in history] for name in names})


def _keep_weights(folder: Path, keep: str) -> None:
    """Drop the weights that are not kept; the last ones go without their optimiser's state."""
    if keep == "none":
        shutil.rmtree(folder, ignore_errors=True)
        return
    last = folder / LAST
    if keep == "selected":
        last.unlink(missing_ok=True)
    elif last.is_file():
        state = torch.load(last, map_location="cpu", weights_only=True)["method"]
        torch.save(state, last)
