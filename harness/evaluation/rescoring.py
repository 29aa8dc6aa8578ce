"""The first candidates of each query, scored again with the tokens behind their embeddings.

Tokens of a whole gallery may not fit in memory (19,848 images of 577 x 768 are 33 GB), so they are
encoded again, a block of items at a time, and held in half precision: at most `TOKEN_BYTES` of
images and as many of captions. Where several processes share a run, each encodes some of the
batches for all, and scores some of the batches of pairs.

Shapes: Q queries, G gallery rows, k candidates, c the queries of one chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness import distributed
from harness.method import Encoded, Method
from harness.metrics.counting import Floats, Integers
from harness.metrics.neighbours import UnitFeatures, cosine_chunks, top_rows, unit_features

TOKEN_BYTES = 2**31  # of either modality, counting the moment in which a block is put together
PAIR_BYTES = 2**27  # of the tokens of pairs that are scored together, in single precision
SIMILAR_LENGTH = 8  # captions whose lengths differ by less are padded to the longest
BATCH = 128  # items encoded and pairs scored at a time: more at once is slower on a CPU


@dataclass(frozen=True)
class Items:
    """The items of one modality: encoded again whenever their tokens are needed."""

    encode: Callable[[Tensor], Encoded]  # rows (B,) -> with tokens
    count: int


@dataclass(frozen=True)
class _Block:
    """Items from `start` on, with tokens in half precision."""

    start: int
    encoded: Encoded

    @property
    def stop(self) -> int:
        return self.start + len(self.encoded.embedding)


def rescored_chunks(
    method: Method,
    queries: Tensor,
    gallery: Tensor,
    texts: Items,
    images: Items,
    candidates: int,
    order: Integers,
) -> Iterator[Floats]:
    """Yield scores (c, G) that cover the queries in order: candidates first, then by cosine.

    Takes embeddings (Q, D) and (G, D), and the gallery rows (G,) in the order in which they rank
    where they score the same, which is that of the columns. The `candidates` nearest images of a
    query are lifted above every cosine, in the order that `method.rescore` gives them; below, the
    embedding's stays.

    Raises:
        ValueError: a pair's score is missing or not finite.
    """
    units = unit_features(queries, gallery[torch.from_numpy(order)])
    # Tokens are encoded in the order of the rows, so that they do not depend on that of ties.
    chosen = np.sort(order[_candidates(units, candidates)], axis=1)  # (Q, k) rows
    columns = np.argsort(order)[chosen]  # (Q, k)
    scores = distributed.add_up(_score(method, texts, images, chosen), queries.device)  # (Q, k)
    if not np.isfinite(scores).all():
        raise ValueError(f"{type(method).__name__}.rescore gave no finite score for each pair")

    def lift(start: int, block: Floats) -> None:
        for row, query in zip(block, range(start, start + len(block)), strict=True):
            # Ranks in place of scores: their scale is unknown, and what ties stays tied.
            levels = np.unique(scores[query], return_inverse=True)[1]  # (k,)
            row[columns[query]] = 2.0 + levels

    return cosine_chunks(units.queries, units.gallery, lift)


def _candidates(units: UnitFeatures, count: int) -> Integers:
    """Return the nearest rows of the gallery for each query, nearest first: (Q, k)."""
    chunks = cosine_chunks(units.queries, units.gallery, lambda start, block: None)
    return np.concatenate([top_rows(chunk, units.gallery_size, count) for chunk in chunks])


@torch.no_grad()
def _score(method: Method, texts: Items, images: Items, chosen: Integers) -> Floats:
    """Score queries with their candidates (Q, k): (Q, k), 0 for pairs that other ranks score."""
    scores = np.zeros(chosen.shape, np.float32)
    whole: list[_Block] = []  # the captions, where one block holds them all
    for of_images in _blocks(images):
        for of_texts in whole or _blocks(texts):
            _score_block(method, of_texts, of_images, chosen, scores)
            if (of_texts.start, of_texts.stop) == (0, texts.count):
                whole = [of_texts]
    return scores


def _score_block(
    method: Method, texts: _Block, images: _Block, chosen: Integers, scores: Floats
) -> None:
    """Fill in this rank's share of the scores of pairs whose items are in these blocks.

    Captions of about one length go together, so that few are padded, and of those the ones that
    share an image, so that a method can prepare it once.
    """
    rows = chosen[texts.start : texts.stop]
    queries, slots = np.nonzero((rows >= images.start) & (rows < images.stop))
    lengths = _lengths(texts.encoded)
    order = np.lexsort((rows[queries, slots], lengths[queries] // SIMILAR_LENGTH))
    queries, slots = queries[order], slots[order]
    size = _pairs_at_a_time(texts, images)
    for start in distributed.own(range(0, len(queries), size)):
        query, slot = queries[start : start + size], slots[start : start + size]
        longest = int(lengths[query].max())
        shared, image_of_text = np.unique(rows[query, slot] - images.start, return_inverse=True)
        found = method.rescore(
            _select(texts.encoded, query, longest),
            _select(images.encoded, shared),
            torch.from_numpy(image_of_text).to(texts.encoded.embedding.device),
        )
        if found.shape != query.shape:
            shape = tuple(found.shape)
            name = f"{type(method).__name__}.rescore"
            raise ValueError(f"{name} must return {query.shape} for as many pairs, got {shape}")
        scores[texts.start + query, slot] = found.float().cpu().numpy()


def _pairs_at_a_time(texts: _Block, images: _Block) -> int:
    bytes_of_pair = 4 * sum(_tokens(block.encoded)[0].numel() for block in (texts, images))
    return min(BATCH, max(1, PAIR_BYTES // bytes_of_pair))


def _blocks(items: Items) -> Iterator[_Block]:
    """Encode items in order; a block ends before putting it together would pass the limit."""
    start, held, parts = 0, 0, list[Encoded]()
    for part in _batches(items):
        parts.append(part)
        held += 2 * _tokens(part).numel()
        if 2 * held >= TOKEN_BYTES:
            block = _Block(start, join(parts))
            start, held, parts = block.stop, 0, []
            yield block
    if parts:
        yield _Block(start, join(parts))


def _batches(items: Items) -> Iterator[Encoded]:
    """Encode items in order, a batch at a time, by one rank for all."""

    def encode(number: int) -> Encoded:
        start = number * BATCH
        return _halved(items.encode(torch.arange(start, min(start + BATCH, items.count))))

    return distributed.take_turns(-(-items.count // BATCH), encode)


def _halved(encoded: Encoded) -> Encoded:
    tokens, mask = _tokens(encoded), encoded.mask
    if mask is None:
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return Encoded(encoded.embedding, tokens.half(), mask)


def _lengths(encoded: Encoded) -> Integers:
    """Return how long each item is up to its last real token: (B,)."""
    assert encoded.mask is not None
    places = torch.arange(1, encoded.mask.shape[1] + 1, device=encoded.mask.device)
    return (encoded.mask * places).amax(dim=1).cpu().numpy()


def _select(encoded: Encoded, rows: Integers, length: int | None = None) -> Encoded:
    """Return rows in single precision, cut to a length."""
    assert encoded.mask is not None
    index = torch.from_numpy(rows).to(encoded.embedding.device)
    tokens = _tokens(encoded)[index, :length].float()
    return Encoded(encoded.embedding[index], tokens, encoded.mask[index, :length])


def _tokens(encoded: Encoded) -> Tensor:
    if encoded.tokens is None:
        raise ValueError("a method that re-scores has to return Encoded with tokens")
    return encoded.tokens


def join(parts: list[Encoded]) -> Encoded:
    """Concatenate batches with tokens and masks, padded to the longest."""
    length = max(_tokens(part).shape[1] for part in parts)
    masks: list[Any] = [part.mask for part in parts]
    return Encoded(
        torch.cat([part.embedding for part in parts]),
        torch.cat([_pad(_tokens(part), length) for part in parts]),
        torch.cat([_pad(mask, length) for mask in masks]),
    )


def _pad(values: Tensor, length: int) -> Tensor:
    """Pad dimension 1 with zeros."""
    missing = length - values.shape[1]
    return torch.nn.functional.pad(values, [0, 0] * (values.ndim - 2) + [0, missing])
