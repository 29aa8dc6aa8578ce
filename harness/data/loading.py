"""Reading a split from Parquet through `datasets`, and checking that it is what it should be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from harness.data.columns import stored_image
from harness.data.declaration import Located
from harness.data.schema import Split
from harness.errors import HarnessError

REQUIRED = ("image", "captions", "person_id", "image_id")


def load_split(located: Located, name: str) -> Split:
    """Load one split: train, val or test.

    Captions are stripped, and line breaks in them become spaces.

    Raises:
        HarnessError: a column is missing, or a row has no caption, an empty caption or an image id
            that was there before; the message names the row.
    """
    import datasets

    datasets.utils.logging.disable_progress_bar()
    files = [str(path) for path in located.files[name]]
    table = datasets.load_dataset("parquet", data_files={name: files}, split=name)
    missing = [column for column in REQUIRED if column not in table.column_names]
    if missing:
        raise HarnessError(
            f"Dataset {located.declaration.name!r}, split {name}: no column {', '.join(missing)}; "
            f"there are {', '.join(table.column_names)}."
        )
    images = table.data.column("image")  # as stored: a row of the table would be taken apart whole
    image_ids = tuple(str(value) for value in table["image_id"])
    captions, image_of_caption = _flatten(list(table["captions"]), image_ids, name)
    _refuse_repeats(image_ids, name)
    cameras = tuple(table["camera"]) if "camera" in table.column_names else None
    return Split(
        name=name,
        encoded=lambda row: _bytes(images[int(row)].as_py()),
        image_ids=image_ids,
        captions=captions,
        image_of_caption=image_of_caption,
        person_of_image=np.asarray(table["person_id"], dtype=np.int64),
        cameras=cameras,
    )


def _flatten(
    lists: list[list[str]], image_ids: tuple[str, ...], split: str
) -> tuple[tuple[str, ...], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return all captions in order, cleaned, with the image row of each."""
    captions: list[str] = []
    rows: list[int] = []
    for row, texts in enumerate(lists):
        cleaned = [" ".join((text or "").split()) for text in texts or [""]]
        if not all(cleaned):
            raise HarnessError(
                f"Split {split}, image {image_ids[row]!r}: an empty caption or none."
            )
        captions += cleaned
        rows += [row] * len(cleaned)
    return tuple(captions), np.asarray(rows, dtype=np.int64)


def _refuse_repeats(image_ids: tuple[str, ...], split: str) -> None:
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
