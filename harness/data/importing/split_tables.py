"""Which image or person is in which split, from a table that the user names.

The table is one of

- records as in ``reid_raw.json``: each with the path of an image and its split, and its person;
- an object of lists: the numbers of people, or the paths of images, by split;
- a CSV file with the columns ``split`` and ``id``, or ``split`` and ``file_path``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.declaration import SPLITS
from harness.data.importing.records import read_source
from harness.data.importing.tables import Fault, kind_of, parse_json, read_rows, read_text
from harness.errors import HarnessError
from harness.printable import printable

ID = re.compile("[0-9]{1,10}")  # of a person, in a text
PATHS = ("file_path", "img_path", "image")


@dataclass
class SplitTable:
    """The split of each image by its path, or of each person by number."""

    file: Path
    spell: Callable[[str], str]  # of the path of an image, as the annotation's are spelt
    splits: dict[str | int, str] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)  # of images, where the table tells them

    def add(self, key: str | int, split: Any, place: str) -> None:
        """Take a row.

        Raises:
            HarnessError: its split is none, or another than before.
        """
        if split not in SPLITS:
            raise HarnessError(f"{place}: split {split!r:.80} is none of {', '.join(SPLITS)}.")
        if self.splits.setdefault(key, split) != split:
            raise HarnessError(
                f"{place}: {key!r:.200} is in {split}, and before it was in {self.splits[key]}."
            )

    def read_path(self, value: Any, place: str) -> str:
        """Return the path of an image; refuse what is none."""
        return self.spell(read_source(value, place))

    @property
    def is_by_person(self) -> bool:
        """Whether it tells of people, not of images."""
        return isinstance(next(iter(self.splits)), int)


def read_split_table(file: Path, spell: Callable[[str], str]) -> SplitTable:
    """Read a table of splits, whose paths are spelt as those of the annotation's records.

    Raises:
        HarnessError: it is none of the forms that are read, or tells two things of one image.
    """
    table = SplitTable(file, spell)
    if file.suffix.lower() == ".json":
        _read_json(file, table)
    else:
        _read_columns(file, table)
    if not table.splits:
        raise HarnessError(f"{file} tells the split of nothing.")
    kinds = {type(key) for key in table.splits}
    if len(kinds) > 1:
        raise HarnessError(f"{file} tells of people and of images: one of both, for all rows.")
    return table


def apply_splits(
    table: SplitTable, records: Iterable[tuple[str, int]], name: str
) -> Iterator[tuple[str, int]]:
    """Yield the split and the person of each record, given as a path and the annotation's number.

    Where the table tells people too, their numbers are taken from there: the annotation may number
    them in another way, but has to join the same images.

    Raises:
        HarnessError: images or people are missing on either side, or the two disagree on people.
    """
    rows = list(records)
    keys = [person if table.is_by_person else path for path, person in rows]
    _refuse_missing(table, keys, name)
    known = [table.people.get(path, person) for path, person in rows]
    _refuse_other_people([person for _, person in rows], known, [path for path, _ in rows], table)
    for key, person in zip(keys, known, strict=True):
        yield table.splits[key], person


def _refuse_missing(table: SplitTable, keys: Iterable[str | int], name: str) -> None:
    there = dict.fromkeys(keys)
    what = "people" if table.is_by_person else "images"
    for owner, other, missing in (
        (name, table.file.name, [key for key in there if key not in table.splits]),
        (table.file.name, name, [key for key in table.splits if key not in there]),
    ):
        if missing:
            raise HarnessError(
                f"{len(missing):,} {what} of {owner} are not in {other}, the first is "
                f"{missing[0]!r:.200}: the two are of other copies of the dataset."
            )


def _refuse_other_people(
    own: Iterable[int], told: Iterable[int], paths: Iterable[str], table: SplitTable
) -> None:
    """Refuse where images that one side gives to one person are of two on the other."""
    here: dict[int, int] = {}
    there: dict[int, int] = {}
    for one, other, path in zip(own, told, paths, strict=True):
        if here.setdefault(one, other) != other or there.setdefault(other, one) != one:
            raise HarnessError(
                f"{path!r:.200} shows another person in {table.file.name} than its annotation has: "
                "the two are of other copies of the dataset."
            )


def _read_json(file: Path, table: SplitTable) -> None:
    values = parse_json(read_text(file), str(file))
    if isinstance(values, list):
        for number, value in enumerate(values):
            _add_record(table, value, f"{file.name}, record {number}")
    elif isinstance(values, Mapping):
        _add_lists(table, values, file)
    else:
        raise HarnessError(
            f"{file} is {kind_of(values)}: a table of splits is a list or an object."
        )


def _add_record(table: SplitTable, value: Any, place: str) -> None:
    if not isinstance(value, Mapping):
        raise HarnessError(f"{place} has to be an object, it is {kind_of(value)}.")
    written = next((value[name] for name in PATHS if name in value), None)
    if "split" not in value or (written is None and "id" not in value):
        has = printable(", ".join(map(str, value))) or "nothing"
        raise HarnessError(
            f"{place}: a table of splits tells split, and file_path or id; it has {has}."
        )
    person = _number(value["id"], place) if "id" in value else None
    if written is None:
        table.add(_number(value["id"], place), value["split"], place)
        return
    path = table.read_path(written, place)
    table.add(path, value["split"], place)
    if person is not None and table.people.setdefault(path, person) != person:
        raise HarnessError(f"{place}: {path!r:.200} shows another person than before.")


def _add_lists(table: SplitTable, values: Mapping[str, Any], file: Path) -> None:
    for split, keys in values.items():
        if not isinstance(keys, list) or not keys:
            told = "an empty list" if keys == [] else kind_of(keys)
            raise HarnessError(
                f"{file}: {split!r:.80} has to be a list of people or of images, it is {told}."
            )
        for number, key in enumerate(keys):
            place = f"{file.name}, {split!r:.80}, item {number}"
            read: Callable[[Any, str], str | int]
            read = table.read_path if isinstance(key, str) else _number
            table.add(read(key, place), split, place)


def _read_columns(file: Path, table: SplitTable) -> None:
    for row in read_rows(file, ("split",)):
        if isinstance(row, Fault):
            raise row
        values = dict(row.values)
        if isinstance(values.get("id"), str):
            values["id"] = _from_text(values["id"], row.place)
        _add_record(table, values, row.place)


def _from_text(text: str, place: str) -> int:
    if not ID.fullmatch(text):
        raise HarnessError(
            f"{place}: id {text!r:.80} is not a number of a person, which is one to ten digits."
        )
    return int(text)


def _number(value: Any, place: str) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise HarnessError(f"{place}: id {value!r:.80} is not a number of a person.")
    return value
