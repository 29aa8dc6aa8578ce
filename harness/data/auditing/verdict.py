"""Whether a dataset is the benchmark that it is taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.data.auditing.audit import Rows, audit_across, count
from harness.data.declaration import SPLITS
from harness.data.importing.layouts import LAYOUTS, REHEARSAL, Layout

POOLED_SHARE = 0.5  # of the people with several images, whose images all have the same captions


class Status(StrEnum):
    """What a dataset is good for."""

    OFFICIAL = "official"
    OTHER = "not official"
    REFUSED = "refused"


@dataclass(frozen=True)
class Verdict:
    """What a dataset is, and why."""

    status: Status
    reason: str


def judge(name: str, splits: Mapping[str, Rows]) -> Verdict:
    """Compare a dataset with the benchmark of its name, or with the one whose counts it has.

    Refused is what makes figures meaningless: missing splits, people in several splits, images
    without people, captions pooled by person, a withdrawn release.
    """
    counts = {split: tuple(count(rows).values()) for split, rows in splits.items()}
    withdrawn = (layout.why_withdrawn(counts) for layout in LAYOUTS.values())
    if flaw := _flaw(name, splits) or next(filter(None, withdrawn), None):
        return Verdict(Status.REFUSED, flaw)
    if any(text.lstrip().startswith(REHEARSAL) for text in splits["test"].captions):
        return Verdict(Status.OTHER, "it is a rehearsal, its people are drawn")
    for layout in LAYOUTS.values():
        if _has_counts(layout, counts):
            return Verdict(
                Status.OFFICIAL, f"people, images and captions of {layout.title}, split by split"
            )
    if name in LAYOUTS:
        return Verdict(Status.OTHER, _difference(LAYOUTS[name], counts))
    return Verdict(Status.OTHER, "its counts are those of none of the three benchmarks")


def _flaw(name: str, splits: Mapping[str, Rows]) -> str | None:
    needed = LAYOUTS[name].official if name in LAYOUTS else SPLITS
    missing = [split for split in needed if split not in splits or not len(splits[split].captions)]
    if missing:
        return f"it has no {' and no '.join(missing)} split"
    if shared := audit_across(splits.values())["identities"]:
        return f"{shared} people are in several splits"
    people = splits["test"].person_of_image
    if name in LAYOUTS and len(np.unique(people)) == len(people):
        return "no person has two test images: its people are not told"
    if (share := pooled_share(splits["train"])) > POOLED_SHARE:
        return (
            f"captions are pooled by person: of the people with several training images, "
            f"{share:.0%} have the same captions on each"
        )
    return None


def pooled_share(rows: Rows) -> float:
    """Return the share of people with several images whose images all have the same captions."""
    captions: list[list[str]] = [[] for _ in rows.person_of_image]
    for image, caption in zip(rows.image_of_caption.tolist(), rows.captions, strict=True):
        captions[image].append(caption)
    sets: dict[int, set[tuple[str, ...]]] = {}
    images: dict[int, int] = {}
    for person, texts in zip(rows.person_of_image.tolist(), captions, strict=True):
        sets.setdefault(person, set()).add(tuple(sorted(texts)))
        images[person] = images.get(person, 0) + 1
    several = [person for person, number in images.items() if number > 1]
    return sum(len(sets[person]) == 1 for person in several) / max(len(several), 1)


def _has_counts(layout: Layout, counts: Mapping[str, tuple[int, ...]]) -> bool:
    return dict(_uncarved(layout, counts)) == dict(layout.official)


def _uncarved(
    layout: Layout, counts: Mapping[str, tuple[int, ...]]
) -> Mapping[str, tuple[int, ...]]:
    """Put validation people back among the training people, where the benchmark has no such split.

    Only as many as the import takes: other splits are not comparable.
    """
    carved = layout.validation_people
    if "val" in layout.official or counts.get("val", (0,))[0] != carved:
        return counts
    whole = tuple(a + b for a, b in zip(counts["train"], counts["val"], strict=True))
    return {"train": whole, "test": counts["test"]}


def _difference(layout: Layout, counts: Mapping[str, tuple[int, ...]]) -> str:
    found = _uncarved(layout, counts)
    names = ("people", "images", "captions")
    differing = [
        f"{split} has {have:,} {name}, {layout.title} {want:,}"
        for split, official in layout.official.items()
        for name, have, want in zip(names, found.get(split, (0, 0, 0)), official, strict=True)
        if have != want
    ]
    if not differing:
        return f"it has a validation split that {layout.title} does not have"
    return "; ".join(differing)
