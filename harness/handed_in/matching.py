"""Which row of a file is which caption and image of a split, and how far that is proved.

Ids tell it; where there are none, rows are taken in the order of the annotation file. People alone
prove the order of rows as far as figures depend on it: all rows of a person rank alike in them.

Shapes: N captions and M images of the split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.schema import Split
from harness.errors import HarnessError
from harness.handed_in.layout import GivenIds, Handed
from harness.printable import printable

Integers = NDArray[np.int64]
Others = Callable[[], Mapping[str, Split]]  # the other splits of the dataset, read where asked for

ORDER = "order alone"
PEOPLE = "person ids"


@dataclass(frozen=True)
class Match:
    """The rows of a file in the order of a split."""

    captions: Integers | None  # (N,) the row of each caption; None: they stand in that order
    images: Integers | None  # (M,) the row of each image
    by: str  # what told it, in words
    order_checked: bool


@dataclass(frozen=True)
class _Side:
    """The captions or the images."""

    rows: Integers | None
    by: str


def match(handed: Handed, split: Split, others: Others) -> Match:
    """Find the rows of a split in what was handed in.

    Raises:
        HarnessError: counts or ids are not those of the split; one sentence says in what way.
    """
    _refuse_counts(handed, split, others)
    ids, name = handed.ids, handed.name
    images = _match_images(name, ids, split, others)
    captions = _match_captions(name, ids, split, others)
    renamed = _compare_people(name, ids, split, captions, images, others)
    sides = {"captions": captions.by, "images": images.by}
    told = {what: ORDER if renamed and by == PEOPLE else by for what, by in sides.items()}
    same = len({*told.values()}) == 1
    by = told["images"] if same else ", ".join(f"{what} by {by}" for what, by in told.items())
    return Match(captions.rows, images.rows, by, ORDER not in told.values())


def find_image(given: str, known: Mapping[str, int]) -> int | None:
    """Return the row of an image by its id, or by a path that ends in it; None of another."""
    while given not in known:
        _, slash, given = given.partition("/")
        if not slash:
            return None
    return known[given]


def rows_by_image(name: str, given: Sequence[str], split: Split, others: Others) -> list[int]:
    """Return the row in a split of each image that is named. Raises HarnessError: there is none."""
    known = {image: row for row, image in enumerate(split.image_ids)}
    found = [find_image(one, known) for one in given]
    if None in found:
        row = found.index(None)
        where = [s.name for s in others().values() if _holds(s, given[row])]
        told = f"it is one of {where[0]}: the file is of another split" if where else "of no split"
        raise HarnessError(
            f"{name}: row {row} is image {printable(given[row], 120)!r}, which is none of "
            f"{split.name}; {told}."
        )
    return [row for row in found if row is not None]


def _holds(split: Split, image: str) -> bool:
    return find_image(image, {one: row for row, one in enumerate(split.image_ids)}) is not None


def _refuse_counts(handed: Handed, split: Split, others: Others) -> None:
    found, wanted = handed.counts, (len(split.captions), len(split.image_ids))
    if found == wanted:
        return
    told = f"{handed.name} has {found[0]:,} captions and {found[1]:,} images"
    wants = f"{split.name} has {wanted[0]:,} and {wanted[1]:,}"
    if found == wanted[::-1]:
        raise HarnessError(
            f"{told}, and {wants}: it is transposed. A row of a similarity is a caption, a column "
            "an image; of two files the first holds the captions."
        )
    if handed.widths == wanted:
        raise HarnessError(f"{told}, and {wants}: it is transposed. A row is one item.")
    for other in others().values():
        if found == (len(other.captions), len(other.image_ids)):
            raise HarnessError(f"{told}, as {other.name} has: {wants}.")
    raise HarnessError(f"{told}, and {wants}: it is cut short, or of other data.")


def _match_images(name: str, ids: GivenIds, split: Split, others: Others) -> _Side:
    if ids.image_ids is None:
        return _Side(None, ORDER if ids.image_people is None else PEOPLE)
    rows = rows_by_image(name, ids.image_ids, split, others)
    return _Side(_inverse(name, "image", rows), "image ids")


def _match_captions(name: str, ids: GivenIds, split: Split, others: Others) -> _Side:
    if ids.query_ids is not None:
        _refuse_outside(name, ids.query_ids, len(split.captions))
        return _Side(_inverse(name, "query", ids.query_ids.tolist()), "query numbers")
    if ids.text_image_ids is None:
        return _Side(None, ORDER if ids.text_people is None else PEOPLE)
    images = np.asarray(rows_by_image(name, ids.text_image_ids, split, others), np.int64)
    numbers = _occurrences(images) if ids.caption_numbers is None else ids.caption_numbers
    first = np.searchsorted(split.image_of_caption, images)  # captions of an image are together
    counts = np.bincount(split.image_of_caption, minlength=len(split.image_ids))
    wrong = (numbers < 0) | (numbers >= counts[images])
    if wrong.any():
        row = int(wrong.argmax())
        image = printable(split.image_ids[images[row]], 120)
        raise HarnessError(
            f"{name}: row {row} is caption {numbers[row]} of image {image!r}, which has "
            f"{counts[images[row]]}, numbered from 0."
        )
    by = "image ids" if ids.caption_numbers is None else "image ids and caption numbers"
    return _Side(_inverse(name, "caption", (first + numbers).tolist()), by)


def _refuse_outside(name: str, numbers: Integers, count: int) -> None:
    wrong = (numbers < 0) | (numbers >= count)
    if wrong.any():
        row = int(wrong.argmax())
        raise HarnessError(
            f"{name}: query_ids number the captions from 0 to {count - 1}, and row {row} says "
            f"{numbers[row]}. Ids of people go by the names qids or text_person_ids."
        )


def _inverse(name: str, what: str, places: Sequence[int]) -> Integers:
    """Return where in the file each place is found; as many are given as there are places."""
    rows = np.full(len(places), -1, np.int64)
    for row, place in enumerate(places):
        if rows[place] >= 0:
            raise HarnessError(f"{name}: rows {rows[place]} and {row} are the same {what}.")
        rows[place] = row
    return rows


def _occurrences(values: Integers) -> Integers:
    """Number equal values from 0 in the order in which they stand."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    numbers = np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))
    found = np.empty_like(values)
    found[order] = numbers
    return found


