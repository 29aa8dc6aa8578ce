"""The weights of a run on the test split."""

from __future__ import annotations

import json

import torch

from harness import evaluation
from harness.errors import HarnessError
from harness.evaluation.embeddings import read_embeddings, write_embeddings
from harness.evaluation.write import write_evaluation
from harness.plan.spec import RunSpec
from harness.registry.scales import parse_scale
from harness.results import (
    LAST_EVALUATION,
    MEANS,
    PRIMARY_EVALUATION,
    REVERSE_EVALUATION,
    SELECTED,
)
from harness.run.further import Evaluated
from harness.run.open_run import OpenRun
from harness.training import TrainingResult
from harness.training.checkpoints import load_state


def primary_metrics(opened: OpenRun) -> dict[str, float]:
    """Return the figures of the primary evaluation, as they are written."""
    file = opened.evaluations / PRIMARY_EVALUATION / MEANS
    metrics: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return metrics


def load_weights(opened: OpenRun, name: str = SELECTED) -> None:
    """Load weights that a run has stored, or, where nothing was trained, none."""
    if not opened.recipe.stages:
        return
    file = opened.weights / name
    if not file.is_file():
        raise HarnessError(
            f"its weights were not kept ({file} is missing): train it again with --force and "
            "--keep selected."
        )
    state = torch.load(file, map_location=opened.device, weights_only=True)
    load_state(opened.method, state)


def score_run(opened: OpenRun, trained: TrainingResult) -> evaluation.Features:
    """Evaluate the last and the selected weights on test; the selected ones are primary."""
    test = opened.data.splits["test"]
    features = encode_test(opened)
    scores = evaluation.score_text_to_image(opened.method, features, test, opened.recipe.candidates)
    if trained.selected_epoch is not None and trained.epoch == len(trained.history):
        write_evaluation(opened.evaluations / LAST_EVALUATION, scores, test)
    if trained.selected_epoch != trained.epoch:
        load_weights(opened)
        features = encode_test(opened)
        scores = evaluation.score_text_to_image(
            opened.method, features, test, opened.recipe.candidates
        )
    write_evaluation(opened.evaluations / PRIMARY_EVALUATION, scores, test)
    write_embeddings(opened.embeddings(opened.located), features.embeddings)
    reverse = evaluation.score_image_to_text(features, test)
    write_evaluation(opened.evaluations / REVERSE_EVALUATION, reverse, test, query="image")
    return features


def encode_test(opened: OpenRun, stored: bool = False) -> evaluation.Features:
    """Encode the test split with the weights as they are, or take what the run has stored."""
    test, pixels = opened.data.splits["test"], opened.data.pixels["test"]
    embeddings = read_embeddings(opened.embeddings(opened.located), test) if stored else None
    return evaluation.encode_split(opened.method, test, pixels, opened.device, embeddings)


def evaluated(spec: RunSpec, opened: OpenRun, features: evaluation.Features) -> Evaluated:
    """Return what further evaluations of a run start from."""
    return Evaluated(
        method=opened.method,
        features=features,
        split=opened.data.splits["test"],
        located=spec.located,
        scale=parse_scale(spec.scale)[0],
        candidates=opened.recipe.candidates,
        device=opened.device,
        open_test=opened.open_test,
    )
