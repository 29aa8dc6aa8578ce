"""Evaluations on disk: the figures of a split, and what each query found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness import metrics
from harness.data.schema import Split
from harness.files import write_json, write_table
from harness.results import (
    MEANS,
    QUERIES,
    TIED,
)


def write_evaluation(
    folder: Path, scores: metrics.QueryScores, split: Split, query: str = "text"
) -> None:
    """Write `metrics.json` and `queries.parquet`. `query` is what was searched with: text or image.

    The rows of the table stand in the dataset's order.
    """
    by_text = query == "text"
    people = split.person_of_caption if by_text else split.person_of_image
    ids = np.arange(len(split.captions)) if by_text else np.asarray(split.image_ids)
    tied = 100.0 * float(scores.tied.mean())
    write_json(folder / MEANS, {**metrics.summarize(scores), TIED: tied})
    write_table(
        folder / QUERIES,
        {
            "query_id": ids,
            "person_id": people,
            "first_hit": scores.first_hit,
            "average_precision": scores.average_precision,
            "inverse_negative_penalty": scores.inverse_negative_penalty,
            "tied": scores.tied,
            "hit_ranks": list(scores.hit_ranks),
            "top_rows": list(scores.top_rows),
            "top_scores": list(scores.top_scores),
        },
    )
