"""Folders that are laid out as the benchmarks are, with drawn people: to rehearse an import.

They have the official counts and ids, and what is odd of the originals: other image formats, people
with one image, images with 4 or 10 captions, line breaks and outer spaces in captions, captions
that several people share.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.data.declaration import SPLITS
from harness.data.importing.layouts import REHEARSAL, Layout
from harness.data.paperdolls.build import draw_pretraining
from harness.progress import Show

DRAWN = 200  # different drawings; an image is one of them with a pattern of its own
SIZE = (128, 384)  # width and height
CHUNK = 1024
BREAK_EVERY, SPACES_EVERY = 997, 1009  # captions between two that hold a line break, outer spaces
SHARED = 13  # captions of the test split that two people share, where it has several an image


@dataclass(frozen=True)
class _Planned:
    """One record before it is written."""

    split: str
    person: int
    number: int  # of the image within the person
    captions: int


def write_rehearsal(
    layout: Layout, folder: Path, progress: Show = lambda what, done, total: None
) -> None:
    """Write the annotations and images of a benchmark's layout, with its counts."""
    drawings = list(draw_pretraining(DRAWN))
    pictures = [np.asarray(drawing.image.resize(SIZE)) for drawing in drawings]
    texts = [drawing.caption for drawing in drawings]
    planned = list(_plan(layout))
    records: list[dict[str, Any]] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(planned), CHUNK):
            numbers = range(start, min(start + CHUNK, len(planned)))
            paths = [_path(layout, planned[number], number) for number in numbers]
            files = [folder / layout.images / path for path in paths]
            for parent in {file.parent for file in files}:
                parent.mkdir(parents=True, exist_ok=True)
            list(pool.map(lambda n, file: _save(pictures, n, file), numbers, files))
            records += [
                _record(layout, planned[number], path, _captions(texts, planned[number], number))
                for number, path in zip(numbers, paths, strict=True)
            ]
            progress(f"drawing {layout.title}", numbers[-1] + 1, len(planned))
    _share_captions(records)
    (folder / layout.annotations[0]).write_text(json.dumps(records), encoding="utf-8")


def _plan(layout: Layout) -> Iterator[_Planned]:
    """Spread images over people and captions over images, so that all counts are the official."""
    person = layout.first_person or 0
    for split in SPLITS:
        people, images, captions = layout.official.get(split, (0, 0, 0))
        amounts = _captions_of_images(images, captions)
        for count in _images_of_people(people, images):
            for number in range(count):
                yield _Planned(split, person, number, next(amounts))
            person += 1


def _images_of_people(people: int, images: int) -> Iterator[int]:
    """Yield how many images each person has: the first has one, the others about as many."""
    left = images
    for person in range(people):
        others = people - person - 1
        count = 1 if person == 0 and others and images > 2 * people else -(-left // (others + 1))
        left -= count
        yield count


def _captions_of_images(images: int, captions: int) -> Iterator[int]:
    """Yield how many captions each image has: as many for all, but 10 or 4 for a few."""
    usual = captions // max(images, 1)
    extra = captions - usual * images
    for _ in range(images):
        more = next((more for more in (8, 2, 1) if extra >= more), 0)
        extra -= more
        yield usual + more


def _path(layout: Layout, planned: _Planned, number: int) -> str:
    """Name a file as the benchmark does; folders called train and test are not its splits."""
    person, image = planned.person, planned.number
    if layout.name == "rstpreid":
        return f"{person:04d}_c{number % 15 + 1}_{image:04d}.jpg"
    if layout.name == "icfg-pedes":
        place = ("train", "test")[number % 2]
        return (
            f"{place}/{person:04d}/{person:04d}_{image:03d}_{number % 15 + 1:02d}_0303morning.jpg"
        )
    place = ("CUHK01", "CUHK03", "Market", "test_query", "train_query")[person % 5]
    return f"{place}/{person}_{image}.{('jpg', 'png', 'bmp')[0 if number % 50 else number % 3]}"


def _save(pictures: Sequence[Any], number: int, file: Path) -> None:
    pixels = pictures[number % DRAWN].copy()
    # No two files are the same: a square of a pattern of its own.
    pixels[:16, :16] = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    kind = {".jpg": "JPEG", ".png": "PNG", ".bmp": "BMP"}[file.suffix]
    Image.fromarray(pixels).save(encoded, kind)
    file.write_bytes(encoded.getvalue())


def _captions(texts: Sequence[str], planned: _Planned, number: int) -> list[str]:
    """Return captions that are no other image's."""
    first, found = texts[number % DRAWN], []
    for caption in range(planned.captions):
        second = texts[(number // DRAWN + caption) % DRAWN]
        text = f"{REHEARSAL}{first} {second}" + " Seen from afar." * (number // DRAWN**2)
        text += " Seen again." * caption  # else an image further on has it too
        if (number + caption) % BREAK_EVERY == 0:
            text = text.replace(". ", ".\n", 1)
        if (number + caption) % SPACES_EVERY == 0:
            text = f" {text} "
        found.append(text)
    return found


def _record(layout: Layout, planned: _Planned, path: str, captions: list[str]) -> dict[str, Any]:
    record = {
        "split": planned.split,
        "captions": captions,
        layout.path_key: path,
        "id": planned.person,
    }
    if layout.path_key == "file_path":
        record["processed_tokens"] = [caption.lower().split() for caption in captions]
    return record


def _share_captions(records: Sequence[dict[str, Any]]) -> None:
    """Give captions of a test person to another, as 26 of CUHK-PEDES' are."""
    test = [record for record in records if record["split"] == "test" and record["captions"][1:]]
    last = {record["id"]: record for record in test}
    people = list(last.values())
    for one, other in islice(zip(people[::2], people[1::2], strict=False), SHARED):
        for key in other.keys() & {"captions", "processed_tokens"}:
            other[key][0] = one[key][0]
