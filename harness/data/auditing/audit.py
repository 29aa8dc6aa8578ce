"""What can be counted of a dataset before a method sees it: sizes, repeats, leaks and oddities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """One split as its files hold it, nothing cleaned: M images and N captions."""

    person_of_image: Integers  # (M,)
    captions: Sequence[str]  # N
    image_of_caption: Integers  # (N,)
    image_hashes: Sequence[bytes | None]  # M, of the encoded files; None for one that was not read
    sources: Sequence[str | None] = ()  # M, the images' paths in the annotation; empty: not told

    @property
    def person_of_caption(self) -> Integers:
        """(N,) the person each caption describes."""
        return self.person_of_image[self.image_of_caption]


def audit(splits: Mapping[str, Rows]) -> dict[str, Any]:
    """Return `audit_split` of every split and `audit_across` all of them, ready for JSON."""
    return {
        "splits": {name: audit_split(rows) for name, rows in splits.items()},
        "across": audit_across(splits.values()),
    }


def count(rows: Rows) -> dict[str, int]:
    """Return the numbers of identities, images and captions."""
    people = len(np.unique(rows.person_of_image))
    return {
        "identities": people,
        "images": len(rows.person_of_image),
        "captions": len(rows.captions),
    }


def audit_split(rows: Rows) -> dict[str, Any]:
    """Return what is worth knowing of a split.

    Captions are compared with their whitespace normalised; `duplicate_images` compares encoded
    files byte by byte, and is None where some of them were not read.
    """
    _, images = np.unique(rows.person_of_image, return_counts=True)
    captions = np.bincount(rows.image_of_caption, minlength=len(rows.person_of_image))
    texts = [" ".join(caption.split()) for caption in rows.captions]
    return {
        **count(rows),
        "captions_per_image": _range(captions),
        "images_per_identity": _range(images),
        "identities_with_one_image": int(np.sum(images == 1)),
        "duplicate_captions": _duplicates(texts, rows.person_of_caption),
        "rank1_ceiling": rank1_ceiling(texts, rows.person_of_caption),
        "duplicate_images": _duplicates(rows.image_hashes, rows.person_of_image)
        if None not in rows.image_hashes
        else None,
        "odd_captions": {
            "empty": sum(not caption.strip() for caption in rows.captions),
            "line_breaks": sum("\n" in caption or "\r" in caption for caption in rows.captions),
            "outer_spaces": sum(caption != caption.strip() for caption in rows.captions),
        },
    }


def audit_across(splits: Iterable[Rows]) -> dict[str, int | None]:
    """Return how many identities, and how many different image files, stand in several splits.

    Neither should; `image_files` is None where some files were not read.
    """
    splits = list(splits)
    hashes = [set(rows.image_hashes) for rows in splits]
    return {
        "identities": _in_several(set(rows.person_of_image.tolist()) for rows in splits),
        "image_files": None if any(None in group for group in hashes) else _in_several(hashes),
    }


def rank1_ceiling(texts: Sequence[str], person_of_text: Integers) -> float:
    """Return the highest Rank-1, in percent, that captions shared by several people allow.

    A deterministic method ranks the gallery the same for equal texts, and one person holds the
    first place. So of the queries with one text, at most those of the person who has most of them
    are right:

        ceiling = 100 / N * sum over texts t, max over persons p, |{i: text_i = t, person_i = p}|

    A method that names that person for every text reaches it.
    """
    groups = _people_of(texts, person_of_text).values()
    return 100 * sum(max(people.values()) for people in groups) / len(texts)


def _duplicates(values: Sequence[Hashable], people: Integers) -> dict[str, int]:
    """Count the rows whose value another row has too, and the values that several people share."""
    groups = _people_of(values, people).values()
    shared = [group for group in groups if len(group) > 1]
    return {
        "within_a_person": sum(n for group in groups for n in group.values() if n > 1),
        "across_persons": sum(group.total() for group in shared),
        "distinct_across_persons": len(shared),
    }


def _people_of(values: Sequence[Hashable], people: Integers) -> dict[Hashable, Counter[int]]:
    """Return, for each value, how many of its rows belong to each person."""
    groups: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for value, person in zip(values, people.tolist(), strict=True):
        groups[value][person] += 1
    return groups


def _in_several(groups: Iterable[set[Any]]) -> int:
    seen = Counter(value for group in groups for value in group)
    return sum(times > 1 for times in seen.values())


def _range(counts: Integers) -> dict[str, int]:
    return {"min": int(counts.min()), "max": int(counts.max())}
