"""Files of others scored as the harness scores its own: by block, ties in the order of the dataset.

Shapes: N captions and M images of the split, c captions of one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import metrics
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation import TOP
from harness.handed_in.files import Array
from harness.handed_in.layout import Handed
from harness.handed_in.matching import Match
from harness.metrics.counting import Floats, Integers
from harness.progress import Show
from harness.results import TIED
from harness.results.handed_in import Similarity
from harness.tie_order import CAPTIONS, IMAGES, tie_order

BLOCK = 512  # rows that are looked at together


@dataclass(frozen=True)
class Scored:
    """What the queries of a split scored, both ways where that is known.

    Of rankings that are cut `text_to_image` is the least, and `at_most` the most that they can be.
    """

    text_to_image: metrics.QueryScores
    image_to_text: metrics.QueryScores | None = None
    at_most: metrics.QueryScores | None = None
    depth: int = 0  # of rankings that are cut: images that the shortest of them lists
    # Features that cosine compares, in the order of the split:
    texts: Floats | None = None  # (N, D)
    images: Floats | None = None  # (M, D)


def score(
    handed: Handed, matched: Match, split: Split, similarity: Similarity, show: Show
) -> Scored:
    """Score what was handed in on a split.

    Raises:
        HarnessError: it holds NaN or infinity; the message names the first such row.
    """
    if handed.similarity is not None:
        return Scored(_score_matrix(handed, handed.similarity, matched, split, show))
    return _score_features(handed, matched, split, similarity == "cosine")


def figures_of(found: metrics.QueryScores) -> dict[str, float]:
    """Return the figures of scores in percent, with the share of tied queries."""
    return {**metrics.summarize(found), TIED: 100.0 * float(found.tied.mean())}


def _score_features(handed: Handed, matched: Match, split: Split, is_cosine: bool) -> Scored:
    assert handed.texts is not None
    assert handed.images is not None
    texts = _in_order(handed.name, "texts", handed.texts, matched.captions)
    images = _in_order(handed.name, "images", handed.images, matched.images)
    people = split.person_of_caption, split.person_of_image
    orders = [tie_order(split.fingerprint, kind, len(rows))
              for kind, rows in ((IMAGES, images), (CAPTIONS, texts))]  # fmt: skip
    found = _rank(texts, images, *people, orders[0], is_cosine)
    back = _rank(images, texts, *people[::-1], orders[1], is_cosine)
    if not is_cosine:
        return Scored(found, back)
    return Scored(found, back, texts=texts, images=images)


def _rank(
    queries: Floats,
    gallery: Floats,
    query_people: Integers,
    gallery_people: Integers,
    order: Integers,
    is_cosine: bool,
) -> metrics.QueryScores:
    people = query_people, gallery_people[order]
    found = metrics.score_queries(queries, gallery[order], *people, normalize=is_cosine, top=TOP)
    return _in_rows(found, order)


def _in_rows(found: metrics.QueryScores, order: Integers) -> metrics.QueryScores:
    return replace(found, top_rows=order[found.top_rows])


def _in_order(name: str, what: str, array: Array, rows: Integers | None) -> Floats:
    """Return features in single precision and in the order of the split."""
    count, width = array.shape
    found = np.empty((count, width), np.float32)
    for start in range(0, count, BLOCK):
        found[start : start + BLOCK] = _block(array, slice(start, start + BLOCK))
        _refuse_not_finite(name, what, found[start : start + BLOCK], start)
    return found if rows is None else found[rows]


def _score_matrix(
    handed: Handed, similarity: Array, matched: Match, split: Split, show: Show
) -> metrics.QueryScores:
    """Score a matrix that stays where it is: only some rows of it are ever held."""
    count, images = similarity.shape
    order = tie_order(split.fingerprint, IMAGES, images)
    columns = order if matched.images is None else matched.images[order]
    size = BLOCK * torch.get_num_threads()

    def chunks() -> Iterator[Floats]:
        for start in range(0, count, size):
            rows: slice | Integers = slice(start, min(start + size, count))
            if matched.captions is not None:
                rows = matched.captions[rows]
            block = _block(similarity, rows)
            _refuse_not_finite(handed.name, "similarity", block, start, rows)
            yield block[:, columns]
            show("scoring", min(start + size, count), count)

    people = split.person_of_caption, split.person_of_image[order]
    return _in_rows(metrics.score_rows(chunks(), *people, top=TOP), order)


def _block(array: Array, rows: slice | Integers) -> Floats:
    """Return rows in single precision; what it cannot hold is infinite."""
    if isinstance(array, Tensor):
        chosen = array[rows if isinstance(rows, slice) else torch.from_numpy(rows)]
        return chosen.detach().float().numpy()
    with np.errstate(over="ignore"):
        return np.array(_mapped_anew(array)[rows], np.float32)


def _mapped_anew(array: NDArray[Any]) -> NDArray[Any]:
    """Return a mapped array mapped once more: with the other one, what was read of it would stay.

    An array as it was read from a file, not a part of one.
    """
    if not isinstance(array, np.memmap) or array.filename is None:
        return array
    order: Any = "C" if array.flags.c_contiguous else "F"
    return np.memmap(array.filename, array.dtype, "r", array.offset, array.shape, order)


def _refuse_not_finite(
    name: str, what: str, block: NDArray[Any], start: int, rows: slice | Integers = slice(None)
) -> None:
    wrong = ~np.isfinite(block).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        row = int(rows[row]) if isinstance(rows, np.ndarray) else start + row
        raise HarnessError(
            f"{name}: row {row} of {what} holds NaN, infinity or more than float32 can hold."
        )
