"""Makes the drawings: PaperDolls and StreetDolls as Parquet files, and people to pre-train on.

Everything is a function of the seed: an image depends on the seed, its split, its person's number
and its own number alone, so a longer split starts with the images of a shorter one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.columns import schema

from .captions.writing import Caption, describe, describe_differently
from .drawing.canvas import HEIGHT, WIDTH
from .drawing.person import draw
from .drawing.shots import take_shot, visible_facts
from .looks import PAPERDOLLS, PRETRAINING, Look
from .people.attributes import Person
from .people.families import people
from .random_streams import pick, stream

SPLITS = ("train", "val", "test")
_IDS_OF_A_SPLIT = 100_000  # person ids of a split start at a multiple of this

Progress = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True)
class Sizes:
    """How much is drawn: people of each split, images of a person, captions of an image."""

    train: int = 400
    val: int = 100
    test: int = 200
    images: int = 4
    captions: int = 2

    def people(self, split: str) -> int:
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    @property
    def total_images(self) -> int:
        return self.images * sum(self.people(split) for split in SPLITS)


@dataclass(frozen=True)
class Photo:
    """One image with what is known of it."""

    image: Image.Image
    captions: tuple[Caption, ...]
    person: Person
    person_id: int
    image_id: str
    camera: str
    source_path: str


def photographs(
    split: str, seed: int = 0, sizes: Sizes | None = None, look: Look = PAPERDOLLS
) -> Iterator[Photo]:
    """Yield the images of a split, person by person."""
    sizes = sizes or Sizes()
    crowd = people(split, seed, look.families)
    for number, person in enumerate(islice(crowd, sizes.people(split))):
        yield from photographs_of(person, number, split, seed, sizes, look)


def photographs_of(
    person: Person, number: int, split: str, seed: int, sizes: Sizes, look: Look
) -> Iterator[Photo]:
    """Yield the images of one person, the split's `number`-th from 0, each from another camera."""
    order = stream("cameras", seed, split, number).permutation(len(look.cameras))
    for turn in range(sizes.images):
        camera = look.cameras[order[turn % len(order)]]
        rng = stream("image", seed, split, number, turn)
        shot = take_shot(camera, look, rng)
        visible = visible_facts(person, shot)
        image_id = f"{split}-{number:04d}-{turn}"
        yield Photo(
            image=draw(person, shot, look, rng),
            captions=tuple(
                describe_differently(sizes.captions, person, visible, look.wording, rng)
            ),
            person=person,
            person_id=SPLITS.index(split) * _IDS_OF_A_SPLIT + number,
            image_id=image_id,
            camera=camera.name,
            source_path=f"{look.name}/{split}/{number:04d}/{image_id}.png",
        )


def write_paperdolls(
    folder: Path,
    seed: int | None = None,
    progress: Progress | None = None,
    sizes: Sizes | None = None,
    look: Look = PAPERDOLLS,
) -> None:
    """Write train.parquet, val.parquet and test.parquet, made for `datasets.load_dataset`.

    Columns: image (PNG), captions (list of strings), person_id (int64, unique over the splits),
    image_id, camera and source_path (strings). Without a seed, it is the look's.
    """
    from pyarrow import (
        Table,
        parquet,
    )  # with datasets slow to import, and needed here only

    sizes = sizes or Sizes()
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    for split in SPLITS:
        rows = []
        for photo in photographs(split, look.seed if seed is None else seed, sizes, look):
            rows.append(_row(photo))
            done += 1
            if progress is not None:
                progress(done, sizes.total_images)
        parquet.write_table(Table.from_pylist(rows, schema()), folder / f"{split}.parquet")


def draw_pretraining(
    count: int, seed: int = 0, look: Look = PRETRAINING
) -> Iterator[tuple[Image.Image, str]]:
    """Yield that many images of people of their own, each with a caption."""
    crowd = people("pretraining", seed, look.families)
    for number, person in enumerate(islice(crowd, count)):
        rng = stream("image", seed, "pretraining", number)
        shot = take_shot(pick(rng, look.cameras), look, rng)
        image = draw(person, shot, look, rng)
        yield (
            image,
            describe(person, visible_facts(person, shot), look.wording, rng).text,
        )


def pretraining_arrays(
    count: int, seed: int = 0, progress: Progress | None = None
) -> tuple[np.ndarray, list[str]]:
    """Return `draw_pretraining` as images (count, 3, 96, 32) uint8 and captions."""
    images = np.empty((count, 3, HEIGHT, WIDTH), dtype=np.uint8)
    captions = []
    for row, (image, caption) in enumerate(draw_pretraining(count, seed)):
        images[row] = np.asarray(image).transpose(2, 0, 1)
        captions.append(caption)
        if progress is not None:
            progress(row + 1, count)
    return images, captions


def _row(photo: Photo) -> dict[str, object]:
    encoded = io.BytesIO()
    photo.image.save(encoded, format="PNG")
    return {
        "image": {"bytes": encoded.getvalue(), "path": None},
        "captions": [caption.text for caption in photo.captions],
        "person_id": photo.person_id,
        "image_id": photo.image_id,
        "camera": photo.camera,
        "source_path": photo.source_path,
    }
