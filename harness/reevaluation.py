"""Trained weights scored in another way: what `--rerank` asks for, added to a run's folder.

A re-ranking works on embeddings: where a method re-scores its first candidates, those scores are
left aside.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from harness import metrics, registry, results
from harness.data.schema import Split
from harness.evaluation import TOP, Features
from harness.evaluation_files import write_evaluation
from harness.rerank import Reranking, parse_reranking
from harness.results import EvaluationRecord
from harness.spec import FurtherEvaluation

WARM_UP = 64  # rows on which compiled code is loaded before the clock runs


def add_evaluations(
    run: Path, evaluations: Sequence[FurtherEvaluation], features: Features, split: Split
) -> None:
    """Write evaluations below a run's folder, each whole or not at all.

    One that fails is recorded with its error, and the others go on.
    """
    for wanted in evaluations:
        place = results.evaluation_path(run, wanted.rerank)
        unfinished = run / f"{place.name}.{results.process_tag()}{results.UNFINISHED}"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            record = _evaluate(wanted, features, split, unfinished)
        except Exception as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            record = _failed(wanted, error)
        results.write_json(unfinished / "evaluation.json", asdict(record))
        shutil.rmtree(place, ignore_errors=True)
        results.put_in_place(unfinished, place)


def record_failure(run: Path, evaluations: Sequence[FurtherEvaluation], error: Exception) -> None:
    """Record that evaluations could not be made."""
    for wanted in evaluations:
        place = results.evaluation_path(run, wanted.rerank)
        results.write_json(place / "evaluation.json", asdict(_failed(wanted, error)))


def _evaluate(
    wanted: FurtherEvaluation, features: Features, split: Split, folder: Path
) -> EvaluationRecord:
    reranking = parse_reranking(wanted.rerank)
    _warm_up(reranking, features)
    began = time.perf_counter()
    scores = _score(reranking, features, split)
    between = time.perf_counter()
    _score_by_cosine(features, split)
    ended = time.perf_counter()
    write_evaluation(folder, scores, split)
    queries = len(split.captions)
    return replace(
        _record(wanted),
        query_milliseconds=1000 * (between - began) / queries,
        cosine_milliseconds=1000 * (ended - between) / queries,
    )


def _score(reranking: Reranking, features: Features, split: Split) -> metrics.QueryScores:
    rows = reranking(features.texts.embedding, features.images.embedding)  # chunks (c, M)
    return metrics.score_rows(rows, split.person_of_caption, split.person_of_image, top=TOP)


def _score_by_cosine(features: Features, split: Split) -> metrics.QueryScores:
    queries, gallery = features.texts.embedding, features.images.embedding
    people = split.person_of_caption, split.person_of_image
    return metrics.score_queries(queries, gallery, *people, top=TOP)


def _warm_up(reranking: Reranking, features: Features) -> None:
    texts, images = features.texts.embedding, features.images.embedding
    deque(reranking(texts[:WARM_UP], images[:WARM_UP]), maxlen=0)


def _failed(wanted: FurtherEvaluation, error: Exception) -> EvaluationRecord:
    return replace(_record(wanted), error=registry.describe_error(error))


def _record(wanted: FurtherEvaluation) -> EvaluationRecord:
    return EvaluationRecord(wanted.key, wanted.rerank, wanted.reported_as, wanted.command)
