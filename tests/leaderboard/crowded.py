"""Evaluations among crowds as they stand on disk: what tests of pages are made from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import write_json
from harness.indexes import KINDS
from harness.results import EvaluationRecord
from harness.results.crowd import CROWD, CURVE, CrowdTable, write_crowd
from harness.results.crowd_index import (
    INDEX,
    JUDGED,
    IndexTable,
    first_is_right,
    judged_sizes,
    write_index_table,
)

QUERIES = 96
SIZES = (0, 100, 300, 1000, 3000, 10_000, 30_000)


def answered(seed: int, falls: float) -> CrowdTable:
    """Return what 96 queries of 24 people find, of whose first matches more are passed later."""
    draw = np.random.default_rng([seed, 7])
    chances = draw.beta(falls, 60.0, QUERIES)
    grown = np.diff(SIZES)[:, None]
    before = np.cumsum(draw.binomial(grown, chances), axis=0)
    first = draw.integers(1, 4, QUERIES)
    scores = draw.random((len(SIZES), QUERIES)).astype(np.float32)
    return CrowdTable(
        SIZES,
        np.repeat(np.arange(24), 4),
        np.ones(QUERIES, np.int64),
        np.concatenate([first[None], first + before]),
        draw.random(QUERIES).astype(np.float32),
        np.maximum.accumulate(scores, axis=0),
        np.zeros((len(SIZES), QUERIES), np.bool_),
    )


def through(table: CrowdTable, kind: str) -> IndexTable:
    """Return what an index found beside a scan: all but the last of ten, and of one query none."""
    sizes = judged_sizes(table.sizes)
    right = first_is_right(table, sizes)
    found = np.full(right.shape, 10 if kind == "flat" else 9, np.int8)
    found[:, -1] = 0
    nearest = found > 0
    return IndexTable(sizes, table.people, found, nearest, right & nearest, right)


def add_index(run: Path, table: CrowdTable, kind: str, name: str = "30000", **crowd: Any) -> Path:
    """Write an evaluation through an index beside that of `add_crowd`."""
    place = run / f"evaluations/index-{kind}-among-{name}"
    told = {
        "name": name, "title": "30,000 drawn people", "content": "c" * 64, "exact": "k",
        "count": table.sizes[-1], "index": kind, "library": "faiss 1.15.1", **crowd,
    }  # fmt: skip
    record = EvaluationRecord(key="i", crowd=told, command="harness evaluate --index hnsw")
    found = through(table, kind)
    costs = {
        "settings": KINDS[kind].settings(30_072), "milliseconds": 0.25, "scan_milliseconds": 1.5,
        "build_seconds": 3.0, "bytes": 8_100_000,
    }  # fmt: skip
    write_json(place / "evaluation.json", asdict(record))
    points = [{**point, **costs} for point in found.figures(72)]
    write_json(place / JUDGED, {"gallery": 72, "points": points})
    write_index_table(place / INDEX, found)
    return place


def add_crowd(run: Path, table: CrowdTable, name: str = "30000", **crowd: Any) -> Path:
    """Write an evaluation among a crowd below a finished run."""
    place = run / f"evaluations/among-{name}"
    told = {
        "name": name, "title": "30,000 drawn people", "content": "c" * 64,
        "count": table.sizes[-1], "second_look_left_aside": False, **crowd,
    }  # fmt: skip
    record = EvaluationRecord(key="k", crowd=told, command="harness evaluate --distractors 30000")
    write_json(place / "evaluation.json", asdict(record))
    write_json(place / CURVE, {"gallery": 72, "curve": table.curve(72)})
    write_crowd(place / CROWD, table)
    return place
