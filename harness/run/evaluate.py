"""The weights of a run on the test split."""

from __future__ import annotations

import json

import torch

from harness import evaluation
from harness.errors import HarnessError
from harness.evaluation.embeddings import read_embeddings, write_embeddings
from harness.evaluation.write import write_evaluation
from harness.plan.spec import RunSpec
from harness.results import (
    LAST_EVALUATION,
    MEANS,
    PRIMARY_EVALUATION,
    REVERSE_EVALUATION,
    SELECTED,
)
from harness.run.further import Evaluated
from harness.run.job import Job
from harness.training import Trained


def primary_metrics(job: Job) -> dict[str, float]:
    """Return the figures of the primary evaluation, as they are written."""
    file = job.evaluations / PRIMARY_EVALUATION / MEANS
    metrics: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return metrics


def load_weights(job: Job, name: str = SELECTED) -> None:
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


def score_job(job: Job, trained: Trained) -> evaluation.Features:
    """Evaluate the last and the selected weights on test; the selected ones are primary."""
    test = job.data.splits["test"]
    features = encode_test(job)
    scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    if trained.selected_epoch is not None and trained.epoch == len(trained.history):
        write_evaluation(job.evaluations / LAST_EVALUATION, scores, test)
    if trained.selected_epoch != trained.epoch:
        load_weights(job)
        features = encode_test(job)
        scores = evaluation.score_text_to_image(job.method, features, test, job.recipe.candidates)
    write_evaluation(job.evaluations / PRIMARY_EVALUATION, scores, test)
    write_embeddings(job.embeddings(job.located), features.embeddings)
    reverse = evaluation.score_image_to_text(features, test)
    write_evaluation(job.evaluations / REVERSE_EVALUATION, reverse, test, query="image")
    return features


def encode_test(job: Job, stored: bool = False) -> evaluation.Features:
    """Encode the test split with the weights as they are, or take what the run has stored."""
    test, pixels = job.data.splits["test"], job.data.pixels["test"]
    embeddings = read_embeddings(job.embeddings(job.located), test) if stored else None
    return evaluation.encode_split(job.method, test, pixels, job.device, embeddings)


def evaluated(spec: RunSpec, job: Job, features: evaluation.Features) -> Evaluated:
    """Return what further evaluations of a run start from."""
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
