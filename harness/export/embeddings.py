"""The embeddings of a run's test split as files for other tools, each with what its rows are.

Columns, for M test images and N test captions in the dataset's order; `D` is the run's own:

- ``images`` (M, D) and ``texts`` (N, D), float32, as the method gave them, not normalised;
- ``image_ids`` and ``image_person_ids`` (M): what the dataset calls the images and their people;
- ``query_ids`` (N), as in ``queries.parquet`` of a run, and ``text_person_ids`` (N);
- ``image_of_text`` (N): the row of the image that a caption was written for;
- ``captions`` (N), only where the dataset's licence lets them be handed on.

``safetensors`` holds the numbers as tensors; the texts are JSON in its metadata. ``npz`` holds all
of them as arrays, without pickles. ``parquet`` is one table: the images, then the texts, with the
columns ``kind`` (image or text), ``id``, ``person_id``, ``image_row``, ``caption`` and
``embedding``. Each holds as ``about`` (JSON) which run made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation.embeddings import Embeddings
from harness.files import process_tag
from harness.progress import Show
from harness.results import RunRecord, StoredRun, run_path
from harness.trained.split import (
    read_stored_embeddings,
    read_test_split,
    say_no_embeddings,
)


@dataclass(frozen=True)
class Export:
    """What a file holds."""

    numbers: Mapping[str, NDArray[Any]]
    texts: Mapping[str, Sequence[str]]
    about: Mapping[str, Any]


def export_run(run: StoredRun, out: Path, suffix: str, show: Show) -> Path:
    """Write the embeddings of a run below a folder, as its results lie; return the file.

    Raises:
        HarnessError: the run keeps no embeddings, or nothing tells of its test split.
    """
    stored = read_test_split(run, show)
    embeddings = read_stored_embeddings(run, stored.split)
    if embeddings is None:
        raise HarnessError(say_no_embeddings(run.record))
    export = _gather(run.record, stored.split, embeddings, stored.shown)
    r = run.record
    place = run_path(out, r.suite, r.dataset, r.method, r.variant, r.seed)
    return _write(export, place.with_name(f"{place.name}.{suffix}"), WRITERS[suffix])


def _gather(record: RunRecord, split: Split, embeddings: Embeddings, shown: bool) -> Export:
    texts: dict[str, Sequence[str]] = {"image_ids": split.image_ids}
    if shown:
        texts["captions"] = split.captions
    return Export(
        numbers={
            "images": embeddings.images.float().numpy(),
            "texts": embeddings.texts.float().numpy(),
            "image_person_ids": split.person_of_image,
            "query_ids": np.arange(len(split.captions)),
            "text_person_ids": split.person_of_caption,
            "image_of_text": split.image_of_caption,
        },
        texts=texts,
        about={
            "suite": record.suite,
            "dataset": record.dataset,
            "fingerprint": record.data.get("fingerprint"),
            "split": "test",
            "method": record.method,
            "variant": record.variant,
            "seed": record.seed,
            "key": record.key,
        },
    )


def _write(export: Export, file: Path, write: Callable[[Export, IO[bytes]], None]) -> Path:
    """Write a file beside its place and rename it, so that it is whole or absent."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    try:
        with open(unfinished, "wb") as out:
            write(export, out)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def _write_safetensors(export: Export, out: IO[bytes]) -> None:
    from safetensors.numpy import save

    metadata = {name: json.dumps(list(texts)) for name, texts in export.texts.items()}
    metadata["about"] = json.dumps(export.about)
    numbers = {name: np.ascontiguousarray(rows) for name, rows in export.numbers.items()}
    out.write(save(numbers, metadata))


def _write_npz(export: Export, out: IO[bytes]) -> None:
    texts = {name: np.asarray(list(rows), dtype=str) for name, rows in export.texts.items()}
    about = np.asarray(json.dumps(export.about))
    np.savez(out, allow_pickle=False, about=about, **texts, **export.numbers)


def _write_parquet(export: Export, out: IO[bytes]) -> None:
    import pyarrow
    import pyarrow.parquet

    numbers, texts = export.numbers, export.texts
    images, queries = len(numbers["images"]), len(numbers["texts"])
    rows = np.concatenate([numbers["images"], numbers["texts"]])  # (M + N, D)
    values = pyarrow.array(rows.ravel(), pyarrow.float32())
    captions = texts.get("captions", [None] * queries)
    table = pyarrow.table(
        {
            "kind": ["image"] * images + ["text"] * queries,
            "id": [*texts["image_ids"], *map(str, numbers["query_ids"].tolist())],
            "person_id": np.concatenate([numbers["image_person_ids"], numbers["text_person_ids"]]),
            "image_row": np.concatenate([np.arange(images), numbers["image_of_text"]]),
            "caption": pyarrow.array([*[None] * images, *captions], pyarrow.string()),
            "embedding": pyarrow.FixedSizeListArray.from_arrays(values, rows.shape[1]),
        }
    )
    about = {"about": json.dumps(export.about)}
    pyarrow.parquet.write_table(table.replace_schema_metadata(about), out)


WRITERS: Mapping[str, Callable[[Export, IO[bytes]], None]] = {
    "safetensors": _write_safetensors,
    "npz": _write_npz,
    "parquet": _write_parquet,
}
