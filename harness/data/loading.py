"""Reading a split, and checking that each of its columns is what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import paths
from harness.data.columns import convert, stored_image
from harness.data.declaration import Located
from harness.data.rows import Rows, read_rows
from harness.data.schema import Integers, Split
from harness.errors import HarnessError

REQUIRED = ("image", "captions", "person_id", "image_id")


def load_split(located: Located, name: str) -> Split:
    """Load one split: train, val or test.

    Captions are stripped, and line breaks in them become spaces.

    Raises:
        HarnessError: the split or a column is missing, a column is of another type, or a row has
            no caption, an empty caption or an image id that was there before; the message names
            the rows.
    """
    if name not in located.files:
        raise HarnessError(f"Dataset {located.declaration.name!r} has no {name} split.")
    rows = _rows(located, name)
    missing = [column for column in REQUIRED if column not in rows.names]
    if missing:
        raise HarnessError(
            f"Dataset {located.declaration.name!r}, split {name}: no column {', '.join(missing)}; "
            f"there are {', '.join(rows.names)}."
        )
    found = {column: _column(rows, column) for column in rows.names if column != "image"}
    image_ids = convert("image_id", found["image_id"], rows.place)
    people = convert("person_id", found["person_id"], rows.place)
    texts = convert("captions", found["captions"], rows.place)
    captions, image_of_caption = _flatten(texts, image_ids, name)
    _refuse_repeats(image_ids, name)
    return Split(
        name=name,
        encoded=lambda row: _bytes(rows.image(int(row))),
        image_ids=tuple(image_ids),
        captions=captions,
        image_of_caption=image_of_caption,
        person_of_image=np.asarray(people, dtype=np.int64),
        cameras=_cameras(found["camera"]) if "camera" in found else None,
        fingerprint=located.fingerprint,
    )


def _rows(located: Located, split: str) -> Rows:
    import pyarrow

    files = located.files[split]
    is_copy = paths.cache_folder() in files[0].parents  # with our columns
    try:
        if located.declaration.hub and not is_copy:
            return _from_hub(files, split)
        return read_rows(files)
    except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
        raise HarnessError(
            f"Dataset {located.declaration.name!r}, split {split}: the files in {files[0].parent} "
            f"cannot be read: {error}"
        ) from error


def _from_hub(files: Sequence[Path], split: str) -> Rows:
    """Read the snapshot of a dataset of the hub, as everybody does who has `datasets`."""
    import datasets

    datasets.utils.logging.disable_progress_bar()
    names = [str(file) for file in files]
    table = datasets.load_dataset("parquet", data_files={split: names}, split=split).data.table
    others = table.select([name for name in table.column_names if name != "image"])
    return Rows(
        columns=others,
        image=lambda row: table.column("image")[row].as_py(),
        names=tuple(table.column_names),
        files=(files[0],),
        starts=(0,),
    )


def _column(rows: Rows, name: str) -> list[Any]:
    """Return what a column holds, categories as what they stand for."""
    import pyarrow

    column = rows.columns.column(name)
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return list(column.to_pylist())


def _cameras(values: Sequence[Any]) -> tuple[str | None, ...]:
    return tuple(None if value is None else str(value) for value in values)


def _flatten(
    lists: Sequence[Sequence[str]], image_ids: Sequence[str], split: str
) -> tuple[tuple[str, ...], Integers]:
    """Return all captions in order, cleaned, with the image row of each."""
    captions: list[str] = []
    rows: list[int] = []
    for row, texts in enumerate(lists):
        cleaned = [" ".join(text.split()) for text in texts or [""]]
        if not all(cleaned):
            raise HarnessError(
                f"Split {split}, image {image_ids[row]!r}: an empty caption or none."
            )
        captions += cleaned
        rows += [row] * len(cleaned)
    return tuple(captions), np.asarray(rows, dtype=np.int64)


def _refuse_repeats(image_ids: Sequence[str], split: str) -> None:
    name, count = Counter(image_ids).most_common(1)[0]
    if count > 1:
        raise HarnessError(f"Split {split}: image id {name!r} stands in {count} rows.")


def _bytes(stored: Any) -> bytes:
    encoded, path = stored_image(stored)
    if encoded is not None:
        return encoded
    if path is None:
        raise ValueError("the row holds none")
    with open(path, "rb") as file:
        return file.read()
