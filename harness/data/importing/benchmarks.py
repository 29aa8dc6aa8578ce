"""Annotations of a benchmark, read and checked before an image is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data.declaration import SPLITS
from harness.data.importing.forms import Annotation, Images, Written, find_annotation, find_images
from harness.data.importing.image_folders import ImageFolder, once_an_image
from harness.data.importing.layouts import APART, Layout
from harness.data.importing.official import (
    carve_validation,
    compare_hashes,
    refuse_gaps,
    refuse_unofficial,
)
from harness.data.importing.records import (
    Record,
    count_records,
    read_caption,
    read_source,
    read_split,
    refuse_missing,
    refuse_other_split,
    refuse_shared_people,
    refuse_without_test,
    tell_of_missing,
)
from harness.data.importing.split_tables import SplitTable, apply_splits, read_split_table
from harness.data.importing.tables import kind_of, refuse_faults
from harness.errors import HarnessError


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
    folder = ImageFolder(place.folder, follow_links)
    found = _records(annotation, layout, place, folder)
    if splits or not annotation.is_split:
        table = _table_of_splits(layout, file, splits, annotation.is_split)
        found = _split_by_table(found, file, read_split_table(table, folder.spell))
    for told in compare_hashes(layout, found):
        tell(told)
    if layout.is_in_pairs:
        _tell_of_repeats(layout, found, len(annotation.records), tell)
    records = _with_unique_ids(found)
    if restarting:
        records = _renumbered(records)
    _refuse_other(records, layout, file, unofficial)
    records = _with_validation(records, layout)
    tell_of_missing(records, file, tell)
    return records


def _refuse_other(records: Sequence[Record], layout: Layout, file: Path, unofficial: bool) -> None:
    """Refuse what is not the benchmark, or with `unofficial` what is no part of it either."""
    refuse_shared_people(records)
    if not unofficial:
        refuse_gaps(records, layout)
    counts = count_records(records)
    if reason := layout.why_withdrawn(counts):
        raise HarnessError(f"{reason}. Use the present one.")
    if not unofficial:
        refuse_unofficial(layout, counts)
    if layout.only != "train":
        refuse_without_test(records, file)


def _with_validation(records: list[Record], layout: Layout) -> list[Record]:
    """Make a validation split of training people where a benchmark has none."""
    counts = count_records(records)
    if not layout.validation_people or "train" not in counts or "val" in counts:
        return records
    part = counts["train"][0] // 2  # leaves some to learn from, in a part of a benchmark too
    return carve_validation(records, min(layout.validation_people, part))


def _records(
    annotation: Annotation, layout: Layout, images: Images, folder: ImageFolder
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
                refuse_missing(written.value, written.place, ("split",))
            key = (record.split, record.source) if keys.rows else number
            first = found.get(key)
            found[key] = _with_captions(first, record, layout) if first else record
        except HarnessError as fault:
            faults.append(fault)
    refuse_faults(annotation.files[0], once_an_image(faults))
    return list(found.values())


def _record(
    written: Written, keys: Keys, number: int, layout: Layout, images: Images, folder: ImageFolder
) -> Record:
    place, value = written.place, written.value
    refuse_missing(value, place, (keys.captions, keys.person, keys.path))
    written_path = images.below(read_source(value[keys.path], place))
    file = folder.find(written_path, place)
    source = folder.spell(written_path)
    camera = re.search(layout.camera, source) if layout.camera else None
    person = number if layout.nobody else _person(value[keys.person], keys, place)
    return Record(
        place=place,
        split=_split_of(written),
        person=person + (APART if layout.only == "train" else 0),
        source=source,
        file=file,
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
    split = read_split(told, written.place)
    if written.split and split != written.split:
        raise HarnessError(
            f"{written.place}: split {split!r}, in the annotation of {written.split}."
        )
    return split


def _table_of_splits(layout: Layout, file: Path, splits: Path | None, is_split: bool) -> Path:
    """Return the table of splits that the user names, where the annotation needs one."""
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
    return splits


def _split_by_table(records: Sequence[Record], file: Path, table: SplitTable) -> list[Record]:
    """Return records with the splits, and where it tells them the people, of a table."""
    rows = [(record.source, record.person) for record in records]
    return [
        replace(record, split=split, person=person)
        for record, (split, person) in zip(
            records, apply_splits(table, rows, file.name), strict=True
        )
    ]


def _tell_of_repeats(
    layout: Layout, records: Sequence[Record], rows: int, tell: Callable[[str], None]
) -> None:
    """Say how many rows were of an image that had one, where each has one by right."""
    if repeats := rows - len(records):
        first = next(record for record in records if len(record.captions) > 1)
        tell(
            f"{layout.title} has one row an image, and here {repeats:,} repeat one: their captions "
            f"are taken as further ones of it, first of {first.source!r:.200} ({first.place})."
        )


def _with_captions(first: Record, second: Record, layout: Layout) -> Record:
    """Return a record with the captions of another row of its image, equal ones too.

    Authors list an image's captions one by one, and people write the same twice: whether a row was
    repeated is told by the number of captions.
    """
    if first.person != second.person and not layout.nobody:
        raise HarnessError(
            f"{second.place}: {second.source!r:.200} shows another person than in {first.place}."
        )
    return replace(first, captions=first.captions + second.captions)


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
        read_caption(caption, f"{place}: caption {number}") for number, caption in enumerate(value)
    )


def _with_unique_ids(records: Sequence[Record]) -> list[Record]:
    """Number images that are listed again with other captions.

    The same captions, another person and another split are refused.
    """
    seen: dict[str, list[Record]] = {}
    found = []
    for record in records:
        earlier = seen.setdefault(record.source, [])
        for other in earlier:
            refuse_other_split(other, record)
            if set(other.captions) & set(record.captions) or other.person != record.person:
                raise HarnessError(f"{record.place} repeats {other.place}: {record.source!r:.200}.")
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
