"""Datasets with other columns, or without validation people, as the harness reads them.

A copy is written into the cache once; a dataset whose columns are the harness' own needs none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import paths
from harness.data.columns import schema
from harness.data.declaration import SPLITS, Declaration
from harness.data.importing.official import choose_validation_people
from harness.errors import HarnessError
from harness.files import slug, whole_folder
from harness.progress import Show

VERSION = 1  # of the copies: another one is written anew
BATCH = 256  # rows held at once, with their images
REQUIRED = ("image", "captions", "person_id")
COLUMNS = (*REQUIRED, "image_id", "camera", "source_path")

Files = Mapping[str, tuple[Path, ...]]
Row = dict[str, Any]


def needs_conforming(declaration: Declaration, files: Files) -> bool:
    """Tell whether a dataset says that its columns have other names, or lacks a declared split."""
    return bool(declaration.columns or _carves(declaration, files))


def _carves(declaration: Declaration, files: Files) -> bool:
    return bool(declaration.validation_people and files["train"] and not files["val"])


def conform(
    declaration: Declaration, files: Files, fingerprint: str, show: Show
) -> dict[str, tuple[Path, ...]]:
    """Return the files of a dataset's copy in the cache, written where it is not there yet.

    Raises:
        HarnessError: a declared column is not there, or cannot be what it is declared to be.
    """
    told = [VERSION, fingerprint, dict(declaration.columns), declaration.validation_people]
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]
    folder = paths.cache_folder() / "datasets" / f"{slug(declaration.name)}-{key}"
    if not folder.is_dir():
        with whole_folder(folder) as unfinished:
            _write(declaration, files, unfinished, show)
    return {split: (folder / f"{split}.parquet",) for split in _splits_of(declaration, files)}


def _splits_of(declaration: Declaration, files: Files) -> list[str]:
    """Return the splits of a copy."""
    carved = ["val"] if _carves(declaration, files) else []
    return [split for split in SPLITS if files[split] or split in carved]


def _write(declaration: Declaration, files: Files, folder: Path, show: Show) -> None:
    import pyarrow
    import pyarrow.parquet

    total = sum(
        pyarrow.parquet.read_metadata(file).num_rows for of in files.values() for file in of
    )
    people = _People()
    carved = _carved(declaration, files, people)
    columns = schema()
    writers = {
        split: pyarrow.parquet.ParquetWriter(
            folder / f"{split}.parquet", columns, compression={"image.bytes": "NONE"},
            use_dictionary=False,
        )
        for split in _splits_of(declaration, files)
    }  # fmt: skip
    done = 0
    for split, of_split in files.items():
        for rows in _batches(declaration, of_split):
            found = [_row(declaration, row, done + n, people) for n, row in enumerate(rows)]
            for place in writers:
                chosen = [
                    row
                    for row in found
                    if place
                    == ("val" if split == "train" and row["person_id"] in carved else split)
                ]
                if chosen:
                    writers[place].write_table(pyarrow.Table.from_pylist(chosen, columns))
            done += len(rows)
            show(f"conforming {declaration.title}", done, total)
    for writer in writers.values():
        writer.close()


class _People:
    """Numbers for people, whatever a dataset calls them; numbers stay what they are."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._numbers.setdefault(str(value), len(self._numbers))


def _carved(declaration: Declaration, files: Files, people: _People) -> set[int]:
    """Return the training people who become the validation split."""
    if not _carves(declaration, files):
        return set()
    name = declaration.columns.get("person_id", "person_id")
    known = [row[name] for rows in _batches(declaration, files["train"], (name,)) for row in rows]
    # Names are numbered in their own order: the rows' order decides nothing.
    numbers = [people.number(value) for value in sorted(known, key=str)]
    return choose_validation_people(numbers, declaration.validation_people)


def _batches(
    declaration: Declaration, files: Sequence[Path], columns: Sequence[str] | None = None
) -> Iterator[list[Row]]:
    import pyarrow.parquet

    for file in files:
        with pyarrow.parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as parquet:
            there = parquet.schema_arrow.names
            names = dict.fromkeys((*REQUIRED, *declaration.columns))
            wanted = [declaration.columns.get(name, name) for name in names]
            if missing := [name for name in wanted if name not in there]:
                raise HarnessError(
                    f"Dataset {declaration.name!r}: no column {', '.join(missing)} in {file.name}; "
                    f"there are {', '.join(there)}. Under `columns` a suite says which of them is "
                    f"{', '.join(COLUMNS)}."
                )
            for batch in parquet.iter_batches(BATCH, columns=columns):
                yield batch.to_pylist()


def _row(declaration: Declaration, row: Row, number: int, people: _People) -> Row:
    def value(name: str) -> Any:
        return row.get(declaration.columns.get(name, name))

    captions = value("captions")
    camera, image_id, source = value("camera"), value("image_id"), value("source_path")
    return {
        "image": {"bytes": _bytes(declaration, value("image"), number), "path": None},
        "captions": [captions] if isinstance(captions, str) else list(captions or ()),
        "person_id": people.number(value("person_id")),
        "image_id": str(number if image_id is None else image_id),
        "camera": None if camera is None else str(camera),
        "source_path": None if source is None else str(source),
    }


def _bytes(declaration: Declaration, stored: Any, number: int) -> bytes:
    encoded = stored.get("bytes") if isinstance(stored, Mapping) else stored
    if not isinstance(encoded, bytes):
        raise HarnessError(
            f"Dataset {declaration.name!r}, row {number}: the image column holds no image file, "
            f"it holds {type(stored).__name__}."
        )
    return encoded
