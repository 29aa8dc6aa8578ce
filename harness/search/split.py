"""The test split of a run as a gallery: what the run stored of it, encoded only if it is lost."""

from __future__ import annotations

import numpy as np

from harness.progress import Show
from harness.results import StoredRun
from harness.search.gallery import Encode, Floats, Gallery, in_batches
from harness.trained.split import (
    StoredSplit,
    open_test_pixels,
    order_of_images,
    read_stored_embeddings,
    read_test_split,
)


class SplitReader:
    """The test images of a run's dataset."""

    def __init__(self, run: StoredRun, size: tuple[int, int]) -> None:
        """`size` is the height and width that a method takes."""
        self._run = run
        self._size = size

    def close(self) -> None:
        """Nothing is open."""

    def encode(self, encode: Encode, show: Show) -> Gallery:
        """Return the gallery.

        Raises:
            HarnessError: the results do not tell of the dataset, nor is it here as it was.
        """
        record = self._run.record
        stored = read_test_split(self._run, show)
        pixels = open_test_pixels(record, stored.split, self._size)
        return Gallery(
            label=f"the test split of {record.data.get('title') or record.dataset}",
            names=stored.split.image_ids,
            embeddings=self._embeddings(stored, encode, show),
            pixels=pixels,
            thumbnail=lambda row: stored.thumbnails[row],
            order=order_of_images(record, stored.split),
        )

    def _embeddings(self, stored: StoredSplit, encode: Encode, show: Show) -> Floats:
        found = read_stored_embeddings(self._run, stored.split)
        if found is not None:
            return found.images.float().numpy()
        pixels = open_test_pixels(self._run.record, stored.split, self._size)
        count = len(stored.split.image_ids)
        parts = []
        for rows in in_batches(count):
            parts.append(encode(pixels(rows).numpy()))
            show("encoding images", int(rows[-1]) + 1, count)
        return np.concatenate(parts)
