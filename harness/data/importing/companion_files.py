"""Companions of a training split from a file: checked against the dataset, then written.

A row has the image that it is of, and its texts or labels; a caption where it is of one. Rows of
the same caption or image are put together, in their order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.companions import (
    ABOUT,
    COLUMN,
    LISTS,
    By,
    Companion,
    companions_folder,
    fingerprint_of,
    list_companions,
)
from harness.data.declaration import Located
from harness.data.loading import load_split
from harness.data.rows import read_rows
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.files import RETIRED, TEMPORARY, process_tag, replace_folder, slug, write_json
from harness.printable import printable, refuse_unprintable

IMAGES = ("image_id", "image")  # by which a row names its image: one of them
VALUES = ("text", "texts", "label", "labels")  # what it holds: one of them
CAPTION = "caption"
FORMAT = (
    "A row has image_id, or image, its path in the annotation; caption, which of the image's "
    "captions it is of, from 0, or no such column, where it is of the image; and one of text, "
    "texts, label and labels."
)
HELD_OUT = ("val", "test")
LONGEST_MADE_BY = 300  # characters
LARGEST = 2**63 - 1  # of a whole number
CHUNK = 100_000  # lists that are put into one piece of a column

Row = Mapping[str, Any]


def add_companion(
    located: Located, file: Path, name: str, made_by: str, may_replace: bool = False
) -> tuple[Companion, bool]:
    """Check a file of companions, Parquet or JSON lines, and keep what it holds for a dataset.

    Returns what is known of it, and whether it was written: the same may be there.

    Raises:
        HarnessError: it cannot be read, a row is not as it should be or stands for nothing in the
            training split, it holds something of val or test, its labels are the people, or
            another one of its name is there.
    """
    _refuse_names(name, made_by)
    read = _read_file(file)
    place = _Places(located, read.key)
    of_row = place.of_rows(read.rows, read.by, file)
    values = [_values(row[read.values], file, number) for number, row in enumerate(read.rows)]
    lists: list[list[Any]] = [[] for _ in range(place.counts[read.by])]
    for row, own in zip(of_row, values, strict=True):
        lists[row] += own
    lists = _of_one_type(lists, file)
    kind = "texts" if read.values.startswith("text") else "labels"
    _refuse_held_out(lists, place.splits)
    if kind == "texts" and any(not isinstance(one, str) for own in lists for one in own):
        raise HarnessError(f"{file}: {read.values} is to hold texts; numbers are labels.")
    if kind == "labels":
        _refuse_people(lists, read.by, place.splits["train"])
    return _write(located, name, made_by, read.by, kind, lists, may_replace)


def _refuse_names(name: str, made_by: str) -> None:
    if slug(name) != name:
        raise HarnessError(
            f"--name {printable(name)!r}: letters, digits and hyphens name a companion."
        )
    if not made_by.strip():
        raise HarnessError("--made-by: say who, or which model, made it; pages tell it.")
    try:
        refuse_unprintable("--made-by", made_by, LONGEST_MADE_BY)
    except ValueError as error:
        raise HarnessError(str(error)) from error


@dataclass(frozen=True)
class _File:
    """The rows of a file, and by which columns they are read."""

    rows: Sequence[Row]
    key: str  # one of IMAGES
    by: By
    values: str  # one of VALUES


def _read_file(file: Path) -> _File:
    if file.suffix not in _READERS:
        raise HarnessError(f"{file}: companions are a .parquet or a .jsonl file. {FORMAT}")
    try:
        rows = _READERS[file.suffix](file)
    except OSError as error:
        raise HarnessError(f"{file} cannot be read: {error}") from error
    if not rows:
        raise HarnessError(f"{file} has no row. {FORMAT}")
    columns = dict.fromkeys(column for row in rows for column in row)
    keys = [column for column in IMAGES if column in columns]
    values = [column for column in VALUES if column in columns]
    strange = [str(column) for column in columns if column not in (*IMAGES, CAPTION, *VALUES)]
    if strange or len(keys) != 1 or len(values) != 1:
        told = printable(", ".join(map(str, columns)), 200)
        raise HarnessError(f"{file} has the columns {told}. {FORMAT}")
    by: By = "caption" if CAPTION in columns else "image"
    return _File(rows, keys[0], by, values[0])


def _read_lines(file: Path) -> list[Row]:
    """Read JSON lines. Raises HarnessError: a line is no object, named by its number from 1."""
    rows: list[Row] = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise HarnessError(
                    f"{file}, line {number} is no JSON: {printable(str(error), 100)}"
                ) from error
            if not isinstance(row, dict):
                raise HarnessError(f"{file}, line {number} is no object. {FORMAT}")
            rows.append(row)
    return rows


def _read_parquet(file: Path) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.ParquetFile(file).read().to_pylist())
    except (pyarrow.ArrowException, ValueError) as error:
        told = printable(str(error), 200)
        raise HarnessError(f"{file} is no Parquet file that can be read: {told}") from error


_READERS: Mapping[str, Callable[[Path], list[Row]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_lines,
}


class _Places:
    """Where the images and captions of a dataset stand in its files."""

    def __init__(self, located: Located, key: str) -> None:
        self._key = key
        self._title = located.declaration.name
        self.splits = {name: load_split(located, name) for name in located.files}
        if "train" not in self.splits:
            raise HarnessError(f"Dataset {self._title!r} has no train split to have companions.")
        self._rows = {name: self._by_name(located, name) for name in self.splits}
        train = self.splits["train"]
        self.counts = {"image": len(train.image_ids), "caption": len(train.captions)}
        captions = np.bincount(train.image_of_caption, minlength=len(train.image_ids))
        self._captions: Sequence[int] = captions.tolist()  # of each image
        # Those of an image stand one after the other.
        self._first: Sequence[int] = (np.cumsum(captions) - captions).tolist()

    def _by_name(self, located: Located, split: str) -> Mapping[str, int]:
        if self._key == "image_id":
            return {name: row for row, name in enumerate(self.splits[split].image_ids)}
        table = read_rows(located.files[split])
        if "source_path" not in table.names:
            raise HarnessError(
                f"Dataset {self._title!r} does not tell which file an image was: name images by "
                "image_id."
            )
        paths = table.columns.column("source_path").to_pylist()
        return {str(path): row for row, path in enumerate(paths) if path is not None}

    def of_rows(self, rows: Sequence[Row], by: By, file: Path) -> list[int]:
        """Return the row of the training split that each row is of: of an image or a caption.

        Raises:
            HarnessError: some are of val or test, or of nothing.
        """
        names = [str(row.get(self._key)) for row in rows]
        train = self._rows["train"]
        for split in HELD_OUT:
            there = self._rows.get(split, {})
            if held := [name for name in names if name not in train and name in there]:
                raise HarnessError(
                    f"{file}: {len(held):,} of {len(names):,} rows are of {split} images of "
                    f"{self._title}, the first of {printable(held[0], 80)!r}: companions are of "
                    "training images alone. Leave them out."
                )
        if strange := [name for name in names if name not in train]:
            known = next(iter(train), "none")
            raise HarnessError(
                f"{file}: {len(strange):,} of {len(names):,} rows have an {self._key} that "
                f"{self._title} does not have, the first {printable(strange[0], 80)!r}; one that "
                f"it has is {printable(known, 80)!r}."
            )
        images = [train[name] for name in names]
        if by == "image":
            return images
        return [
            self._caption(image, row.get(CAPTION), file, number)
            for number, (image, row) in enumerate(zip(images, rows, strict=True))
        ]

    def _caption(self, image: int, caption: Any, file: Path, number: int) -> int:
        count = self._captions[image]
        if type(caption) is not int or not 0 <= caption < count:
            raise HarnessError(
                f"{_place(file, number)}: caption {printable(repr(caption), 60)} of an image with "
                f"{count}; it is a whole number from 0, or the column is left out where rows are "
                "of images."
            )
        return self._first[image] + caption


def _place(file: Path, number: int) -> str:
    return f"{file}, row {number + 1}"


def _values(held: Any, file: Path, number: int) -> list[Any]:
    """Return the texts or labels of a row. Raises HarnessError: they are something else."""
    values = held if isinstance(held, list) else [held]
    found = []
    for value in values:
        text = " ".join(value.split()) if isinstance(value, str) else value
        is_number = isinstance(text, int | float) and not isinstance(text, bool)
        whole = not isinstance(text, int) or abs(text) <= LARGEST
        if text == "" or not (isinstance(text, str) or (is_number and whole)):
            raise _no_value(file, number, value)
        if isinstance(text, float) and not math.isfinite(text):
            raise _no_value(file, number, value)
        found.append(text)
    return found


def _no_value(file: Path, number: int, value: Any) -> HarnessError:
    return HarnessError(
        f"{_place(file, number)} holds {printable(repr(value), 60)}: write texts that are not "
        "empty, or numbers that are finite; of a caption without any, no row or an empty list."
    )


def _of_one_type(lists: list[list[Any]], file: Path) -> list[list[Any]]:
    """Return values of one type, whole numbers among others as those. Raises HarnessError."""
    kinds = {type(one) for own in lists for one in own}
    if str in kinds and len(kinds) > 1:
        raise HarnessError(f"{file} holds texts and numbers: write one of both.")
    if not kinds:
        raise HarnessError(f"{file} holds nothing but empty lists.")
    return [[float(one) for one in own] for own in lists] if len(kinds) > 1 else lists


def _refuse_held_out(lists: Iterable[Sequence[Any]], splits: Mapping[str, Split]) -> None:
    """Refuse a companion with captions of val or test, but for those that train has as well."""
    texts = [one for own in lists for one in own if isinstance(one, str)]
    for split in HELD_OUT:
        if split not in splits:
            continue
        captions = {*splits[split].captions} - {*splits["train"].captions}
        if held := [text for text in texts if text in captions]:
            raise HarnessError(
                f"{len(held):,} of {len(texts):,} texts are {split} captions, the first "
                f"{printable(held[0], 120)!r}: what is {'tested' if split == 'test' else 'chosen'} "
                "on may not be learned from. Leave them out."
            )


def _refuse_people(lists: Sequence[Sequence[Any]], by: By, train: Split) -> None:
    """Refuse labels that tell the people apart: a supervision says who may know them."""
    people = train.person_of_image if by == "image" else train.person_of_caption
    if any(len(own) != 1 for own in lists):
        return
    pairs = {(own[0], person) for own, person in zip(lists, people.tolist(), strict=True)}
    labels, known = ({pair[place] for pair in pairs} for place in (0, 1))
    if len(pairs) == len(labels) == len(known) < len(lists):
        raise HarnessError(
            "Its labels are the people, one for each: what trains with them declares the "
            "supervision identity, and gets batch.person_ids."
        )


def _write(
    located: Located,
    name: str,
    made_by: str,
    by: By,
    kind: Any,
    lists: Sequence[Sequence[Any]],
    may_replace: bool,
) -> tuple[Companion, bool]:
    import pyarrow
    import pyarrow.parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    kept = pyarrow.list_(types[type(next(one for own in lists for one in own))])
    parts = (lists[first : first + CHUNK] for first in range(0, len(lists), CHUNK))
    column = pyarrow.chunked_array([pyarrow.array(part, kept) for part in parts])
    place = companions_folder(located.fingerprint) / name
    companion = Companion(
        name=name,
        made_by=made_by,
        by=by,
        kind=kind,
        counts={f"{by}s": sum(map(bool, lists)), kind: sum(map(len, lists))},
        fingerprint=fingerprint_of(by, kind, column),
        dataset=located.fingerprint,
    )
    there = next((one for one in list_companions(located.fingerprint) if one.name == name), None)
    if there == companion:
        return companion, False
    if there and not may_replace:
        raise HarnessError(
            f"Dataset {located.declaration.name!r} has another companion {name!r}, by "
            f"{printable(there.made_by)}: name this one otherwise, or give --replace; runs that "
            "trained with it are then made again."
        )
    work = place.with_name(f"{name}.{process_tag()}{TEMPORARY}")
    work.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({COLUMN: column}), work / LISTS)
    write_json(work / ABOUT, asdict(companion))
    replace_folder(place, work, place.with_name(f"{name}.{process_tag()}{RETIRED}"))
    return companion, True
