"""Encoding a split and scoring it: what is done to a trained method, never a reason to train."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness import distributed, metrics
from harness.data.schema import Split
from harness.evaluation.encode import Features
from harness.evaluation.rescoring import rescored_chunks
from harness.method import Method

TOP = 10  # gallery rows kept for each query


def score_text_to_image(
    method: Method, features: Features, split: Split, candidates: int = 0, top: int = TOP
) -> metrics.QueryScores:
    """Score captions as queries over images; `candidates` of each query are re-scored."""
    people = split.person_of_caption, split.person_of_image
    queries, gallery = features.texts.embedding, features.images.embedding
    if candidates and rescores(method):
        items = features.text_items, features.image_items
        chunks = rescored_chunks(method, queries, gallery, *items, candidates)
        return metrics.score_rows(chunks, *people, top=top)
    return _score_by_cosine(queries, gallery, *people, top)


def score_image_to_text(features: Features, split: Split, top: int = TOP) -> metrics.QueryScores:
    """Score images as queries over captions."""
    queries, gallery = features.images.embedding, features.texts.embedding
    return _score_by_cosine(queries, gallery, split.person_of_image, split.person_of_caption, top)


def _score_by_cosine(
    queries: Tensor,
    gallery: Tensor,
    query_people: NDArray[np.int64],
    gallery_people: NDArray[np.int64],
    top: int,
) -> metrics.QueryScores:
    """Score queries, every rank its share: what comes out is the same, to the bit."""

    def score(share: slice) -> metrics.QueryScores:
        asked = queries[share], gallery, query_people[share], gallery_people
        return metrics.score_queries(*asked, top=top)

    return metrics.join(distributed.divide_blocks(len(queries), metrics.CHUNK, score))


def rescores(method: Method) -> bool:
    """Tell whether a method brings a `rescore` of its own."""
    return type(method).rescore is not Method.rescore