def _compare_people(
    name: str, ids: GivenIds, split: Split, captions: _Side, images: _Side, others: Others
) -> bool:
    """Hold the people that are given against those of the split.

    Returns whether they are the same people under other numbers, which prove no order.

    Raises:
        HarnessError: they are other people, or these in another order.
    """
    sides = [
        ("caption", ids.text_people, captions.rows, split.person_of_caption),
        ("image", ids.image_people, images.rows, split.person_of_image),
    ]
    given = [
        (what, people if rows is None else people[rows], wanted)
        for what, people, rows, wanted in sides
        if people is not None
    ]
    if all(np.array_equal(people, wanted) for _, people, wanted in given):
        return False
    for what, people, wanted in given:
        if not np.array_equal(people, wanted):
            _refuse_reordered(name, what, people, wanted, others)
    if not _is_renaming([(people, wanted) for _, people, wanted in given]):
        what, people, wanted = next(one for one in given if not np.array_equal(one[1], one[2]))
        row = int((people != wanted).argmax())
        raise HarnessError(
            f"{name}: the ids disagree with {split.name}: {what} {row} is of person {people[row]}, "
            f"and there of {wanted[row]}."
        )
    return True


def _refuse_reordered(
    name: str, what: str, people: Integers, wanted: Integers, others: Others
) -> None:
    ordered = np.sort(people)
    if np.array_equal(ordered, np.sort(wanted)):
        row = int((people != wanted).argmax())
        raise HarnessError(
            f"{name} is shuffled: its {what}s are of the right people in another order ({what} "
            f"{row} is of person {people[row]}, not {wanted[row]}). Write them in the order of the "
            "annotation file, or say which row is which with image_ids and query_ids."
        )
    for other in others().values():
        people_there = other.person_of_caption if what == "caption" else other.person_of_image
        if np.array_equal(ordered, np.sort(people_there)):
            raise HarnessError(f"{name}: its {what}s are of the people of {other.name}.")


def _is_renaming(given: Sequence[tuple[Integers, Integers]]) -> bool:
    """Tell whether each id stands for one person and each person for one id."""
    pairs = np.unique(np.concatenate([np.stack(one, axis=1) for one in given]), axis=0)
    return all(len(np.unique(column)) == len(pairs) for column in pairs.T)
