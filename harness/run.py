"""One run, in a process of its own: seed -> data -> train -> evaluate -> record."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import evaluation, metrics, paths, registry, results
from harness.data.loading import load_split
from harness.data.pixels import Pixels, open_pixels
from harness.data.schema import Split, TrainView
from harness.describe import build
from harness.method import Method, Recipe, Supervision, TrainSummary
from harness.plan import PROTOCOL, RunSpec
from harness.results import PRIMARY_EVALUATION, RunRecord
from harness.seeding import seed_everything
from harness.training import LAST, SELECTED, Progress, Trained, Watchers, train

PACKAGES = ("torch", "open_clip_torch", "transformers", "accelerate", "datasets", "numpy")


@dataclass(frozen=True)
class Options:
    """How runs are executed; nothing here changes what a run means."""

    results: Path
    device: str = "auto"
    pixel_cache: bool = True
    keep: str = "selected"  # none, selected or all
    jobs: int = 1


@dataclass(frozen=True)
class Update:
    """What a worker says while it runs."""

    doing: str
    progress: Progress | None = None


def execute(spec: RunSpec, options: Options, say: Callable[[Update], None]) -> RunRecord:
    """Execute a run and put its folder in place, whatever happens: an error is a record too."""
    work = prepare_folder(spec, options)
    record = start_record(spec)
    began = time.perf_counter()
    try:
        record = _execute(spec, options, work, record, say)
    except Exception as error:
        record = replace(record, status="error", error=registry.describe_error(error))
    record = replace(
        record,
        total_seconds=time.perf_counter() - began,
        peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    (work / "key").unlink(missing_ok=True)
    results.finish_run(record, spec.path(options.results))
    return record


def start_record(spec: RunSpec) -> RunRecord:
    """Return what is known of a run before it starts."""
    declaration = spec.located.declaration
    description = spec.description
    return RunRecord(
        status="ok",
        key=spec.key,
        suite=spec.suite,
        dataset=spec.dataset,
        method=spec.method,
        variant=spec.variant,
        seed=spec.seed,
        scale=spec.scale,
        title=description["title"],
        summary=description["summary"],
        paper=description["paper"],
        url=description["url"],
        supervision=spec.config["supervision"],
        changes=spec.changes,
        tables=spec.tables,
        config=spec.config,
        recipe=spec.recipe,
        protocol=PROTOCOL,
        data={
            "title": declaration.title,
            "fingerprint": spec.located.fingerprint,
            "drawn": declaration.drawn is not None,
            "note": declaration.note,
            "licence": declaration.licence,
            "url": declaration.url,
        },
        environment={"python": platform.python_version(), "platform": platform.platform()},
        command=spec.command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def prepare_folder(spec: RunSpec, options: Options) -> Path:
    """Return the folder a run works in.

    Checkpoints of an interrupted run of the same content stay in it; anything else is cleared.
    """
    work = results.working_folder(spec.path(options.results))
    marker = work / "key"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != spec.key:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        marker.write_text(spec.key, encoding="utf-8")
    return work


def _execute(
    spec: RunSpec,
    options: Options,
    work: Path,
    record: RunRecord,
    say: Callable[[Update], None],
) -> RunRecord:
    recipe = build(Recipe, spec.recipe)
    torch.set_num_threads(recipe.threads or max(1, (os.cpu_count() or 1) // options.jobs))
    device = choose_device(options.device)
    # On the CPU every operation repeats its bits as it is; there the switch would only cost time.
    torch.use_deterministic_algorithms(device.type == "cuda", warn_only=True)
    say(Update("loading"))
    data = _Data.open(spec, options, say)
    view = TrainView(
        data.splits["train"],
        data.pixels["train"],
        Supervision(spec.config["supervision"]),
        spec.seed,
    )
    method = build_method(spec, view.summary())
    trained = _train(method, view, recipe, spec, data, device, work, say)
    record = replace(
        record,
        parameters=sum(parameter.numel() for parameter in method.parameters()),
        train_seconds=trained.seconds,
        selected_epoch=trained.selected_epoch,
        data={**record.data, "counts": {n: split.counts for n, split in data.splits.items()}},
        environment={**record.environment, **_environment(device, options.jobs)},
    )
    if trained.history:
        _write_history(work / "history.parquet", trained.history)
    say(Update("evaluating"))
    return _evaluate(method, recipe, data, device, work, options, record)


@dataclass(frozen=True)
class _Data:
    """The three splits with their pixels."""

    splits: dict[str, Split]
    pixels: dict[str, Pixels]

    @classmethod
    def open(cls, spec: RunSpec, options: Options, say: Callable[[Update], None]) -> _Data:
        names = ("train", "val", "test")
        splits = {name: load_split(spec.located, name) for name in names}
        folder = paths.cache_folder() / "pixels" / spec.located.fingerprint[:24]
        height, width = spec.config["image_size"]
        pixels = {
            name: open_pixels(
                splits[name],
                (height, width),
                folder if options.pixel_cache else None,
                lambda done, count: say(Update(f"decoding {done} of {count} images")),
            )
            for name in names
        }
        return cls(splits, pixels)


def build_method(spec: RunSpec, summary: TrainSummary) -> Method:
    """Import a method and build it from the run's config, with weights that the seed decides."""
    registration = registry.load_method(spec.method, spec.plugin)
    config = build(registration.method.config_class, spec.config)
    seed_everything(spec.seed, "weights")
    return registration.method(config, summary)


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" takes the first of cuda, mps and cpu that is there."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _train(
    method: Method,
    view: TrainView,
    recipe: Recipe,
    spec: RunSpec,
    data: _Data,
    device: torch.device,
    work: Path,
    say: Callable[[Update], None],
) -> Trained:
    if not recipe.stages:
        return Trained([], None, 0.0)
    val, train_split = data.splits["val"], data.splits["train"]

    def validate(method: Method) -> dict[str, float]:
        features = evaluation.encode_split(method, val, data.pixels["val"], device)
        candidates = recipe.candidates // 4  # re-scoring val in full would dominate an epoch
        scores = evaluation.score_text_to_image(method, features, val, candidates, top=0)
        return metrics.summarize(scores)

    def judge(images: torch.Tensor, captions: torch.Tensor) -> int:
        image_rows, caption_rows = view.rows(images, captions)
        same = (
            train_split.person_of_image[image_rows] == train_split.person_of_caption[caption_rows]
        )
        return int(np.sum(same))

    watchers = Watchers(validate, judge, lambda progress: say(Update("training", progress)))
    return train(method, view, recipe, spec.seed, device, work / "weights", watchers)


