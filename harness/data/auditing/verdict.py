"""Whether a dataset is the benchmark that it is taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from harness.data.annotation import hash_annotation
from harness.data.auditing.audit import Rows, audit_across, count
from harness.data.importing.layouts import BENCHMARKS, FURTHER, REHEARSAL, Layout

NUMBERS = "the official numbers of people, images and captions"
POOLED_SHARE = 0.5  # of the people with several images, whose images all have the same captions


class Status(StrEnum):
    """What a dataset is good for."""

    OFFICIAL = "official"  # by the annotation
    NUMBERS = "official numbers"  # whether the annotation is the official one cannot be known
    OTHER = "not official"
    TRAINED = "to train on"  # nothing can be scored on it
    REFUSED = "refused"


@dataclass(frozen=True)
class Verdict:
    """What a dataset is, and why."""

    status: Status
    reason: str
    annotation: Mapping[str, str] = field(
        default_factory=dict
    )  # split -> hash that is the official


def judge(name: str, splits: Mapping[str, Rows]) -> Verdict:
    """Compare a dataset with the benchmark of its name, or with the one whose counts it has.

    Official is what has the annotation of a benchmark wherever its hash is known, and its counts
    elsewhere. Refused is what makes figures meaningless: nothing to test on, people in several
    splits, images without people, captions pooled by person, a withdrawn release.
    """
    counts = {split: tuple(count(rows).values()) for split, rows in splits.items()}
    if counts.keys() == {"train"}:
        return _of_training(name, splits)
    withdrawn = (layout.why_withdrawn(counts) for layout in BENCHMARKS.values())
    if flaw := _flaw(name, splits) or next(filter(None, withdrawn), None):
        return Verdict(Status.REFUSED, flaw)
    if any(text.lstrip().startswith(REHEARSAL) for text in splits["test"].captions):
        return Verdict(Status.OTHER, "it is a rehearsal, its people are drawn")
    for layout in BENCHMARKS.values():
        if _has_counts(layout, counts):
            return _by_annotation(layout, splits)
    if name in BENCHMARKS:
        return _different(BENCHMARKS[name], counts, splits)
    if name in FURTHER:
        return _by_whole(FURTHER[name], counts)
    return Verdict(Status.OTHER, "its counts are those of none of the three benchmarks")


def _of_training(name: str, splits: Mapping[str, Rows]) -> Verdict:
    """Judge a dataset that has a train split alone."""
    told = "it has a train split alone, so nothing can be scored on it"
    if not len(splits["train"].captions):
        return Verdict(Status.REFUSED, "its train split has no caption")
    if name in FURTHER:
        counts = {"train": tuple(count(splits["train"]).values())}
        told += f"; {_by_whole(FURTHER[name], counts).reason}"
    return Verdict(Status.TRAINED, told)


def _by_whole(layout: Layout, counts: Mapping[str, tuple[int, ...]]) -> Verdict:
    """Judge a dataset of whose splits no numbers are published, by those of all together."""
    mine = [of for split, of in counts.items() if split == layout.only or not layout.only]
    found = tuple(map(sum, zip(*mine, strict=True)))
    if layout.whole is None:
        return Verdict(Status.OTHER, f"{layout.title} has no published numbers to compare it with")
    if found == layout.whole:
        told = f"it has the published numbers of people, images and captions of {layout.title}"
        return Verdict(Status.NUMBERS, f"{told}, all splits together")
    people, images, captions = found or (0, 0, 0)
    return Verdict(
        Status.OTHER,
        f"it has {people:,} people, {images:,} images and {captions:,} captions, {layout.title} "
        "{:,}, {:,} and {:,}".format(*layout.whole),
    )


def _flaw(name: str, splits: Mapping[str, Rows]) -> str | None:
    if "test" not in splits:
        return "it has no test split"
    if empty := [split for split, rows in splits.items() if not len(rows.captions)]:
        return f"its {' and its '.join(empty)} split has no caption"
    if shared := audit_across(splits.values())["identities"]:
        return f"{shared} people are in several splits"
    people = splits["test"].person_of_image
    # What tells the paths of the annotation was imported with its people, of a part perhaps.
    untold = name in BENCHMARKS and not any(splits["test"].sources)
    if untold and len(np.unique(people)) == len(people):
        return "no person has two test images: its people are not told"
    if "train" in splits and (share := pooled_share(splits["train"])) > POOLED_SHARE:
        return (
            f"captions are pooled by person: of the people with several training images, "
            f"{share:.0%} have the same captions on each"
        )
    return None


def pooled_share(rows: Rows) -> float:
    """Return the share of people with several images whose images all have the same captions."""
    captions = _captions_of_images(rows)
    sets: dict[int, set[tuple[str, ...]]] = {}
    images: dict[int, int] = {}
    for person, texts in zip(rows.person_of_image.tolist(), captions, strict=True):
        sets.setdefault(person, set()).add(tuple(sorted(texts)))
        images[person] = images.get(person, 0) + 1
    several = [person for person, number in images.items() if number > 1]
    return sum(len(sets[person]) == 1 for person in several) / max(len(several), 1)


def hash_of(rows: Rows) -> str | None:
    """Return the hash of a split's annotation; None where the paths of images are not told."""
    sources = [source for source in rows.sources if source is not None]
    people = rows.person_of_image.tolist()
    if len(sources) != len(people):
        return None
    return hash_annotation(zip(sources, people, _captions_of_images(rows), strict=True))


