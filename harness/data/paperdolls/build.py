"""Makes the drawings: PaperDolls and StreetDolls as Parquet files, and people to pre-train on.

Everything is a function of the seed: an image depends on the seed, its split, its person's number
and its own number alone, so a longer split starts with the images of a shorter one.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from harness.data.columns import schema

from .captions.writing import Caption, describe, describe_differently
from .drawing.person import draw
from .drawing.shots import take_shot, visible_facts
from .looks import PAPERDOLLS, PRETRAINING, Look, Sizes
from .people.attributes import Person
from .people.changes import as_seen, as_told
from .people.families import people
from .random_streams import pick, stream

SPLITS = ("train", "val", "test")
ATTRIBUTES = "people.json"
_IDS_OF_A_SPLIT = 100_000  # person ids of a split start at a multiple of this

Progress = Callable[[int, int], None]  # images done, images in all


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


@dataclass(frozen=True)
class Drawing:
    """One image to pre-train on."""

    image: Image.Image
    caption: str
    visible: Mapping[str, str]  # facts of the person that the image shows


def photographs(
    split: str, seed: int = 0, sizes: Sizes | None = None, look: Look = PAPERDOLLS
) -> Iterator[Photo]:
    """Yield the images of a split, person by person."""
    sizes = sizes or look.sizes
    crowd = people(split, seed, look.families)
    for number, person in enumerate(islice(crowd, sizes.people(split))):
        yield from photographs_of(person, number, split, seed, sizes, look)


def photographs_of(
    person: Person, number: int, split: str, seed: int, sizes: Sizes, look: Look
) -> Iterator[Photo]:
    """Yield the images of one person, the split's `number`-th from 0, each from another camera."""
    order = stream("cameras", seed, split, number).permutation(len(look.cameras))
    for turn in range(images_of(number, split, seed, sizes)):
        camera = look.cameras[order[turn % len(order)]]
        rng = stream("image", seed, split, number, turn)
        shot = take_shot(camera, look, rng)
        apart = stream("changes", seed, split, number, turn)  # looks without any draw as before
        now = as_seen(person, look.difficulty.changes, apart)
        told = as_told(now, look.wording.mistaken, apart)
        visible = visible_facts(told, shot)
        image_id = f"{split}-{number:04d}-{turn}"
        yield Photo(
            image=draw(now, shot, look, rng),
            captions=tuple(describe_differently(sizes.captions, told, visible, look.wording, rng)),
            person=person,
            person_id=SPLITS.index(split) * _IDS_OF_A_SPLIT + number,
            image_id=image_id,
            camera=camera.name,
            source_path=f"{look.name}/{split}/{number:04d}/{image_id}.png",
        )


def images_of(number: int, split: str, seed: int, sizes: Sizes) -> int:
    """Return how many images there are of the split's `number`-th person."""
    fewest, most = sizes.images
    return int(stream("images", seed, split, number).integers(fewest, most, endpoint=True))


def count_images(seed: int, sizes: Sizes) -> int:
    """Return how many images there are in all splits."""
    return sum(
        images_of(number, split, seed, sizes)
        for split in SPLITS
        for number in range(sizes.people(split))
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
    image_id, camera and source_path (strings). Beside them ATTRIBUTES holds what is true of each
    person: person_id -> fact -> value, as `Person.facts` names them. Without a seed or sizes, they
    are the look's.
    """
    from pyarrow import (
        Table,
        parquet,
    )  # with datasets slow to import, and needed here only

    sizes = sizes or look.sizes
    seed = look.seed if seed is None else seed
    folder.mkdir(parents=True, exist_ok=True)
    done, total = 0, count_images(seed, sizes)
    attributes = {}
    for split in SPLITS:
        rows = []
        for photo in photographs(split, seed, sizes, look):
            rows.append(_row(photo))
            attributes[photo.person_id] = photo.person.facts()
            done += 1
            if progress is not None:
                progress(done, total)
        parquet.write_table(Table.from_pylist(rows, schema()), folder / f"{split}.parquet")
    (folder / ATTRIBUTES).write_text(json.dumps(attributes, indent=0))


def draw_pretraining(count: int, seed: int = 0, look: Look = PRETRAINING) -> Iterator[Drawing]:
    """Yield that many images of people of their own, each with a caption."""
    crowd = people("pretraining", seed, look.families)
    for number, person in enumerate(islice(crowd, count)):
        rng = stream("image", seed, "pretraining", number)
        shot = take_shot(pick(rng, look.cameras), look, rng)
        image = draw(person, shot, look, rng)
        visible = visible_facts(person, shot)
        caption = describe(person, visible, look.wording, rng).text
        facts = person.facts()
        yield Drawing(image, caption, {name: facts[name] for name in sorted(visible)})


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
