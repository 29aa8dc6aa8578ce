"""Evaluations among crowds as they stand on disk: what tests of pages are made from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.files import write_json
from harness.results import EvaluationRecord
from harness.results.crowd import CROWD, CURVE, CrowdTable, write_crowd

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