def _captions_of_images(rows: Rows) -> list[list[str]]:
    captions: list[list[str]] = [[] for _ in rows.person_of_image]
    for image, caption in zip(rows.image_of_caption.tolist(), rows.captions, strict=True):
        captions[image].append(caption)
    return captions


def _by_annotation(layout: Layout, splits: Mapping[str, Rows]) -> Verdict:
    """Judge a dataset with the counts of a benchmark."""
    title = layout.title
    if not layout.hashes:
        told = f"it has {NUMBERS} of {title}; whether it has its annotation is not known"
        return Verdict(Status.NUMBERS, told)
    same = _same_annotation(layout, splits)
    if other := [split for split in layout.hashes if split not in same]:
        told = f"but in {' and '.join(other)} another annotation than {title}"
        if any(hash_of(splits[split]) is None for split in other):
            told = "but no paths of images (source_path), by which annotations are compared"
        return Verdict(Status.OTHER, f"it has {NUMBERS}, {told}")
    told = f"in {' and '.join(same)} the annotation of {title}"
    if unknown := [split for split in layout.official if split not in same]:
        told += f", in {' and '.join(unknown)} {NUMBERS}"
    return Verdict(Status.OFFICIAL, told, same)


def _same_annotation(layout: Layout, splits: Mapping[str, Rows]) -> dict[str, str]:
    """Return the hashes of the splits whose annotation is known to be the benchmark's."""
    return {
        split: known
        for split, known in layout.hashes.items()
        if split in splits and hash_of(splits[split]) == known
    }


def _has_counts(layout: Layout, counts: Mapping[str, tuple[int, ...]]) -> bool:
    return dict(_uncarved(layout, counts)) == dict(layout.official)


def _uncarved(
    layout: Layout, counts: Mapping[str, tuple[int, ...]]
) -> Mapping[str, tuple[int, ...]]:
    """Put validation people back among the training people, where the benchmark has no such split.

    Only as many as the import takes: other splits are not comparable.
    """
    carved = layout.validation_people
    if "val" in layout.official or counts.get("val", (0,))[0] != carved or "train" not in counts:
        return counts
    whole = tuple(a + b for a, b in zip(counts["train"], counts["val"], strict=True))
    return {"train": whole, "test": counts["test"]}


def _different(
    layout: Layout, counts: Mapping[str, tuple[int, ...]], splits: Mapping[str, Rows]
) -> Verdict:
    """Judge a dataset that goes by a benchmark's name and has other counts."""
    same = _same_annotation(layout, splits)
    told = f"; in {' and '.join(same)} the annotation of {layout.title}" if same else ""
    return Verdict(Status.OTHER, _difference(layout, counts) + told, same)


def _difference(layout: Layout, counts: Mapping[str, tuple[int, ...]]) -> str:
    found = _uncarved(layout, counts)
    names = ("people", "images", "captions")
    missing = [split for split in layout.official if split not in found]
    differing = [f"it has no {' and no '.join(missing)} split"] if missing else []
    differing += [
        f"{split} has {have:,} {name}, {layout.title} {want:,}"
        for split, official in layout.official.items()
        if split in found
        for name, have, want in zip(names, found[split], official, strict=True)
        if have != want
    ]
    if not differing:
        return f"it has a validation split that {layout.title} does not have"
    return "; ".join(differing)
