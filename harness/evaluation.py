"""Encoding a split and scoring it: what is done to a trained method, never a reason to train."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness import metrics
from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.method import Encoded, Method

BATCH = 128
TOP = 10  # gallery rows kept for each query


@dataclass(frozen=True)
class Features:
    """The features of a split on the CPU, and what an item cost."""

    images: Encoded  # (M, D)
    texts: Encoded  # (N, D)
    image_milliseconds: float
    text_milliseconds: float


@torch.no_grad()
def encode_split(
    method: Method,
    split: Split,
    pixels: Pixels,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Features:
    """Encode every image and caption of a split in evaluation mode."""
    method.to(device).eval()
    began = time.perf_counter()
    count = len(split.image_ids)
    images = encode_images(method, lambda rows: pixels(np.asarray(rows)), count, device, progress)
    between = time.perf_counter()
    texts = encode_texts(method, split.captions, device)
    ended = time.perf_counter()
    return Features(
        images=images,
        texts=texts,
        image_milliseconds=1000 * (between - began) / count,
        text_milliseconds=1000 * (ended - between) / len(split.captions),
    )


def encode_images(
    method: Method,
    pixels: Callable[[Tensor], Tensor],
    count: int,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Encode `count` images in order, on the device."""
    parts = []
    for rows in torch.split(torch.arange(count), BATCH):
        encoded = method.encode_images(pixels(rows).to(device))
        parts.append(_checked(method, encoded, len(rows), "encode_images"))
        if progress:
            progress(int(rows[-1]) + 1, count)
    return _join(parts)


def encode_texts(method: Method, captions: Sequence[str], device: torch.device) -> Encoded:
    """Encode captions, sorted by length so that a batch needs little padding, back in order."""
    order = sorted(range(len(captions)), key=lambda row: len(captions[row]))
    parts = []
    for start in range(0, len(order), BATCH):
        texts = [captions[row] for row in order[start : start + BATCH]]
        encoded = method.encode_texts(texts)
        parts.append(_checked(method, encoded, len(texts), "encode_texts"))
    return _select(_join(parts), torch.tensor(np.argsort(order), device=device))


def score_text_to_image(
    method: Method, features: Features, split: Split, candidates: int = 0, top: int = TOP
) -> metrics.QueryScores:
    """Score captions as queries over images; `candidates` of each query are re-scored."""
    people = split.person_of_caption, split.person_of_image
    if candidates and rescores(method):
        rows = rescored_rows(method, features, candidates)
        return metrics.score_rows(rows, *people, top=top)
    queries, gallery = features.texts.embedding, features.images.embedding
    return metrics.score_queries(queries, gallery, *people, top=top)


def score_image_to_text(features: Features, split: Split, top: int = TOP) -> metrics.QueryScores:
    """Score images as queries over captions."""
    queries, gallery = features.images.embedding, features.texts.embedding
    return metrics.score_queries(
        queries, gallery, split.person_of_image, split.person_of_caption, top=top
    )


def rescores(method: Method) -> bool:
    """Tell whether a method brings a `rescore` of its own."""
    return type(method).rescore is not Method.rescore


@torch.no_grad()
def rescored_rows(
    method: Method, features: Features, candidates: int
) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Yield scores (1, M) query by query: the first candidates by `rescore`, the rest by cosine.

    Candidates are lifted above every cosine, so below them the embedding's order stays.
    """
    queries = torch.nn.functional.normalize(features.texts.embedding.float(), dim=-1)
    gallery = torch.nn.functional.normalize(features.images.embedding.float(), dim=-1)
    for query in range(len(queries)):
        row = (queries[query] @ gallery.T).cpu()  # (M,)
        first = np.argsort(-row.numpy(), kind="stable")[:candidates]
        chosen = torch.from_numpy(np.sort(first))
        texts = _select(features.texts, torch.full((len(chosen),), query))
        scores = method.rescore(texts, _select(features.images, chosen)).float().cpu()  # (k,)
        if scores.shape != chosen.shape or not torch.isfinite(scores).all():
            raise ValueError(f"{type(method).__name__}.rescore gave no finite score for each pair")
        # Ranks in place of scores: their scale is unknown, and ties stay in the gallery's order.
        _, levels = torch.unique(scores, return_inverse=True)
        row[chosen] = 2.0 + levels.float()
        yield row[None].numpy()  # (1, M)


def _checked(method: Method, encoded: Tensor | Encoded, count: int, function: str) -> Encoded:
    """Return an Encoded of the right shape; tokens are kept only where the method re-scores."""
    if isinstance(encoded, Tensor):
        encoded = Encoded(encoded)
    shape = tuple(encoded.embedding.shape)
    if len(shape) != 2 or shape[0] != count:
        source = f"{type(method).__name__}.{function}"
        raise ValueError(f"{source} must return ({count}, D) for {count} items, got {shape}")
    return encoded if rescores(method) else Encoded(encoded.embedding)


def _join(parts: Sequence[Encoded]) -> Encoded:
    """Concatenate batches; tokens are padded to the longest."""
    embedding = torch.cat([part.embedding for part in parts])  # (N, D)
    if any(part.tokens is None for part in parts):
        return Encoded(embedding)
    length = max(part.tokens.shape[1] for part in parts if part.tokens is not None)
    tokens = torch.cat([_pad(part.tokens, length) for part in parts if part.tokens is not None])
    masks = [part.mask if part.mask is not None else _full_mask(part) for part in parts]
    return Encoded(embedding, tokens, torch.cat([_pad(mask, length) for mask in masks]))


def _pad(values: Tensor, length: int) -> Tensor:
    """Pad dimension 1 with zeros."""
    missing = length - values.shape[1]
    return torch.nn.functional.pad(values, [0, 0] * (values.ndim - 2) + [0, missing])


def _full_mask(part: Encoded) -> Tensor:
    assert part.tokens is not None
    return torch.ones(part.tokens.shape[:2], dtype=torch.bool, device=part.tokens.device)


def _select(encoded: Encoded, rows: Tensor) -> Encoded:
    rows = rows.to(encoded.embedding.device)
    tokens = None if encoded.tokens is None else encoded.tokens[rows]
    mask = None if encoded.mask is None else encoded.mask[rows]
    return Encoded(encoded.embedding[rows], tokens, mask)
