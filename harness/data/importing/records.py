"""Annotations of a benchmark, read and checked before an image is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.declaration import SPLITS
from harness.data.importing.layouts import Layout
from harness.data.importing.tables import (
    Fault,
    Row,
    kind_of,
    parse_json,
    read_rows,
    read_text,
    refuse_faults,
)
from harness.errors import HarnessError
from harness.printable import printable

CARVING_SEED = 0  # of the people that become a validation split
COLUMNS = ("image", "caption", "person", "split")  # of a custom table
TAKEN = (*COLUMNS, "camera")
LONGEST_CAPTION = 10_000  # characters; the longest of the benchmarks has under a thousand


@dataclass(frozen=True)
class Record:
    """One image with its captions, as they are written."""

    place: str  # for messages: "reid_raw.json, record 17"
    split: str
    person: int
    source: str  # the image's path below the images' folder
    file: Path
    captions: tuple[str, ...]
    image_id: str  # unique within a split
    camera: str | None = None


def read_layout(layout: Layout, raw: Path, unofficial: bool, restarting: bool) -> list[Record]:
    """Read the annotations of a benchmark's folder.

    Args:
        unofficial: take other counts than the official ones.
        restarting: each split numbers its people anew, so that equal numbers are other people.

    Raises:
        HarnessError: something is not what the layout says; the message names the record.
    """
    file = _annotations(layout, raw)
    images = raw / layout.images
    if not images.is_dir():
        raise HarnessError(f"{layout.title}: there is no folder {images} with its images.")
    values = parse_json(read_text(file), str(file))
    if not isinstance(values, list):
        raise HarnessError(f"{file} has to be a list of records, it is {kind_of(values)}.")
    root = images.resolve()
    found = [
        _record(value, f"{file.name}, record {number}", layout, root)
        for number, value in enumerate(values)
    ]
    records = _with_unique_ids(found)
    if restarting:
        records = _renumbered(records)
    _refuse_shared_people(records)
    _refuse_gaps(records, layout)
    counts = count_records(records)
    if reason := layout.why_withdrawn(counts):
        raise HarnessError(f"{reason}. Use the present one.")
    if not unofficial:
        refuse_unofficial(layout, counts)
    if layout.validation_people and not any(record.split == "val" for record in records):
        records = carve_validation(records, layout.validation_people)
    return records


def read_table(file: Path, tell: Callable[[str], None] = lambda told: None) -> list[Record]:
    """Read a table of one's own, a row a caption.

    Its columns are image (a path beside the table), caption, person and split, and where there is
    one camera. Rows of one image become one record; people may have any names, all numbers or all
    texts. `tell` is called with what is not taken.

    Raises:
        HarnessError: rows are not what they should be; ten are named, and all are counted.
    """
    table = _Table(file.parent.resolve())
    others: dict[str, None] = {}
    for row in read_rows(file, COLUMNS):
        table.add(row)
        if isinstance(row, Row):
            others |= dict.fromkeys(str(name) for name in row.values if name not in TAKEN)
    refuse_faults(file, table.faults)
    records = list(table.records.values())
    if missing := [split for split in SPLITS if split not in {r.split for r in records}]:
        raise HarnessError(f"{file} has no row of split {' and '.join(missing)}.")
    _refuse_shared_people(records)
    if others:
        tell(f"{file.name}: not taken: {printable(', '.join(others), 300)}.")
    return records


class _Table:
    """The records of a table's rows so far, and what is wrong with the others."""

    def __init__(self, root: Path) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.faults: list[HarnessError] = []
        self._root = root
        self._people: dict[str | int, int] = {}

    def add(self, row: Row | Fault) -> None:
        """Take a row."""
        try:
            if isinstance(row, Fault):
                raise row
            record = self._record(row)
            key = record.split, record.source
            merged = _merged(self.records[key], record) if key in self.records else record
            self.records[key] = merged
        except HarnessError as fault:
            self.faults.append(fault)

    def _record(self, row: Row) -> Record:
        place, values = row.place, row.values
        _refuse_missing(values, place, COLUMNS)
        source = _source(values["image"], place)
        return Record(
            place=place,
            split=_split(values["split"], place),
            person=self._person(values["person"], place),
            source=source,
            file=_inside(self._root, source, place),
            captions=_captions([values["caption"]], place),
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


def count_records(records: Iterable[Record]) -> dict[str, tuple[int, int, int]]:
    """Return identities, images and captions of each split."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.split, []).append(record)
    return {
        split: (
            len({record.person for record in group}),
            len(group),
            sum(len(record.captions) for record in group),
        )
        for split, group in groups.items()
    }


def refuse_unofficial(layout: Layout, counts: Mapping[str, tuple[int, int, int]]) -> None:
    """Refuse counts that are not the official ones; the message says which differ."""
    differing = [
        f"{split} has {_told(counts.get(split))} where {_told(layout.official.get(split))} belong"
        for split in sorted({*counts, *layout.official}, key=SPLITS.index)
        if counts.get(split) != layout.official.get(split)
    ]
    if differing:
        raise HarnessError(
            f"{layout.title} is not official: {'; '.join(differing)}. With --unofficial it is "
            "imported all the same, and every page says what it is."
        )


def carve_validation(records: Sequence[Record], people: int) -> list[Record]:
    """Make a validation split of some training people, drawn by a fixed seed."""
    chosen = choose_validation_people(
        [record.person for record in records if record.split == "train"], people
    )
    return [
        replace(record, split="val")
        if record.split == "train" and record.person in chosen
        else record
        for record in records
    ]


def choose_validation_people(people: Iterable[int], count: int) -> set[int]:
    """Draw some of the training people by a fixed seed; their order does not matter."""
    known = np.unique(list(people))
    if len(known) <= count:
        raise HarnessError(
            f"{count} of the training people become the validation split, and there are only "
            f"{len(known)}."
        )
    draw = np.random.default_rng(CARVING_SEED)
    return set(draw.permutation(known)[:count].tolist())


def _annotations(layout: Layout, raw: Path) -> Path:
    for name in layout.annotations:
        if (raw / name).is_file():
            return raw / name
    exists = ", ".join(sorted(path.name for path in raw.iterdir())) if raw.is_dir() else "no folder"
    raise HarnessError(
        f"{layout.title}: there is no {' or '.join(layout.annotations)} in {raw}; there is "
        f"{exists or 'nothing'}."
    )


def _record(value: Any, place: str, layout: Layout, root: Path) -> Record:
    keys = ("split", "captions", "id", layout.path_key)
    _refuse_missing(value, place, keys)
    source = value[layout.path_key]
    camera = re.search(layout.camera, str(source)) if layout.camera else None
    return Record(
        place=place,
        split=_split(value["split"], place),
        person=_person(value["id"], place),
        source=_source(source, place),
        file=_inside(root, source, place),
        captions=_captions(value["captions"], place),
        image_id=source,
        camera=camera[1] if camera else None,
    )


def _merged(first: Record, second: Record) -> Record:
    """Return a record with the captions of two rows of one image."""
    if first.person != second.person:
        raise HarnessError(
            f"{second.place}: {second.source!r} shows another person than in {first.place}."
        )
    if set(first.captions) & set(second.captions):
        raise HarnessError(f"{second.place}: the caption of {first.place} once more.")
    return replace(first, captions=first.captions + second.captions)


def _refuse_missing(value: Any, place: str, keys: Sequence[str]) -> None:
    if not isinstance(value, Mapping):
        raise HarnessError(f"{place} has to be an object, it is {kind_of(value)}.")
    if missing := [key for key in keys if key not in value]:
        lacking, there = " and no ".join(map(repr, missing)), ", ".join(map(str, value))
        raise HarnessError(f"{place}: no {lacking}; it has {there or 'nothing'}.")


def _split(value: Any, place: str) -> str:
    if value not in SPLITS:
        raise HarnessError(f"{place}: split {value!r} is none of {', '.join(SPLITS)}.")
    return str(value)


def _person(value: Any, place: str) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise HarnessError(f"{place}: id {value!r} is not a number of a person.")
    return value


def _captions(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise HarnessError(f"{place}: captions have to be a list of texts, got {value!r:.80}.")
    for number, caption in enumerate(value):
        if not isinstance(caption, str) or not caption.strip():
            raise HarnessError(f"{place}: caption {number} is {caption!r:.80}, not a text.")
        if len(caption) > LONGEST_CAPTION:
            raise HarnessError(
                f"{place}: caption {number} has {len(caption)} characters, more than "
                f"{LONGEST_CAPTION}."
            )
        _refuse_unwritable(caption, f"{place}: caption {number}")
    return tuple(value)


def _source(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{place}: the image's path is {value!r:.80}, not a text.")
    _refuse_unwritable(value, f"{place}: the image's path")
    return value


def _refuse_unwritable(text: str, place: str) -> None:
    """Refuse what no file of UTF-8 can hold: JSON may spell half a character, as in \\ud800."""
    if "\x00" in text or (not text.isprintable() and any(0xD800 <= ord(c) < 0xE000 for c in text)):
        raise HarnessError(f"{place} holds a character that is none: {text!r:.80}.")


def _inside(root: Path, source: str, place: str) -> Path:
    """Return the file of an image, which has to lie in the images' folder, behind links too."""
    try:
        file = (root / source).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise HarnessError(f"{place}: there is no image {source!r} in {root}.") from error
    if not file.is_relative_to(root):
        raise HarnessError(f"{place}: {source!r} leads out of {root}, to {file}.")
    if not file.is_file():
        raise HarnessError(f"{place}: {source!r} is not a file.")
    return file


def _with_unique_ids(records: Sequence[Record]) -> list[Record]:
    """Number images that are listed again with other captions; refuse the same captions."""
    seen: dict[tuple[str, str], list[Record]] = {}
    found = []
    for record in records:
        earlier = seen.setdefault((record.split, record.source), [])
        for other in earlier:
            if set(other.captions) & set(record.captions) or other.person != record.person:
                raise HarnessError(f"{record.place} repeats {other.place}: {record.source!r}.")
        if earlier:
            record = replace(record, image_id=f"{record.source}#{len(earlier) + 1}")
        earlier.append(record)
        found.append(record)
    return found


def _renumbered(records: Sequence[Record]) -> list[Record]:
    """Add an offset to the people of each split but train, so that no number is used twice."""
    offsets, first = {}, 0
    for split in SPLITS:
        offsets[split] = first
        first += 1 + max((r.person for r in records if r.split == split), default=-1)
    return [replace(r, person=r.person + offsets[r.split]) for r in records]


def _refuse_shared_people(records: Iterable[Record]) -> None:
    seen: dict[int, Record] = {}
    for record in records:
        first = seen.setdefault(record.person, record)
        if first.split != record.split:
            raise HarnessError(
                f"{record.place}: person {record.person} is in {record.split}, and in "
                f"{first.split} ({first.place}). Splits may share nobody; where each numbers its "
                "people anew, say --restarting-ids."
            )


def _refuse_gaps(records: Iterable[Record], layout: Layout) -> None:
    """Training people are numbered without a gap: what is missing was lost on the way."""
    people = Counter(record.person for record in records if record.split == "train")
    expected = range(layout.first_person, layout.first_person + len(people))
    missing = [number for number in expected if number not in people]
    if missing:
        raise HarnessError(
            f"{layout.title}: training people are numbered from {layout.first_person} without a "
            f"gap, and person {missing[0]} is missing."
        )


def _told(counts: tuple[int, int, int] | None) -> str:
    if counts is None:
        return "nothing"
    return "{:,} people, {:,} images, {:,} captions".format(*counts)
