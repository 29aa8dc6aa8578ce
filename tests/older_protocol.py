"""Runs as version 1 of the protocol left them: ties in the dataset's order, and none recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from harness.data.digest import read_digest
from harness.files import write_json, write_table
from harness.metrics import QueryScores, score_queries, summarize
from harness.results.checksums import CHECKSUMS, hash_folder

TOP = 10


def make_older(run: Path) -> None:
    """Score a run without training, which ranks by cosine, anew by the older rule.

    Its further evaluations are removed.
    """
    [file] = run.glob("embeddings/*.safetensors")
    digest = read_digest(next(run.parents[2].glob(f"dataset-{file.stem[:12]}")))
    assert digest is not None
    of_captions = np.arange(len(digest.captions)), digest.person_of_caption
    of_images = np.asarray(digest.image_ids), digest.person_of_image
    stored = load_file(file)
    texts, images = (stored["texts"], *of_captions), (stored["images"], *of_images)
    for further in run.glob("evaluations/*/evaluation.json"):
        shutil.rmtree(further.parent)
    for folder in (run / "evaluations").iterdir():
        asked, gallery = (images, texts) if folder.name == "image-to-text" else (texts, images)
        scores = score_queries(asked[0], gallery[0], asked[2], gallery[2], top=TOP)
        write_json(folder / "metrics.json", summarize(scores))
        write_table(folder / "queries.parquet", _columns(scores, *asked[1:]))
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    means = json.loads((run / "evaluations/text-to-image/metrics.json").read_text("utf-8"))
    record |= {"metrics": means, "protocol": {**record["protocol"], "version": 1}}
    write_json(run / "run.json", record)
    write_json(run / CHECKSUMS, hash_folder(run))


def _columns(scores: QueryScores, ids: Any, people: Any) -> dict[str, Any]:
    return {
        "query_id": ids,
        "person_id": people,
        "first_hit": scores.first_hit,
        "average_precision": scores.average_precision,
        "inverse_negative_penalty": scores.inverse_negative_penalty,
        "hit_ranks": list(scores.hit_ranks),
        "top_rows": list(scores.top_rows),
        "top_scores": list(scores.top_scores),
    }
