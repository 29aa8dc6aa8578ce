"""Trained weights among a crowd: the test gallery with more and more people whom nobody asks for.

Features of the gallery and of the queries are those of the run; the crowd's are kept in half
precision. Scores are cosines: where a method gives its first candidates a second look, that is left
aside, and the record says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import evaluation
from harness.data.crowd_images import open_crowd
from harness.data.crowds import Crowd
from harness.evaluation.crowd_features import CrowdFeatures, features_folder, hash_weights
from harness.files import write_json
from harness.metrics.crowding import Crowding, ladder, score_crowd
from harness.plan.spec import FurtherEvaluation
from harness.progress import Update
from harness.results import EvaluationRecord
from harness.results.crowd import CROWD, CURVE, CrowdTable, write_crowd
from harness.run.further import Evaluated, add_each, make_record
from harness.tie_order import IMAGES, tie_order

SHOWN_EVERY = 1.0  # seconds


def add_crowds(
    run: Path,
    evaluations: Sequence[FurtherEvaluation],
    evaluated: Evaluated,
    size: tuple[int, int],
    say: Callable[[Update], None],
) -> None:
    """Write evaluations among crowds below a run's folder, each whole or not at all.

    One that fails is recorded with its error, and the others go on; what was encoded is kept.
    `size` is the height and width of images that the method takes.
    """
    add_each(run, evaluations, lambda wanted, folder: _ask(wanted, evaluated, size, folder, say))


def _ask(
    wanted: FurtherEvaluation,
    evaluated: Evaluated,
    size: tuple[int, int],
    folder: Path,
    say: Callable[[Update], None],
) -> EvaluationRecord:
    crowd = wanted.crowd
    assert crowd is not None
    method = evaluated.method
    weights = hash_weights(method.state_dict())
    features = CrowdFeatures(features_folder(wanted.encoder, weights, crowd.content))
    began = time.perf_counter()
    encoded = features.encode(
        crowd.count, method, open_crowd(crowd, size), evaluated.device, _Pace(crowd, say)
    )
    between = time.perf_counter()
    say(Update(f"ranking {crowd.count:,} distractors"))
    found = _score(crowd, features, evaluated)
    ended = time.perf_counter()
    table = _table(found, evaluated)
    write_crowd(folder / CROWD, table)
    gallery = len(evaluated.split.image_ids)
    write_json(folder / CURVE, {"gallery": gallery, "curve": table.curve(gallery)})
    left_aside = bool(evaluated.candidates) and evaluation.rescores(method)
    told = {
        **crowd.told(),
        "second_look_left_aside": left_aside,
        "encoded": encoded,
        "encoding_seconds": between - began,
        "scoring_seconds": ended - between,
        "bytes": features.bytes(crowd.count),
    }
    queries = len(evaluated.split.captions)
    cost = 1000 * (ended - between) / queries
    return replace(make_record(wanted), crowd=told, query_milliseconds=cost)


def _score(crowd: Crowd, features: CrowdFeatures, evaluated: Evaluated) -> Crowding:
    split = evaluated.split
    rows = len(split.image_ids) + crowd.count
    return score_crowd(
        evaluated.features.texts.embedding,
        evaluated.features.images.embedding,
        (split.person_of_caption, split.person_of_image),
        features.rows,
        np.argsort(tie_order(split.fingerprint, IMAGES, rows)),
        ladder(crowd.count),
    )


def _table(found: Crowding, evaluated: Evaluated) -> CrowdTable:
    return CrowdTable(
        found.sizes,
        evaluated.split.person_of_caption,
        np.diff(found.hit_offsets),
        found.hit_ranks,
        found.hit_scores,
        found.other_scores,
        found.tied,
    )


class _Pace:
    """Says how far encoding is, and how many images a second it takes."""

    def __init__(self, crowd: Crowd, say: Callable[[Update], None]) -> None:
        self._doing = "drawing and encoding" if crowd.look else "encoding"
        self._say = say
        self._began = self._said = time.perf_counter()
        self._first = -1

    def __call__(self, done: int, count: int) -> None:
        now = time.perf_counter()
        if self._first < 0:
            self._first = done  # what was encoded before tells of no pace
        if now - self._said < SHOWN_EVERY and done < count:
            return
        self._said = now
        pace = (done - self._first) / max(now - self._began, 1e-9)
        told = f" ({pace:.0f} a second)" if done > self._first else ""
        self._say(Update(f"{self._doing} distractors: {done:,} of {count:,}{told}"))
