"""Scoring the features of a split: by score, then in the order that its dataset draws for ties.

`harness.metrics` lets the earlier row win a tie: here the gallery is put into the drawn order and
scored, and in what comes out rows are numbered as the dataset has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import distributed, metrics
from harness.data.schema import Split
from harness.evaluation.encode import Features
from harness.evaluation.rescoring import rescored_chunks
from harness.method import Method
from harness.metrics.counting import Floats, Integers
from harness.tie_order import CAPTIONS, IMAGES, tie_order

TOP = 10  # gallery rows kept for each query


def score_text_to_image(
    method: Method, features: Features, split: Split, candidates: int = 0, top: int = TOP
) -> metrics.QueryScores:
    """Score captions as queries over images; `candidates` of each query are re-scored."""
    queries, gallery = features.texts.embedding, features.images.embedding
    order = _order_of_images(split)
    if candidates and rescores(method):
        items = features.text_items, features.image_items
        chunks = rescored_chunks(method, queries, gallery, *items, candidates, order)
        return _score_chunks(chunks, split, order, top)
    people = split.person_of_caption, split.person_of_image
    return _score_by_cosine(queries, gallery, *people, order, top)


def score_image_to_text(features: Features, split: Split, top: int = TOP) -> metrics.QueryScores:
    """Score images as queries over captions."""
    queries, gallery = features.images.embedding, features.texts.embedding
    order = tie_order(split.fingerprint, CAPTIONS, len(split.captions))
    people = split.person_of_image, split.person_of_caption
    return _score_by_cosine(queries, gallery, *people, order, top)


def score_reranked(
    reranking: Callable[[Tensor, Tensor], Iterable[Floats]],
    features: Features,
    split: Split,
    top: int = TOP,
) -> metrics.QueryScores:
    """Score captions as queries over images by a re-ranking of their embeddings."""
    order = _order_of_images(split)
    gallery = features.images.embedding[torch.from_numpy(order)]
    return _score_chunks(reranking(features.texts.embedding, gallery), split, order, top)


def _order_of_images(split: Split) -> Integers:
    return tie_order(split.fingerprint, IMAGES, len(split.image_ids))


def _score_chunks(
    chunks: Iterable[Floats], split: Split, order: Integers, top: int
) -> metrics.QueryScores:
    """Score captions by chunks (c, G) whose columns stand in the order of ties."""
    people = split.person_of_caption, split.person_of_image[order]
    return _in_rows(metrics.score_rows(chunks, *people, top=top), order)


def _score_by_cosine(
    queries: Tensor,
    gallery: Tensor,
    query_people: NDArray[np.int64],
    gallery_people: NDArray[np.int64],
    order: Integers,
    top: int,
) -> metrics.QueryScores:
    """Score queries, every rank its share: what comes out is the same, to the bit."""
    gallery, gallery_people = gallery[torch.from_numpy(order)], gallery_people[order]

    def score(share: slice) -> metrics.QueryScores:
        asked = queries[share], gallery, query_people[share], gallery_people
        return metrics.score_queries(*asked, top=top)

    parts = distributed.divide_blocks(len(queries), metrics.CHUNK, score)
    return _in_rows(metrics.join(parts), order)


def _in_rows(scores: metrics.QueryScores, order: Integers) -> metrics.QueryScores:
    return replace(scores, top_rows=order[scores.top_rows])


def rescores(method: Method) -> bool:
    """Tell whether a method brings a `rescore` of its own."""
    return type(method).rescore is not Method.rescore
