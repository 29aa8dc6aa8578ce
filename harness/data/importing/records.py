"""Annotations of a benchmark, read and checked before an image is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.annotation import hash_annotation
from harness.data.declaration import SPLITS
from harness.data.importing.forms import (
    Annotation,
    Images,
    Written,
    find_annotation,
    find_images,
)
from harness.data.importing.layouts import APART, Layout
from harness.data.importing.split_tables import SplitTable, apply_splits, read_split_table
from harness.data.importing.tables import (
    Fault,
    Row,
    kind_of,
    read_rows,
    refuse_faults,
)
from harness.errors import HarnessError
from harness.printable import printable

CARVING_SEED = 0  # of the people that become a validation split
COLUMNS = ("image", "caption", "person", "split")  # of a custom table
TAKEN = (*COLUMNS, "camera")
LONGEST_CAPTION = 10_000  # characters; the longest of the benchmarks has under a thousand


@dataclass(frozen=True)
class Keys:
    """What the values of a record are called."""

    path: str
    captions: str
    person: str
    rows: bool = False  # whether an image may have a row for each of its captions


# As authors write them, the second as RSTPReid, the third as APTM hands all of them out.
FORMS = (
    Keys("file_path", "captions", "id"),
    Keys("img_path", "captions", "id"),
    Keys("image", "caption", "image_id", rows=True),
)


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


def read_layout(
    layout: Layout,
    raw: Path,
    unofficial: bool = False,
    restarting: bool = False,
    tell: Callable[[str], None] = lambda told: None,
    follow_links: bool = False,
    splits: Path | None = None,
    images: Path | None = None,
) -> list[Record]:
    """Read the annotations of a benchmark's folder.

    Args:
        raw: the folder, or the file of its annotation.
        unofficial: take other counts and ids than the official ones, such as those of a part.
        restarting: each split numbers its people anew, so that equal numbers are other people.
        tell: called with the hash of each split's annotation, compared with the official one.
        follow_links: take images behind links that lead out of the folder.
        splits: a table of splits, for an annotation that tells none.
        images: the folder of images, where it is not beside the annotation.

    Raises:
        HarnessError: something is not what the layout says; ten records are named, all counted.
    """
    annotation = find_annotation(layout, raw, tell)
    file = annotation.files[0]
    folders = [images] if images else [raw if raw.is_dir() else file.parent, file.parent.parent]
    place = find_images(layout, folders, annotation.records)
    found = _records(annotation, layout, place, _Folder(place.folder, follow_links))
    if splits or not annotation.is_split:
        found = _split_by_table(layout, found, file, splits, annotation.is_split)
    for told in compare_hashes(layout, found):
        tell(told)
    records = _with_unique_ids(found)
    if restarting:
        records = _renumbered(records)
    _refuse_shared_people(records)
    if not unofficial:
        _refuse_gaps(records, layout)
    counts = count_records(records)
    if reason := layout.why_withdrawn(counts):
        raise HarnessError(f"{reason}. Use the present one.")
    if not unofficial:
        refuse_unofficial(layout, counts)
    if layout.only != "train":
        _refuse_without_test(records, file)
    if layout.validation_people and "train" in counts and "val" not in counts:
        part = counts["train"][0] // 2  # leaves some to learn from, in a part of a benchmark too
        records = carve_validation(records, min(layout.validation_people, part))
    _tell_of_missing(records, file, tell)
    return records


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
    table = _Table(_Folder(file.parent, follow_links))
    others: dict[str, None] = {}
    for row in read_rows(file, COLUMNS):
        table.add(row)
        if isinstance(row, Row):
            others |= dict.fromkeys(str(name) for name in row.values if name not in TAKEN)
    refuse_faults(file, _once_an_image(table.faults))
    records = list(table.records.values())
    _refuse_without_test(records, file)
    _refuse_shared_people(records)
    _tell_of_missing(records, file, tell)
    if others:
        tell(f"{file.name}: not taken: {printable(', '.join(others), 300)}.")
    return records


class NoImage(Fault):
    """An image is not where it is said to be."""

    def __init__(self, told: str, source: str, advice: str = "") -> None:
        super().__init__(told, advice)
        self.source = source


class _Folder:
    """The folder that images lie in; behind links that lead out of it, where these are followed."""

    def __init__(self, folder: Path, follow_links: bool) -> None:
        self._root = folder.resolve()
        self._follow_links = follow_links

    def find(self, source: str, place: str) -> Path:
        """Return the file of an image.

        Raises:
            NoImage: there is none, or it lies elsewhere.
        """
        root = self._root
        advice = f"Images lie in {root}."
        told = f"{place}: {source!r:.200} leads out of the images' folder"
        if not Path(os.path.normpath(root / source)).is_relative_to(root):
            raise NoImage(f"{told}.", source, advice)
        try:
            file = (root / source).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            fault = f"{place}: there is no image {source!r:.200}."
            raise NoImage(fault, source, advice) from error
        if not self._follow_links and not file.is_relative_to(root):
            advice = f"{advice[:-1]}; --follow-links takes those behind links, too."
            raise NoImage(f"{told} through a link.", source, advice)
        if not file.is_file():
            raise NoImage(f"{place}: {source!r:.200} is not a file.", source, advice)
        return file

    def spell(self, source: str, file: Path) -> str:
        """Return the path below the folder by which a file is known: a/0.jpg of ./b/../a/0.jpg.

        Where ".." follows a link, it does not lead back: such a path stays as it is.
        """
        path = Path(os.path.normpath(self._root / source))
        same = Path(os.path.realpath(path)) == file
        return path.relative_to(self._root).as_posix() if same else source


def _once_an_image(faults: Sequence[HarnessError]) -> list[HarnessError]:
    """Return the faults, of each image the first: several rows may tell of one."""
    first: dict[str | int, HarnessError] = {}
    for number, fault in enumerate(faults):
        first.setdefault(fault.source if isinstance(fault, NoImage) else number, fault)
    return list(first.values())


class _Table:
    """The records of a table's rows so far, and what is wrong with the others."""

    def __init__(self, folder: _Folder) -> None:
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
        _refuse_missing(values, place, COLUMNS)
        written = _source(values["image"], place)
        split, person = _split(values["split"], place), self._person(values["person"], place)
        file = self._folder.find(written, place)
        source = self._folder.spell(written, file)
        return Record(
            place=place,
            split=split,
            person=person,
            source=source,
            file=file,
            captions=(_caption(values["caption"], f"{place}: the caption"),),
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


def compare_hashes(layout: Layout, records: Sequence[Record]) -> Iterator[str]:
    """Say of each split what the hash of its annotation is, and whether that is the official one.

    Of the records as they are written: before people are numbered anew or moved to val.
    """
    for split in SPLITS:
        of_split = [(r.source, r.person, r.captions) for r in records if r.split == split]
        if of_split:
            found, known = hash_annotation(of_split), layout.hashes.get(split)
            told = f"not that of {layout.title}, {known}"
            if known is None:
                told = f"that of {layout.title} is not known"
            elif found == known:
                told = f"that of {layout.title}"
            yield f"Annotation of {split}: SHA-256 {found}, {told}."


def refuse_unofficial(layout: Layout, counts: Mapping[str, tuple[int, int, int]]) -> None:
    """Refuse counts that are not the official ones; the message says which differ."""
    if layout.whole:
        _refuse_other_whole(layout, counts)
        return
    differing = [
        f"{split} has {_told(counts.get(split))} where {_told(layout.official.get(split))} belong"
        for split in sorted({*counts, *layout.official}, key=SPLITS.index)
        if counts.get(split) != layout.official.get(split)
    ]
    if layout.official and differing:
        raise HarnessError(
            f"{layout.title} is not official: {'; '.join(differing)}. With --unofficial it is "
            "imported all the same, and every page says what it is."
        )


def _refuse_other_whole(layout: Layout, counts: Mapping[str, tuple[int, int, int]]) -> None:
    """Refuse other counts of all splits together, where those of each are not published."""
    people, images, captions = (sum(of) for of in zip(*counts.values(), strict=True))
    if (people, images, captions) != layout.whole:
        raise HarnessError(
            f"{layout.title} is not whole: it has {_told((people, images, captions))} where "
            f"{_told(layout.whole)} belong. With --unofficial it is imported all the same."
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


def _records(
    annotation: Annotation, layout: Layout, images: Images, folder: _Folder
) -> list[Record]:
    """Return all records of a benchmark's annotations, or refuse them with their faults.

    The rows of an image become one record, where each row holds a caption of it.
    """
    found: dict[tuple[str, str] | int, Record] = {}
    faults: list[HarnessError] = []
    for number, written in enumerate(annotation.records):
        try:
            keys = _keys(written.value, layout, written.place)
            record = _record(written, keys, len(found), layout, images, folder)
            if annotation.is_split and not record.split:
                _refuse_missing(written.value, written.place, ("split",))
            key = (record.split, record.source) if keys.rows else number
            first = found.get(key)
            found[key] = _with_captions(first, record, layout) if first else record
        except HarnessError as fault:
            faults.append(fault)
    refuse_faults(annotation.files[0], _once_an_image(faults))
    return list(found.values())


def _record(
    written: Written, keys: Keys, number: int, layout: Layout, images: Images, folder: _Folder
) -> Record:
    place, value = written.place, written.value
    _refuse_missing(value, place, (keys.captions, keys.person, keys.path))
    source = images.below(_source(value[keys.path], place))
    camera = re.search(layout.camera, source) if layout.camera else None
    person = number if layout.nobody else _person(value[keys.person], keys, place)
    return Record(
        place=place,
        split=_split_of(written),
        person=person + (APART if layout.only == "train" else 0),
        source=source,
        file=folder.find(source, place),
        captions=_captions(value[keys.captions], keys, place),
        image_id=source,
        camera=camera[1] if camera else None,
    )


def _keys(value: Any, layout: Layout, place: str) -> Keys:
    """Return what a record calls its values: by the path of its image, of which it has one."""
    if not isinstance(value, Mapping):
        raise HarnessError(f"{place} has to be an object, it is {kind_of(value)}.")
    found = [keys for keys in FORMS if keys.path in value]
    if len(found) > 1:
        both = " and ".join(keys.path for keys in found)
        raise HarnessError(f"{place} has {both}: which of them is its image is not told.")
    return found[0] if found else next(keys for keys in FORMS if keys.path == layout.path_key)


def _split_of(written: Written) -> str:
    """Return the split of a record: its own, or that of its file; empty where neither tells it."""
    told = written.value.get("split")
    if told is None and "split" not in written.value:
        return written.split
    split = _split(told, written.place)
    if written.split and split != written.split:
        raise HarnessError(
            f"{written.place}: split {split!r}, in the annotation of {written.split}."
        )
    return split


def _split_by_table(
    layout: Layout, records: Sequence[Record], file: Path, splits: Path | None, is_split: bool
) -> list[Record]:
    """Return records with the splits, and where it tells them the people, of a table."""
    if splits is None:
        raise HarnessError(
            f"{file.name} tells no split: it is {layout.title} before its people were split. What "
            f"is missing is who is in train, val and test. {' or '.join(layout.annotations)} tells "
            f"it: {layout.source} says where to get it. Put it beside {file.name}, or name any "
            "table of people or images by split with --splits FILE."
        )
    if is_split:
        raise HarnessError(
            f"{file.name} tells the split of its records: --splits {splits} is for an annotation "
            "that tells none. Leave it out."
        )
    table: SplitTable = read_split_table(splits)
    rows = [(record.source, record.person) for record in records]
    return [
        replace(record, split=split, person=person)
        for record, (split, person) in zip(
            records, apply_splits(table, rows, file.name), strict=True
        )
    ]


def _with_captions(first: Record, second: Record, layout: Layout) -> Record:
    """Return a record with the captions of another row of its image, equal ones too.

    Authors list an image's captions one by one, and people write the same twice: whether a row was
    repeated is told by the number of captions.
    """
    if first.person != second.person and not layout.nobody:
        raise HarnessError(
            f"{second.place}: {second.source!r} shows another person than in {first.place}."
        )
    return replace(first, captions=first.captions + second.captions)


def _merged(first: Record, second: Record) -> Record:
    """Return a record with the captions of two rows of one image."""
    if first.person != second.person:
        raise HarnessError(
            f"{second.place}: {second.source!r} shows another person than in {first.place}."
        )
    if first.split != second.split:
        raise HarnessError(
            f"{second.place}: {second.source!r} is in {second.split}, and in {first.split} "
            f"({first.place}). Splits may share no image."
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


def _person(value: Any, keys: Keys, place: str) -> int:
    if type(value) is not int or not 0 <= value < APART:
        raise HarnessError(f"{place}: {keys.person} {value!r:.80} is not a number of a person.")
    return value


def _captions(value: Any, keys: Keys, place: str) -> tuple[str, ...]:
    if keys.rows and isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise HarnessError(
            f"{place}: {keys.captions} have to be a list of texts, got {value!r:.80}."
        )
    return tuple(
        _caption(caption, f"{place}: caption {number}") for number, caption in enumerate(value)
    )


def _caption(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{place} is {value!r:.80}, not a text.")
    if len(value) > LONGEST_CAPTION:
        raise HarnessError(f"{place} has {len(value)} characters, more than {LONGEST_CAPTION}.")
    _refuse_unwritable(value, place)
    return value


def _source(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{place}: the image's path is {value!r:.80}, not a text.")
    _refuse_unwritable(value, f"{place}: the image's path")
    return value


def _refuse_unwritable(text: str, place: str) -> None:
    """Refuse what no file of UTF-8 can hold: JSON may spell half a character, as in \\ud800."""
    if "\x00" in text or (not text.isprintable() and any(0xD800 <= ord(c) < 0xE000 for c in text)):
        raise HarnessError(f"{place} holds a character that is none: {text!r:.80}.")


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


def _refuse_without_test(records: Iterable[Record], file: Path) -> None:
    if not any(record.split == "test" for record in records):
        raise HarnessError(f"{file} has no row of split test, so nothing could be scored on it.")


def _tell_of_missing(records: Iterable[Record], file: Path, tell: Callable[[str], None]) -> None:
    there = {record.split for record in records}
    if there == {"train"}:
        tell(f"{file.name} has a train split alone: nothing can be scored on it.")
    elif missing := [split for split in SPLITS if split not in there]:
        tell(f"{file.name} has no {' and no '.join(missing)} split: nothing can be trained on it.")


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
    people = {record.person for record in records if record.split == "train"}
    if not people or layout.first_person is None:
        return
    expected = range(layout.first_person, layout.first_person + len(people))
    missing = [number for number in expected if number not in people]
    if missing:
        told = f"and person {missing[0]} is missing"
        if min(people) != layout.first_person:
            told = f"and here from {min(people)}"
        raise HarnessError(
            f"{layout.title}: training people are numbered from {layout.first_person} without a "
            f"gap, {told}. With --unofficial they are taken as they are."
        )


def _told(counts: tuple[int, int, int] | None) -> str:
    if counts is None:
        return "nothing"
    return "{:,} people, {:,} images, {:,} captions".format(*counts)
