"""Trained weights among a crowd, through an index: what it misses beside the exact scan, and saves.

An index holds the gallery and so much of the crowd, in the order that the protocol draws for ties,
and is asked all queries. It stands beside the evaluation without one, whose table tells what the
exact scan puts first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data.crowd_images import open_crowd
from harness.data.crowds import Crowd
from harness.evaluation.crowd_features import CrowdFeatures, features_folder, hash_weights
from harness.files import write_json
from harness.indexes import KINDS, Integers, library
from harness.metrics.approximation import Judged, Scan, judge, scan_all
from harness.metrics.neighbours import UnitFeatures, unit_features
from harness.plan.spec import FurtherEvaluation
from harness.progress import Update
from harness.results import EvaluationRecord, crowd_name, evaluation_path, read_evaluation
from harness.results.crowd import CROWD, CrowdTable, read_crowd
from harness.results.crowd_index import (
    INDEX,
    JUDGED,
    IndexTable,
    first_is_right,
    judged_sizes,
    write_index_table,
)
from harness.run.further import Evaluated, add_each, make_record
from harness.tie_order import IMAGES, tie_order

Say = Callable[[Update], None]


def add_indexed(
    run: Path,
    evaluations: Sequence[FurtherEvaluation],
    evaluated: Evaluated,
    size: tuple[int, int],
    say: Say,
) -> None:
    """Write evaluations through indexes below a run's folder, each whole or not at all.

    Each needs the one without an index among the same crowd. `size` is the height and width of
    images that the method takes.
    """
    opened: dict[tuple[str, int], _Galleries] = {}

    def make(wanted: FurtherEvaluation, folder: Path) -> EvaluationRecord:
        crowd = wanted.crowd
        assert crowd is not None
        exact = _read_exact(run, crowd)
        key = crowd.content, crowd.count
        if key not in opened:
            features = _read_features(wanted, crowd, evaluated, size, say)
            opened[key] = _Galleries(features, evaluated)
        return _ask(wanted, crowd, opened[key], exact, folder, say)

    add_each(run, evaluations, make)


def _read_exact(run: Path, crowd: Crowd) -> tuple[str, CrowdTable]:
    """Return the key and the table of the evaluation without an index.

    Raises ValueError: there is none.
    """
    place = evaluation_path(run, crowd_name(crowd.name))
    record = read_evaluation(place)
    if record is None or record.error:
        raise ValueError("the exact scan among the same distractors failed")
    return record.key, read_crowd(place / CROWD)


def _read_features(
    wanted: FurtherEvaluation, crowd: Crowd, evaluated: Evaluated, size: tuple[int, int], say: Say
) -> torch.Tensor:
    """Return the features of a crowd (N, D); only what was lost is encoded."""
    method = evaluated.method
    weights = hash_weights(method.state_dict())
    features = CrowdFeatures(features_folder(wanted.encoder, weights, crowd.content))

    def tell(done: int, count: int) -> None:
        say(Update(f"reading features of distractors: {done:,} of {count:,}"))

    features.encode(crowd.count, method, open_crowd(crowd, size), evaluated.device, tell)
    return torch.from_numpy(features.rows(0, crowd.count))


class _Galleries:
    """A gallery with more and more of a crowd; what a scan finds is kept for all indexes."""

    def __init__(self, crowd: torch.Tensor, evaluated: Evaluated) -> None:
        """`crowd` holds the features of strangers (N, D)."""
        self._split = evaluated.split
        self.gallery = len(self._split.image_ids)
        images = evaluated.features.images.embedding.cpu().float()
        together = torch.cat([images, crowd.float()])
        self._features = unit_features(evaluated.features.texts.embedding, together)
        self.scan: Callable[[int], Scan] = cache(lambda size: scan_all(self._among(size)))

    def judge(self, kind: str, size: int) -> tuple[Judged, Integers]:
        """Return what an index finds among so many strangers, and the person it puts first (Q,).

        A stranger, or nobody, is nobody whom a query asks for.
        """
        order = tie_order(self._split.fingerprint, IMAGES, self.gallery + size)
        features = self._among(size)
        rows = features.gallery.buffer.numpy()[order]
        queries = features.queries.buffer.numpy()[: features.query_size]
        found = judge(kind, queries, rows, self.scan(size))
        first = np.where(found.first >= 0, order[found.first], self.gallery)
        people = np.append(self._split.person_of_image, np.iinfo(np.int64).min)
        return found, people[np.minimum(first, self.gallery)]

    @property
    def people(self) -> Integers:
        """Whom queries ask for (Q,)."""
        return self._split.person_of_caption

    def _among(self, size: int) -> UnitFeatures:
        return self._features._replace(gallery_size=self.gallery + size)


def _ask(
    wanted: FurtherEvaluation,
    crowd: Crowd,
    galleries: _Galleries,
    exact: tuple[str, CrowdTable],
    folder: Path,
    say: Say,
) -> EvaluationRecord:
    key, table = exact
    sizes = judged_sizes(table.sizes)
    found, right = [], []
    for size in sizes:
        say(Update(f"asking {KINDS[crowd.index].title} among {size:,} distractors"))
        judged, first = galleries.judge(crowd.index, size)
        found.append(judged)
        right.append(first == galleries.people)
    kept = IndexTable(
        sizes,
        galleries.people,
        np.stack([one.found for one in found]).astype(np.int8),
        np.stack([one.nearest for one in found]),
        np.stack(right),
        first_is_right(table, sizes),
    )
    write_index_table(folder / INDEX, kept)
    costs = [
        _costs(crowd.index, galleries.gallery + size, one, galleries.scan(size))
        for size, one in zip(sizes, found, strict=True)
    ]
    figures = kept.figures(galleries.gallery)
    points = [{**of_rows, **cost} for of_rows, cost in zip(figures, costs, strict=True)]
    write_json(folder / JUDGED, {"gallery": galleries.gallery, "points": points})
    return replace(
        make_record(wanted),
        crowd={**crowd.told(), "exact": key, "library": library()},
        query_milliseconds=found[-1].milliseconds,
        cosine_milliseconds=galleries.scan(sizes[-1]).milliseconds,
    )


def _costs(kind: str, rows: int, judged: Judged, scan: Scan) -> dict[str, Any]:
    return {
        "settings": KINDS[kind].settings(rows),
        "milliseconds": judged.milliseconds,
        "scan_milliseconds": scan.milliseconds,
        "build_seconds": judged.build_seconds,
        "bytes": judged.bytes,
    }
