"""Finished runs as they stand on disk, with drawn answers: what tests of pages are made from."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from PIL import Image

from harness.data.digest import digest_path
from harness.files import write_json, write_table
from harness.results import (
    SCHEMA_VERSION,
    EvaluationRecord,
    RunRecord,
    evaluation_path,
    finish_run,
    run_path,
    working_folder,
)
from harness.results.handed_in import HandedFile, HandedIn

from ..made_once import Make

HISTORY = {
    "epoch": [1, 2, 3],
    "stage": [0, 0, 1],
    "loss": [3.5, 2.25, 1.75],
    "loss/itc": [2.0, 1.25, 1.0],
    "loss/sdm": [1.5, 1.0, 0.75],
    "val_r1": [10.0, 22.0, 21.0],
    "pairs/mined/count": [0, 60, 90],
    "pairs/mined/right": [None, 0.75, 0.875],
}
PEOPLE, IMAGES_EACH, CAPTIONS_EACH = 24, 3, 4  # of the small test split that is answered about


@dataclass(frozen=True)
class Recorder:
    """Adds finished runs to a results folder, and what belongs to them."""

    results: Path

    def add_run(
        self, method: str, r1: float | None = None, *, seed: int = 0, history: bool = True,
        **fields: Any,
    ) -> Path:  # fmt: skip
        """Finish a run; keyword arguments replace fields of its record."""
        metrics = {} if r1 is None else percentages(r1)
        record = RunRecord(**(record_fields(method, seed) | {"metrics": metrics} | fields))
        where = record.suite, record.dataset, method, record.variant, record.seed
        path = run_path(self.results, *where)
        work = working_folder(path)
        work.mkdir(parents=True)
        if record.status == "ok":
            write_json(work / "evaluations/text-to-image/metrics.json", metrics)
            write_json(work / "evaluations/image-to-text/metrics.json", percentages(77.7))
        if history:
            write_table(work / "history.parquet", HISTORY)
        finish_run(record, path)
        return path

    def add_answers(self, method: str, skill: float, *, seed: int = 0, **fields: Any) -> Path:
        """Finish a run with what it retrieved for every query.

        The scores are drawn: `skill` is how far right images stand above wrong ones. The queries
        are those that `add_digest` tells of.
        """
        name = f"{method}/{fields.get('variant', 'full')}"
        queries, r1 = draw_queries(name, seed, skill)
        path = self.add_run(method, r1, seed=seed, **fields)
        write_table(path / "evaluations/text-to-image/queries.parquet", queries)
        return path

    def add_small(self) -> None:
        """Finish runs of three methods: seeds, an ablation and a failed run."""
        error = {
            "kind": "FloatingPointError",
            "message": "loss 'itc' is nan",
            "traceback": "Traceback (most recent call last):\n"
            "FloatingPointError: loss 'itc' is nan",
        }
        for seed, r1 in enumerate((40.0, 41.0, 45.0)):
            self.add_run("beta", r1, seed=seed, tables=(("Table 4", "Full", 1),))
            self.add_run(
                "beta", r1 - 10, seed=seed, variant="w/o SDM",
                tables=(("Table 4", "without SDM", 0),), changes={"losses": {"itc": 1.0}},
                started=f"2025-02-0{seed + 1}T00:00:00+00:00",
            )  # fmt: skip
        for seed, r1 in enumerate((50.0, 51.0)):
            self.add_run("alpha", r1, seed=seed)
        self.add_run("alpha", seed=2, status="error", error=error, history=False)
        self.add_run("gamma", 12.5, seed=0, history=False, selected_epoch=None)

    def add_digest(
        self, shown: bool = True, captions: Sequence[str] = (), dataset: str = "paperdolls"
    ) -> Path:
        """Write the digest of the split that `add_answers` answers about."""
        fingerprint = record_fields("any", 0)["data"]["fingerprint"]
        path = digest_path(self.results, "demo", dataset, fingerprint)
        images, queries = PEOPLE * IMAGES_EACH, PEOPLE * CAPTIONS_EACH
        written = [*captions, *(f"A caption of number {row}" for row in range(queries))][:queries]
        small = io.BytesIO()
        Image.new("RGB", (32, 96), (150, 90, 60)).save(small, "JPEG")
        write_table(
            path / "queries.parquet",
            {
                "caption": written if shown else pyarrow.nulls(queries, pyarrow.string()),
                "person_id": np.repeat(np.arange(PEOPLE), CAPTIONS_EACH),
                "image_row": np.arange(queries) // CAPTIONS_EACH * IMAGES_EACH,
                "words": np.full(queries, 5),
                "attributes": np.arange(queries) % 4,
            },
        )
        write_table(
            path / "gallery.parquet",
            {
                "image_id": [f"image-{row:03d}" for row in range(images)],
                "person_id": np.repeat(np.arange(PEOPLE), IMAGES_EACH),
                "camera": [f"camera {row % 2}" for row in range(images)],
                "thumbnail": [small.getvalue()] * images
                if shown
                else pyarrow.nulls(images, pyarrow.binary()),
            },
        )
        counts = {"test": {"people": PEOPLE, "images": images, "captions": queries}}
        about = {"schema_version": SCHEMA_VERSION, "title": "PaperDolls", "shown": shown,
                 "fingerprint": fingerprint, "counts": counts, "audit": {}}  # fmt: skip
        write_json(path / "about.json", about)
        return path


def pages_once(
    once: Make, name: str, answer: Callable[[Recorder], None], write: Callable[[Path, Path], object]
) -> tuple[Path, Path]:
    """Return the folders of finished runs and of their pages, made once in a test run.

    `answer` adds the runs, and `write` is told both folders.
    """

    def fill(folder: Path) -> None:
        recorder = Recorder(folder / "results")
        answer(recorder)
        write(recorder.results, folder / "site")

    folder = once(name, fill)
    return folder / "results", folder / "site"


def add_reranking(run: Path, rerank: str, skill: float | None = None, **fields: Any) -> Path:
    """Add a re-ranking to the folder of a run.

    Without a `skill` it has no figures; keyword arguments replace fields of its record.
    """
    seed = int(run.name.removeprefix("seed-"))
    path = evaluation_path(run, rerank)
    if skill is not None:
        # Drawn alike for all re-rankings of a run and as the run itself, as they are in truth.
        queries, r1 = draw_queries(f"{run.parent.parent.name}/full", seed, skill)
        write_table(path / "queries.parquet", queries)
        write_json(path / "metrics.json", percentages(r1))
    record = EvaluationRecord(
        **{
            "key": f"{seed:02d}rerank",
            "rerank": rerank,
            "command": f"harness run one --seeds {seed} --rerank {rerank}",
            "query_milliseconds": 0.6 + 0.02 * seed,
            "cosine_milliseconds": 0.05,
            **fields,
        }
    )
    write_json(path / "evaluation.json", asdict(record))
    return path


def add_queries(run: Path, queries: str, skill: float | None = None, **fields: Any) -> Path:
    """Add answers to other queries to the folder of a run; without a skill, none of them."""
    seed = int(run.name.removeprefix("seed-"))
    path = evaluation_path(run, queries)
    if skill is not None:
        answers, r1 = draw_queries(f"{run.parent.parent.name}/{queries}", seed, skill)
        write_table(path / "queries.parquet", answers)
        write_json(path / "metrics.json", percentages(r1))
    command = f"harness run one --seeds {seed} --queries {queries}"
    record = EvaluationRecord(key=f"{seed:02d}queries", queries=queries, command=command)
    write_json(path / "evaluation.json", {**asdict(record), **fields})
    return path


def percentages(r1: float) -> dict[str, float]:
    """Return metrics that all follow from R1."""
    return {"r1": r1, "r5": r1 + 10, "r10": r1 + 20, "map": r1 - 3.5, "minp": r1 - 9.5}


def record_fields(method: str, seed: int) -> dict[str, Any]:
    """Return the fields of an ordinary run on drawn data."""
    return {
        "status": "ok",
        "key": f"{seed:02d}{method:x<62}",
        "suite": "demo",
        "dataset": "paperdolls",
        "method": method,
        "variant": "full",
        "seed": seed,
        "scale": "tiny",
        "title": method.upper(),
        "paper": "Somebody et al. A paper. CVPR 2023.",
        "url": "https://example.org/paper",
        "supervision": "pairs",
        "config": {"temperature": 0.02, "losses": {"itc": 1.0, "sdm": 0.5}},
        "recipe": {"backbone": "tiny-clip", "stages": [{"epochs": 2}, {"epochs": 1}]},
        "protocol": {"queries": "every test caption is a query"},
        "data": {
            "title": "PaperDolls",
            "drawn": True,
            "note": "Drawn by a program.",
            "url": "https://example.org/data",
            "fingerprint": "feedc0ffee" * 4,
            "licence": "CC0-1.0",
            "counts": {"test": {"people": 200, "images": 1600}},
        },
        "environment": {"torch": "2.13.0+cpu", "commit": "0123456789abcdef", "hardware": "2 cores"},
        "command": f"harness run --method {method} --seed {seed}",
        "started": f"2025-01-0{seed + 1}T00:00:00+00:00",
        "train_seconds": 120.0 + seed,
        "image_milliseconds": 0.8,
        "text_milliseconds": 0.3,
        "peak_memory": 640.0,
        "parameters": 612_480,
        "selected_epoch": 2,
    }


def draw_queries(name: str, seed: int, skill: float) -> tuple[dict[str, Any], float]:
    """Return a table of drawn answers to the queries of the small test split, and its R1."""
    draw = np.random.default_rng([seed, *name.encode("utf-8", "replace")])
    gallery = np.repeat(np.arange(PEOPLE), IMAGES_EACH)
    people = np.repeat(np.arange(PEOPLE), CAPTIONS_EACH)
    right = people[:, None] == gallery  # (Q, M)
    order = np.argsort(-(draw.normal(size=right.shape) + skill * right), kind="stable")
    ranks = [np.flatnonzero(row) + 1 for row in np.take_along_axis(right, order, 1)]
    first = np.array([row[0] for row in ranks])
    precision = [np.mean(np.arange(1, len(row) + 1) / row) for row in ranks]
    queries = {
        "query_id": np.arange(len(people)),
        "person_id": people,
        "first_hit": first,
        "average_precision": precision,
        "inverse_negative_penalty": [len(row) / row[-1] for row in ranks],
        "hit_ranks": [row.tolist() for row in ranks],
        "top_rows": order[:, :10].tolist(),
        "top_scores": np.zeros((len(people), 10)).tolist(),
    }
    return queries, float(100 * (first == 1).mean())


def handed_in(seeded: bool = False, order_checked: bool = True) -> HandedIn:
    """Return what is told of a file that somebody handed in."""
    file = HandedFile("<b>theirs</b>.npz", "ab" * 32)
    return HandedIn("features", (file,), "cosine", "person ids", order_checked, seeded)
