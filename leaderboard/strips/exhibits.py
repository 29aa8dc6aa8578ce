"""What of a dataset may stand on a page beside the answers of its queries.

Shapes: Q queries, M images of the gallery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.digest import Digest
from leaderboard.records.contest import Contest

JPEG = b"\xff\xd8\xff"  # how its bytes begin
LARGEST_THUMBNAIL = 1 << 16  # bytes; ours have a few thousand

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Gallery:
    """The test images in the dataset's order. A thumbnail is there only where it may be shown."""

    ids: list[str]  # M
    people: Integers  # (M,)
    cameras: list[str | None]  # M
    thumbnails: Mapping[int, bytes]  # JPEG, by row
    bare: str = ""  # why there is none of them, where that is not the licence


@dataclass(frozen=True)
class Exhibits:
    """The queries of a ground and, as far as the results tell, their texts and the gallery."""

    people: NDArray[Any]  # (Q,)
    captions: list[str] | None = None  # Q; None where they may not be shown
    words: Integers | None = None  # (Q,)
    attributes: Integers | None = None  # (Q,)
    images: Integers | None = None  # (Q,) the row of the image that each describes
    gallery: Gallery | None = None


def find_exhibits(contest: Contest) -> Exhibits | None:
    """Return what may be shown beside a ground's answers; None where nothing was answered.

    A digest that tells other people of the queries is of other data: nothing of it is shown.
    """
    if not contest.answers:
        return None
    people = next(iter(contest.answers.values())).people
    digest = contest.digest
    if digest is None or not np.array_equal(digest.person_of_caption, people):
        return Exhibits(people)
    shown = digest.about.get("shown") is True
    return Exhibits(
        people=people,
        captions=_captions(digest) if shown else None,
        words=digest.words,
        attributes=digest.attributes,
        images=digest.image_of_caption,
        gallery=Gallery(
            ids=digest.image_ids,
            people=digest.person_of_image,
            cameras=digest.cameras,
            thumbnails=_thumbnails(digest) if shown else {},
            bare=digest.bare,
        ),
    )


def _captions(digest: Digest) -> list[str] | None:
    known = [caption for caption in digest.captions if caption is not None]
    return known if len(known) == len(digest.captions) else None


def _thumbnails(digest: Digest) -> dict[int, bytes]:
    """Return what looks like a small JPEG: results may come from anyone."""
    return {
        row: image
        for row, image in enumerate(digest.thumbnails)
        if image is not None and image.startswith(JPEG) and len(image) <= LARGEST_THUMBNAIL
    }
