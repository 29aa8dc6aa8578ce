"""Records of an annotation, an image each, and what every one has to keep to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.declaration import SPLITS
from harness.data.importing.tables import kind_of
from harness.errors import HarnessError
from harness.printable import printable

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


def refuse_missing(value: Any, place: str, keys: Sequence[str]) -> None:
    """Refuse what is no object, or lacks a key; the message says what is there."""
    if not isinstance(value, Mapping):
        raise HarnessError(f"{place} has to be an object, it is {kind_of(value)}.")
    if missing := [key for key in keys if key not in value]:
        lacking = " and no ".join(map(repr, missing))
        there = printable(", ".join(map(str, value)), 300)
        raise HarnessError(f"{place}: no {lacking}; it has {there or 'nothing'}.")


def read_split(value: Any, place: str) -> str:
    """Return the name of a split; refuse what is none."""
    if value not in SPLITS:
        raise HarnessError(f"{place}: split {value!r:.80} is none of {', '.join(SPLITS)}.")
    return str(value)


def read_caption(value: Any, place: str) -> str:
    """Return a caption as it is; refuse what is no text, is empty or without an end."""
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{place} is {value!r:.80}, not a text.")
    if len(value) > LONGEST_CAPTION:
        raise HarnessError(f"{place} has {len(value)} characters, more than {LONGEST_CAPTION}.")
    _refuse_unwritable(value, place)
    return value


def read_source(value: Any, place: str) -> str:
    """Return the path of an image as it is; refuse what is none."""
    if not isinstance(value, str) or not value.strip():
        raise HarnessError(f"{place}: the image's path is {value!r:.80}, not a text.")
    _refuse_unwritable(value, f"{place}: the image's path")
    return value


def _refuse_unwritable(text: str, place: str) -> None:
    """Refuse what no file of UTF-8 can hold: JSON may spell half a character, as in \\ud800."""
    if "\x00" in text or (not text.isprintable() and any(0xD800 <= ord(c) < 0xE000 for c in text)):
        raise HarnessError(f"{place} holds a character that is none: {text!r:.80}.")


def refuse_without_test(records: Iterable[Record], file: Path) -> None:
    """Refuse records on which nothing could be scored."""
    if not any(record.split == "test" for record in records):
        raise HarnessError(f"{file} has no row of split test, so nothing could be scored on it.")


def tell_of_missing(records: Iterable[Record], file: Path, tell: Callable[[str], None]) -> None:
    """Say which splits are not there, and what follows from it."""
    there = {record.split for record in records}
    if there == {"train"}:
        tell(f"{file.name} has a train split alone: nothing can be scored on it.")
    elif missing := [split for split in SPLITS if split not in there]:
        tell(f"{file.name} has no {' and no '.join(missing)} split: nothing can be trained on it.")


def refuse_other_split(first: Record, second: Record) -> None:
    """Refuse an image that is in several splits."""
    if first.split != second.split:
        raise HarnessError(
            f"{second.place}: {second.source!r:.200} is in {second.split}, and in {first.split} "
            f"({first.place}): splits may share no image."
        )


def refuse_shared_people(records: Iterable[Record]) -> None:
    """Refuse a person who is in several splits."""
    seen: dict[int, Record] = {}
    for record in records:
        first = seen.setdefault(record.person, record)
        if first.split != record.split:
            raise HarnessError(
                f"{record.place}: person {record.person} is in {record.split}, and in "
                f"{first.split} ({first.place}). Splits may share nobody; where each numbers its "
                "people anew, say --restarting-ids."
            )
