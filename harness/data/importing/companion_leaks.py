"""What a companion may not tell: captions that are held out, and who is whom."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from harness.data.companions import By, Integers, Kind
from harness.data.importing.companion_rows import Value
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.printable import printable

HELD_OUT = ("val", "test")
# Of the images that people with several have, on how many a label may stand for their person.
# Attributes stay far below, and so do texts of which each is another.
MOST_OF_PEOPLE = 0.8


def refuse_held_out(texts: Sequence[str], splits: Mapping[str, Split]) -> None:
    """Refuse texts that are captions of val or test, but for those that train has as well.

    Captions are compared by their letters and digits, whatever their case.
    """
    letters = [_letters(text) for text in texts]
    train = {*map(_letters, splits["train"].captions)}
    for split in HELD_OUT:
        if split not in splits:
            continue
        captions = {*map(_letters, splits[split].captions)} - train - {""}
        held = [text for text, own in zip(texts, letters, strict=True) if own in captions]
        if held:
            raise HarnessError(
                f"{len(held):,} of {len(texts):,} texts are {split} captions, case and signs left "
                f"out, the first {printable(held[0], 120)!r}: what is "
                f"{'tested' if split == 'test' else 'chosen'} on may not be learned from. Leave "
                "them out."
            )


def refuse_people(lists: Sequence[Sequence[Value]], by: By, kind: Kind, train: Split) -> None:
    """Refuse texts or labels that tell the people apart: a supervision says who may know them."""
    share, position = share_of_people(lists, by, train)
    if share > MOST_OF_PEOPLE:
        raise HarnessError(
            f"Its {kind} are the people: value {position + 1} stands for the person on "
            f"{share:.0%} of the images of people with several: at least half of the person's have "
            "it, and no more of others. What trains with them declares the supervision identity, "
            "and gets batch.person_ids."
        )


def share_of_people(lists: Sequence[Sequence[Value]], by: By, train: Split) -> tuple[float, int]:
    """Return on which share of the images one value of their lists stands for their person.

    A value stands for a person where several of the person's images have it, at least half of
    them, and no more of others: so do labels that two people have between them, or of which a
    person has two. Only images with a list that is not empty count, of people who have several
    such. Values are compared by their place in the lists; the place of the largest share, from 0,
    is returned too.
    """
    image_of_list = train.image_of_caption if by == "caption" else np.arange(len(train.image_ids))
    counts = np.fromiter(map(len, lists), np.int64, len(lists))  # (lists,)
    images = np.repeat(image_of_list, counts)  # (V,) of all values
    places = np.arange(len(images)) - np.repeat(np.cumsum(counts) - counts, counts)  # (V,)
    codes: dict[Value, int] = {}
    values = np.array([codes.setdefault(_alike(one), len(codes)) for own in lists for one in own])
    _, people = np.unique(train.person_of_image, return_inverse=True)  # (M,)
    of_person = np.bincount(people[np.unique(images)], minlength=len(people))
    judged = of_person[of_person > 1].sum()
    if not judged:
        return 0.0, 0
    order = np.argsort(places, kind="stable")
    by_place = np.split(order, np.flatnonzero(np.diff(places[order])) + 1)
    told = [_images_told(images[own], values[own], people, of_person) for own in by_place]
    best = int(np.argmax(told))
    return float(told[best] / judged), best


def _images_told(images: Integers, values: Integers, people: Integers, of_person: Integers) -> int:
    """Count the images of people with several of which a value stands for the person.

    (V,), (V,) and the person of every image, the images that count of every person. Where it is
    one person, or none, they are not told apart.
    """
    _, values = np.unique(values, return_inverse=True)
    values, images = np.divmod(np.unique(values * len(people) + images), len(people))  # each once
    pairs, pair, counts = np.unique(
        values * len(people) + people[images], return_inverse=True, return_counts=True
    )
    of_value, person = np.bincount(values)[pairs // len(people)], pairs % len(people)
    stands = (counts > 1) & (2 * counts >= of_value) & (2 * counts >= of_person[person])
    return len(np.unique(images[stands[pair]])) if stands.sum() > 1 else 0


def _alike(value: Value) -> Value:
    """Return one value for all that are read alike."""
    return (_letters(value) or value) if isinstance(value, str) else value


def _letters(text: str) -> str:
    """Return the letters and digits of a text, without case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))