def _evaluate(
    method: Method,
    recipe: Recipe,
    data: _Data,
    device: torch.device,
    work: Path,
    options: Options,
    record: RunRecord,
) -> RunRecord:
    """Evaluate the selected and the last weights on test; the selected ones are primary."""
    test, pixels = data.splits["test"], data.pixels["test"]
    weights = work / "weights"
    if record.selected_epoch is not None:
        last = evaluation.encode_split(method, test, pixels, device)
        scores = evaluation.score_text_to_image(method, last, test, recipe.candidates)
        _write_evaluation(work, "last-epoch", scores, test, "text")
        selected = torch.load(weights / SELECTED, map_location=device, weights_only=True)
        method.load_state_dict(selected)
    features = evaluation.encode_split(method, test, pixels, device)
    scores = evaluation.score_text_to_image(method, features, test, recipe.candidates)
    reverse = evaluation.score_image_to_text(features, test)
    _write_evaluation(work, "image-to-text", reverse, test, "image")
    primary = _write_evaluation(work, PRIMARY_EVALUATION, scores, test, "text")
    _keep_weights(weights, options.keep)
    return replace(
        record,
        metrics=primary,
        image_milliseconds=features.image_milliseconds,
        text_milliseconds=features.text_milliseconds,
    )


def _write_evaluation(
    work: Path, name: str, scores: metrics.QueryScores, split: Split, query: str
) -> dict[str, float]:
    """Write an evaluation and return its metrics. `query` is what was searched with."""
    by_text = query == "text"
    people = split.person_of_caption if by_text else split.person_of_image
    ids = np.arange(len(split.captions)) if by_text else np.asarray(split.image_ids)
    summary = metrics.summarize(scores)
    folder = work / "evaluations" / name
    results.write_json(folder / "metrics.json", summary)
    results.write_table(
        folder / "queries.parquet",
        {
            "query_id": ids,
            "person_id": people,
            "first_hit": scores.first_hit,
            "average_precision": scores.average_precision,
            "inverse_negative_penalty": scores.inverse_negative_penalty,
            "hit_ranks": list(scores.hit_ranks),
            "top_rows": list(scores.top_rows),
            "top_scores": list(scores.top_scores),
        },
    )
    return summary


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


def _environment(device: torch.device, jobs: int) -> dict[str, Any]:
    """Return what a reader needs to know of the machine and the packages."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "packages": versions,
        "commit": _git_commit(),
        "device": _device_name(device),
        "threads": torch.get_num_threads(),
        "jobs": jobs,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {os.cpu_count()} cores, {platform.machine()}"


def _git_commit() -> str:
    """Return the commit of the checkout the harness runs from, if it is one."""
    import subprocess

    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
