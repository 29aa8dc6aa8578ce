"""What benchmarks officially hold, and how an annotation is held against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.data.annotation import hash_annotation
from harness.data.declaration import SPLITS
from harness.data.importing.layouts import Layout
from harness.data.importing.records import Record
from harness.errors import HarnessError

CARVING_SEED = 0  # of the people that become a validation split


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


def refuse_gaps(records: Iterable[Record], layout: Layout) -> None:
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


def _told(counts: tuple[int, int, int] | None) -> str:
    if counts is None:
        return "nothing"
    return "{:,} people, {:,} images, {:,} captions".format(*counts)
