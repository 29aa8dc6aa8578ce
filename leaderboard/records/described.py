"""What captions say of each image, and in what a wrong image contradicts a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.data.auditing.contradictions import (
    Contradiction,
    Traits,
    find_contradictions,
    merge_traits,
    read_traits,
)
from harness.data.digest import Digest


@dataclass(frozen=True)
class Described:
    """N queries and M images, by what is said of them."""

    queries: Sequence[Traits]  # N
    images: Sequence[Traits]  # M; of all captions of an image

    def contradictions(self, query: int, row: int) -> tuple[Contradiction, ...]:
        """Return in what an image of the gallery contradicts a query."""
        return find_contradictions(self.queries[query], self.images[row])


def describe(digest: Digest) -> Described | None:
    """Read the captions of a digest; None where one is missing, or none may be shown."""
    captions = [caption for caption in digest.captions if caption is not None]
    if digest.about.get("shown") is not True or len(captions) < len(digest.captions):
        return None
    queries = [read_traits(caption) for caption in captions]
    of_image: list[list[Traits]] = [[] for _ in digest.image_ids]
    for row, traits in zip(digest.image_of_caption.tolist(), queries, strict=True):
        of_image[row].append(traits)
    return Described(queries, [merge_traits(found) for found in of_image])
