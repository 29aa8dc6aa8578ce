"""Companions of a training split from a file: checked against the dataset, then written.

A row has the image that it is of, and its texts or labels; a caption where it is of one. Rows of
the same caption or image are put together, in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.companions import (
    ABOUT,
    COLUMN,
    LISTS,
    Companion,
    companions_folder,
    fingerprint_of,
    list_companions,
)
from harness.data.declaration import Located
from harness.data.importing.companion_leaks import HELD_OUT, refuse_held_out, refuse_people
from harness.data.importing.companion_rows import CompanionRows, Value, read_companion_rows
from harness.data.loading import load_split
from harness.data.rows import read_rows
from harness.errors import HarnessError
from harness.files import RETIRED, TEMPORARY, process_tag, replace_folder, slug, write_json
from harness.printable import printable, refuse_unprintable

LONGEST_MADE_BY = 300  # characters
CHUNK = 100_000  # lists that are put into one piece of a column


def add_companion(
    located: Located, file: Path, name: str, made_by: str, may_replace: bool = False
) -> tuple[Companion, bool]:
    """Check a file of companions, Parquet or JSON lines, and keep what it holds for a dataset.

    Returns what is known of it, and whether it was written: the same may be there.

    Raises:
        HarnessError: it cannot be read, a row is not as it should be or stands for nothing in the
            training split, it holds something of val or test, its texts or labels are the people,
            or another one of its name is there.
    """
    _refuse_names(name, made_by)
    rows = read_companion_rows(file)
    places = _Places(located, rows.key)
    lists = places.lists_of(rows)
    refuse_held_out([one for own in lists for one in own if isinstance(one, str)], places.splits)
    refuse_people(lists, rows.by, rows.kind, places.splits["train"])
    column = _column(lists)
    companion = Companion(
        name=name,
        made_by=made_by,
        by=rows.by,
        kind=rows.kind,
        counts={f"{rows.by}s": sum(map(bool, lists)), rows.kind: sum(map(len, lists))},
        fingerprint=fingerprint_of(rows.by, rows.kind, column),
        dataset=located.fingerprint,
    )
    if _is_there(companion, located.declaration.name, may_replace):
        return companion, False
    _write(companion, column)
    return companion, True


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


class _Places:
    """Where the images and captions of a dataset stand in its files."""

    def __init__(self, located: Located, key: str) -> None:
        self._key = key
        self._title = located.declaration.name
        self._shared: frozenset[str] = frozenset()  # paths that several training images have
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
        row_of = {str(path): row for row, path in enumerate(paths) if path is not None}
        if split == "train":
            counts = Counter(map(str, paths))
            self._shared = frozenset(path for path in row_of if counts[path] > 1)
        return row_of

    def lists_of(self, rows: CompanionRows) -> list[list[Value]]:
        """Return what rows hold for each image, or each caption, of the training split.

        Raises:
            HarnessError: some are of val or test, of nothing, or of one of several images.
        """
        self._refuse_strange(rows)
        lists: list[list[Value]] = [[] for _ in range(self.counts[rows.by])]
        for number, own in enumerate(rows.values):
            image = self._rows["train"][rows.names[number]]
            lists[image if rows.by == "image" else self._caption(image, rows, number)] += own
        return lists

    def _refuse_strange(self, rows: CompanionRows) -> None:
        names, train, all_rows = rows.names, self._rows["train"], f"{len(rows.names):,} rows"
        for split in HELD_OUT:
            there = self._rows.get(split, {})
            if held := [name for name in names if name not in train and name in there]:
                raise HarnessError(
                    f"{rows.file}: {len(held):,} of {all_rows} are of {split} images of "
                    f"{self._title}, the first of {printable(held[0], 80)!r}: companions are of "
                    "training images alone. Leave them out."
                )
        if strange := [name for name in names if name not in train]:
            known = next(iter(train), "none")
            raise HarnessError(
                f"{rows.file}: {len(strange):,} of {all_rows} have an {rows.key} that "
                f"{self._title} does not have, the first {printable(strange[0], 80)!r}; one that "
                f"it has is {printable(known, 80)!r}."
            )
        if shared := [name for name in names if name in self._shared]:
            raise HarnessError(
                f"{rows.file}: {len(shared):,} of {all_rows} have an image that is the path of "
                f"several training images of {self._title}, the first "
                f"{printable(shared[0], 80)!r}: name images by image_id."
            )

    def _caption(self, image: int, rows: CompanionRows, number: int) -> int:
        """Return the dataset's row of the caption that a row of the file is of."""
        caption, count = rows.captions[number], self._captions[image]
        if type(caption) is not int or not 0 <= caption < count:
            raise HarnessError(
                f"{rows.place(number)}: caption {printable(repr(caption), 60)} of an image with "
                f"{count}; it is a whole number from 0, or the column is left out where rows are "
                "of images."
            )
        return self._first[image] + caption


def _column(lists: Sequence[Sequence[Value]]) -> Any:
    """Return lists of values of one type, not all empty, as a column of Arrow."""
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    kept = pyarrow.list_(types[type(next(one for own in lists for one in own))])
    parts = (lists[first : first + CHUNK] for first in range(0, len(lists), CHUNK))
    return pyarrow.chunked_array([pyarrow.array(part, kept) for part in parts])


def _is_there(companion: Companion, dataset: str, may_replace: bool) -> bool:
    """Tell whether it is kept already. Raises HarnessError: another is, and may not go."""
    kept = list_companions(companion.dataset)
    there = next((one for one in kept if one.name == companion.name), None)
    if there and there != companion and not may_replace:
        raise HarnessError(
            f"Dataset {dataset!r} has another companion {companion.name!r}, by "
            f"{printable(there.made_by)}: name this one otherwise, or give --replace; runs that "
            "trained with it are then made again."
        )
    return there == companion


def _write(companion: Companion, column: Any) -> None:
    """Write it in the place of one of its name, whole or not at all."""
    import pyarrow
    import pyarrow.parquet

    place = companions_folder(companion.dataset) / companion.name
    work = place.with_name(f"{companion.name}.{process_tag()}{TEMPORARY}")
    work.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({COLUMN: column}), work / LISTS)
    write_json(work / ABOUT, asdict(companion))
    replace_folder(place, work, place.with_name(f"{companion.name}.{process_tag()}{RETIRED}"))
