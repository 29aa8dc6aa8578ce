"""Trained weights scored in another way: what a run's folder holds beside its own evaluation.

A re-ranking works on embeddings: where a method re-scores its first candidates, those scores are
left aside. Other queries and other datasets are scored as the run's own are.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from harness import evaluation, metrics, results
from harness.data.declaration import Located
from harness.data.given_dialogues import read_given_dialogues, texts_after
from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.data.sightings import read_sightings
from harness.errors import describe_error
from harness.evaluation import TOP, Features
from harness.evaluation.clock import seconds
from harness.evaluation.dialogues import Interviews
from harness.evaluation.queries import transform_queries
from harness.evaluation.several import put_together, score_together
from harness.evaluation.write import write_evaluation
from harness.files import UNFINISHED, process_tag
from harness.method import Method
from harness.plan.spec import FurtherEvaluation
from harness.rerank import Reranking, parse_reranking
from harness.results import EvaluationRecord
from harness.results.protocols import Dialogue, Several, Witness, protocol_of

WARM_UP = 64  # rows on which compiled code is loaded before the clock runs

Maker = Callable[[FurtherEvaluation, "Evaluated", Path], EvaluationRecord]


@dataclass(frozen=True)
class Evaluated:
    """A trained method with its features of the test split."""

    method: Method
    features: Features
    split: Split
    located: Located
    scale: str
    candidates: int
    device: torch.device
    open_test: Callable[[Located], tuple[Split, Pixels]]  # of another dataset

    @cached_property
    def interviews(self) -> Interviews:
        """Dialogues about the images, whose rounds follow from one another."""
        sightings = read_sightings(self.located, self.split)
        asked = self.method, self.features, self.split, sightings, self.candidates
        return Interviews(*asked, self.device)


def add_evaluations(
    run: Path, evaluations: Sequence[FurtherEvaluation], evaluated: Evaluated
) -> None:
    """Write evaluations below a run's folder, each whole or not at all.

    One that fails is recorded with its error, and the others go on.
    """
    add_each(run, evaluations, lambda wanted, folder: _maker(wanted)(wanted, evaluated, folder))


def add_each(
    run: Path,
    evaluations: Sequence[FurtherEvaluation],
    make: Callable[[FurtherEvaluation, Path], EvaluationRecord],
) -> None:
    """Write evaluations that `make` makes in a folder, as `add_evaluations` does."""
    for wanted in evaluations:
        unfinished = _working_folder(run, wanted)
        try:
            record = make(wanted, unfinished)
        except Exception as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            record = _failed(wanted, error)
        results.finish_evaluation(record, unfinished, run, wanted.name)


def _maker(wanted: FurtherEvaluation) -> Maker:
    if wanted.on:
        return _ask_other_data
    return _rerank if wanted.rerank else _ask_other_queries


def record_failure(run: Path, evaluations: Sequence[FurtherEvaluation], error: Exception) -> None:
    """Record that evaluations could not be made."""
    for wanted in evaluations:
        unfinished = _working_folder(run, wanted)
        results.finish_evaluation(_failed(wanted, error), unfinished, run, wanted.name)


def _working_folder(run: Path, wanted: FurtherEvaluation) -> Path:
    """Return where an evaluation is made, with nothing in it."""
    name = results.evaluation_path(run, wanted.name).name
    folder = run / f"{name}.{process_tag()}{UNFINISHED}"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _rerank(wanted: FurtherEvaluation, evaluated: Evaluated, folder: Path) -> EvaluationRecord:
    features, split = evaluated.features, evaluated.split
    reranking = parse_reranking(wanted.rerank)
    _warm_up(reranking, features)
    began = seconds(evaluated.device)
    scores = evaluation.score_reranked(reranking, features, split)
    between = seconds(evaluated.device)
    _score_by_cosine(features, split)
    ended = seconds(evaluated.device)
    write_evaluation(folder, scores, split)
    queries = len(split.captions)
    return replace(
        make_record(wanted),
        query_milliseconds=1000 * (between - began) / queries,
        cosine_milliseconds=1000 * (ended - between) / queries,
    )


def _ask_other_queries(
    wanted: FurtherEvaluation, evaluated: Evaluated, folder: Path
) -> EvaluationRecord:
    protocol = protocol_of(wanted.queries)
    if isinstance(protocol, Several):
        scores, unchanged = _ask_together(protocol, evaluated)
    elif isinstance(protocol, Witness):
        scores, unchanged = evaluated.interviews.score(protocol)
    elif isinstance(protocol, Dialogue):
        scores, unchanged = _ask_given(protocol, evaluated)
    else:
        scores, unchanged = _ask_changed(wanted.queries, evaluated)
    write_evaluation(folder, scores, evaluated.split)
    return replace(make_record(wanted), unchanged=unchanged)


def _ask_changed(name: str, evaluated: Evaluated) -> tuple[metrics.QueryScores, int]:
    """Ask captions as a transform changes them; return how many it left as they were, too."""
    method, before = evaluated.method, evaluated.split
    split = transform_queries(name, before, evaluated.located, evaluated.scale)
    features = evaluation.with_captions(
        evaluated.features, method, split.captions, evaluated.device
    )
    scores = evaluation.score_text_to_image(method, features, split, evaluated.candidates)
    kept = zip(split.captions, before.captions, strict=True)
    return scores, sum(one == other for one, other in kept)


def _ask_together(protocol: Several, evaluated: Evaluated) -> tuple[metrics.QueryScores, int]:
    """Ask several captions of a person as one; return how many of them had too few, too."""
    method, features, split = evaluated.method, evaluated.features, evaluated.split
    together = put_together(split, protocol.people)
    asked = method, features, split, evaluated.candidates, together, protocol.fusion
    return score_together(*asked), int((together.counts < protocol.people).sum())


def _ask_given(protocol: Dialogue, evaluated: Evaluated) -> tuple[metrics.QueryScores, int]:
    """Ask what was said in dialogues of the dataset; return how many captions had none, too."""
    chats = read_given_dialogues(evaluated.located, evaluated.split)
    texts, kept = texts_after(evaluated.split, chats, protocol.round + 1)
    method, device = evaluated.method, evaluated.device
    features = evaluation.with_captions(evaluated.features, method, texts, device)
    asked = method, features, evaluated.split, evaluated.candidates
    return evaluation.score_text_to_image(*asked), kept


def _ask_other_data(
    wanted: FurtherEvaluation, evaluated: Evaluated, folder: Path
) -> EvaluationRecord:
    assert wanted.on is not None
    split, pixels = evaluated.open_test(wanted.on)
    features = evaluation.encode_split(evaluated.method, split, pixels, evaluated.device)
    scores = evaluation.score_text_to_image(evaluated.method, features, split, evaluated.candidates)
    write_evaluation(folder, scores, split)
    return make_record(wanted)


def _score_by_cosine(features: Features, split: Split) -> metrics.QueryScores:
    queries, gallery = features.texts.embedding, features.images.embedding
    people = split.person_of_caption, split.person_of_image
    return metrics.score_queries(queries, gallery, *people, top=TOP)


def _warm_up(reranking: Reranking, features: Features) -> None:
    texts, images = features.texts.embedding, features.images.embedding
    deque(reranking(texts[:WARM_UP], images[:WARM_UP]), maxlen=0)


def _failed(wanted: FurtherEvaluation, error: Exception) -> EvaluationRecord:
    return replace(make_record(wanted), error=describe_error(error))


def make_record(wanted: FurtherEvaluation) -> EvaluationRecord:
    """Return what is known of an evaluation before it is made."""
    return EvaluationRecord(
        key=wanted.key,
        rerank=wanted.rerank,
        queries=wanted.queries,
        on=_told(wanted.on) if wanted.on else {},
        crowd=wanted.crowd.told() if wanted.crowd else {},
        reported_as=wanted.reported_as,
        command=wanted.command,
    )


def _told(located: Located) -> dict[str, Any]:
    declaration = located.declaration
    return {
        "name": declaration.name,
        "title": declaration.title,
        "drawn": declaration.drawn is not None,
        "fingerprint": located.fingerprint,
    }
