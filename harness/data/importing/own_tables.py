"""Tables of one's own, a row a caption, as records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.data.importing.image_folders import ImageFolder, once_an_image
from harness.data.importing.records import (
    Record,
    read_caption,
    read_source,
    read_split,
    refuse_missing,
    refuse_other_split,
    refuse_shared_people,
    refuse_without_test,
    tell_of_missing,
)
from harness.data.importing.tables import Fault, Row, kind_of, read_rows, refuse_faults
from harness.errors import HarnessError
from harness.printable import printable

COLUMNS = ("image", "caption", "person", "split")  # of a custom table
TAKEN = (*COLUMNS, "camera")


def read_table(
    file: Path,
    tell: Callable[[str], None] = lambda told: None,
    follow_links: bool = False,
) -> list[Record]:
    """Read a table of one's own, a row a caption.

    Its columns are image (a path beside the table), caption, person and split, and where there is
    one camera. Rows of one file become one record, however they spell its path; people may have
    any names, all numbers or all texts. Only a test split has to be there. `tell` is called with
    what is not taken or missing; `follow_links` takes images behind links that lead out of the
    table's folder.

    Raises:
        HarnessError: rows are not what they should be; ten are named, and all are counted.
    """
    table = _Table(ImageFolder(file.parent, follow_links))
    others: dict[str, None] = {}
    for row in read_rows(file, COLUMNS):
        table.add(row)
        if isinstance(row, Row):
            others |= dict.fromkeys(str(name) for name in row.values if name not in TAKEN)
    refuse_faults(file, once_an_image(table.faults))
    records = list(table.records.values())
    refuse_without_test(records, file)
    refuse_shared_people(records)
    tell_of_missing(records, file, tell)
    if others:
        tell(f"{file.name}: not taken: {printable(', '.join(others), 300)}.")
    return records


class _Table:
    """The records of a table's rows so far, and what is wrong with the others."""

    def __init__(self, folder: ImageFolder) -> None:
        self.records: dict[Path, Record] = {}  # by the image's file
        self.faults: list[HarnessError] = []
        self._folder = folder
        self._people: dict[str | int, int] = {}

    def add(self, row: Row | Fault) -> None:
        """Take a row."""
        try:
            if isinstance(row, Fault):
                raise row
            record = self._record(row)
            first = self.records.get(record.file)
            self.records[record.file] = _merged(first, record) if first else record
        except HarnessError as fault:
            self.faults.append(fault)

    def _record(self, row: Row) -> Record:
        place, values = row.place, row.values
        refuse_missing(values, place, COLUMNS)
        written = read_source(values["image"], place)
        split, person = read_split(values["split"], place), self._person(values["person"], place)
        file = self._folder.find(written, place)
        source = self._folder.spell(written)
        return Record(
            place=place,
            split=split,
            person=person,
            source=source,
            file=file,
            captions=(read_caption(values["caption"], f"{place}: the caption"),),
            image_id=source,
            camera=_camera(values.get("camera"), place),
        )

    def _person(self, value: Any, place: str) -> int:
        """Return a number for a person, whose name has to be of the kind of all others."""
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            raise HarnessError(f"{place}: no person.")
        if not isinstance(value, str | int) or isinstance(value, bool):
            told = f"{value!r:.80} is neither a text nor a whole number"
            raise HarnessError(f"{place}: person {told}.")
        first = next(iter(self._people), value)
        if type(value) is not type(first):
            raise HarnessError(
                f"{place}: person {value!r:.80} is {kind_of(value)}, and person {first!r:.80} "
                f"{kind_of(first)}."
            )
        return self._people.setdefault(value, len(self._people))


def _camera(value: Any, place: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise HarnessError(f"{place}: camera {value!r:.80} is neither a text nor a whole number.")
    return str(value)


def _merged(first: Record, second: Record) -> Record:
    """Return a record with the captions of two rows of one image."""
    if first.person != second.person:
        raise HarnessError(
            f"{second.place}: {second.source!r:.200} shows another person than in {first.place}."
        )
    refuse_other_split(first, second)
    if set(first.captions) & set(second.captions):
        raise HarnessError(f"{second.place}: the caption of {first.place} once more.")
    return replace(first, captions=first.captions + second.captions)
