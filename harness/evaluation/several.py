"""Several describe one person: each caption asked together with others of the same person.

There are as many queries as before, so that each is paired with itself alone: beside a caption
stand others of its person, of other images first, since another witness has seen another moment.

Captions become one question in three ways. `text` joins them into one text. `embeddings` takes the
mean of their embeddings, as long as the method makes them. `scores` takes the mean of what each
would score, which for a method that only compares embeddings ranks as the mean of embeddings of
length one would; where a method re-scores its first candidates, their levels count.

Shapes: N captions, M images, D the width of an embedding, W the witnesses, c the queries of one
chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from harness import metrics
from harness.data.schema import Integers, Split
from harness.evaluation.encode import Features, with_captions
from harness.evaluation.rescoring import Items, rescored_chunks
from harness.evaluation.score import rescores, score_reranked, score_text_to_image
from harness.method import Encoded, Method
from harness.metrics.counting import Floats
from harness.metrics.neighbours import cosine_chunks, unit_features
from harness.results.protocols import EMBEDDINGS, TEXT
from harness.seeding import derive
from harness.tie_order import IMAGES, tie_order


@dataclass(frozen=True)
class Together:
    """Captions that are asked as one."""

    rows: Integers  # (N, W) each caption first; where a person has fewer, it stands again
    counts: Integers  # (N,) how many of them differ


def put_together(split: Split, witnesses: int) -> Together:
    """Return each caption with others of its person, drawn by the dataset alone.

    Those of other images come first, one of each as far as there are images.
    """
    of_person: dict[int, list[int]] = {}
    for row, person in enumerate(split.person_of_caption.tolist()):
        of_person.setdefault(person, []).append(row)
    rows = np.repeat(np.arange(len(split.captions))[:, None], witnesses, axis=1)  # (N, W)
    counts = np.ones(len(rows), np.int64)
    for row, person in enumerate(split.person_of_caption.tolist()):
        beside = _beside(split, row, of_person[person])[: witnesses - 1]
        rows[row, 1 : 1 + len(beside)] = beside
        counts[row] += len(beside)
    return Together(rows, counts)


def _beside(split: Split, row: int, known: Sequence[int]) -> list[int]:
    """Return the other captions of a person in the order in which they join one."""
    rng = np.random.default_rng(derive(0, "several", split.fingerprint, split.name, row))
    images = split.image_of_caption
    others = [known[place] for place in rng.permutation(len(known)) if known[place] != row]
    asked = {int(images[row]): 1}
    turns = []
    for other in others:
        image = int(images[other])
        turns.append(asked.get(image, 0))
        asked[image] = asked.get(image, 0) + 1
    return [others[place] for place in np.argsort(turns, kind="stable")]


def joined_texts(split: Split, together: Together) -> list[str]:
    """Return the captions of each query as one text: N of them."""
    return [
        " ".join(split.captions[row] for row in rows[:count])
        for rows, count in zip(together.rows.tolist(), together.counts.tolist(), strict=True)
    ]


def score_together(
    method: Method,
    features: Features,
    split: Split,
    candidates: int,
    together: Together,
    fusion: str,
) -> metrics.QueryScores:
    """Score captions that are asked together as queries over images.

    A method re-scores what is one text, or each caption of several whose scores are averaged.
    """
    if fusion == TEXT:
        device = features.images.embedding.device
        joined = with_captions(features, method, joined_texts(split, together), device)
        return score_text_to_image(method, joined, split, candidates)
    rows = torch.from_numpy(together.rows)  # (N, W)
    if fusion == EMBEDDINGS:
        texts = features.texts.embedding
        mean = torch.stack([texts[of_one] for of_one in rows.T]).mean(dim=0)  # (N, D)
        return score_text_to_image(method, replace(features, texts=Encoded(mean)), split)

    def average(queries: Tensor, gallery: Tensor) -> Iterator[Floats]:
        of_each = [
            _chunks(method, features, split, candidates, gallery, of_one) for of_one in rows.T
        ]
        for chunks in zip(*of_each, strict=True):
            yield np.mean(np.stack(chunks), axis=0, dtype=np.float32)  # (c, M)

    return score_reranked(average, features, split)


def _chunks(
    method: Method,
    features: Features,
    split: Split,
    candidates: int,
    gallery: Tensor,
    rows: Tensor,
) -> Iterator[Floats]:
    """Yield the scores (c, M) of some captions (N,), columns in the order of ties."""
    queries = features.texts.embedding[rows]
    if not candidates or not rescores(method):
        units = unit_features(queries, gallery)
        return cosine_chunks(units.queries, units.gallery, lambda start, block: None)
    items = features.text_items

    def tokens(asked: Tensor) -> Encoded:
        return items.encode(rows[asked])

    order = tie_order(split.fingerprint, IMAGES, len(split.image_ids))
    texts, images = Items(tokens, len(rows)), features.image_items
    every = method, queries, features.images.embedding, texts, images
    return rescored_chunks(*every, candidates, order)
