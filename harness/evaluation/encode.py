"""Encoding a split: what is done to a trained method, never a reason to train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from harness import distributed
from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.evaluation.clock import seconds
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.method import Encoded, Method

BATCH = 128


@dataclass(frozen=True)
class Features:
    """The embeddings of a split, what an item cost, and how its tokens are had."""

    embeddings: Embeddings  # of the split as it is
    images: Encoded  # (M, D)
    texts: Encoded  # (N, D), of other captions where they were replaced
    image_items: Items
    text_items: Items


def encode_split(
    method: Method,
    split: Split,
    pixels: Pixels,
    device: torch.device,
    stored: Embeddings | None = None,
) -> Features:
    """Encode every image and caption of a split in evaluation mode, or take what is stored."""
    method.to(device).eval()
    embeddings = stored or _encode(method, split, pixels, device)

    def image_tokens(rows: Tensor) -> Encoded:
        return as_encoded(method.encode_images(pixels(rows.numpy()).to(device)))

    return Features(
        embeddings=embeddings,
        images=Encoded(embeddings.images.to(device)),
        texts=Encoded(embeddings.texts.to(device)),
        image_items=Items(image_tokens, len(split.image_ids)),
        text_items=_text_items(method, split.captions),
    )


@torch.no_grad()
def _encode(method: Method, split: Split, pixels: Pixels, device: torch.device) -> Embeddings:
    began = seconds(device)
    count = len(split.image_ids)
    images = encode_images(method, lambda rows: pixels(np.asarray(rows)), count, device)
    between = seconds(device)
    texts = encode_texts(method, split.captions, device)
    ended = seconds(device)
    return Embeddings(
        images.embedding,
        texts.embedding,
        image_milliseconds=1000 * (between - began) / count,
        text_milliseconds=1000 * (ended - between) / len(split.captions),
    )


@torch.no_grad()
def with_captions(
    features: Features, method: Method, captions: Sequence[str], device: torch.device
) -> Features:
    """Return features of the same images with other captions, as many as before."""
    method.to(device).eval()
    texts = encode_texts(method, captions, device)
    return replace(features, texts=texts, text_items=_text_items(method, captions))


def _text_items(method: Method, captions: Sequence[str]) -> Items:
    def tokens(rows: Tensor) -> Encoded:
        return as_encoded(method.encode_texts([captions[row] for row in rows.tolist()]))

    return Items(tokens, len(captions))


def encode_images(
    method: Method,
    pixels: Callable[[Tensor], Tensor],
    count: int,
    device: torch.device,
) -> Encoded:
    """Encode `count` images in order, on the device: embeddings alone."""

    def encode(rows: Tensor) -> Tensor:
        encoded = method.encode_images(pixels(rows).to(device))
        return _checked(method, encoded, len(rows), "encode_images").embedding

    return Encoded(_in_batches(encode, count, device))


def encode_texts(method: Method, captions: Sequence[str], device: torch.device) -> Encoded:
    """Encode captions, sorted by length so that a batch needs little padding, back in order."""
    order = sorted(range(len(captions)), key=lambda row: len(captions[row]))

    def encode(rows: Tensor) -> Tensor:
        texts = [captions[order[row]] for row in rows.tolist()]
        encoded = method.encode_texts(texts)
        return _checked(method, encoded, len(texts), "encode_texts").embedding

    embeddings = _in_batches(encode, len(order), device)
    return Encoded(embeddings[torch.tensor(np.argsort(order), device=device)])


def _in_batches(encode: Callable[[Tensor], Tensor], count: int, device: torch.device) -> Tensor:
    """Encode rows 0 to `count` a batch at a time, every rank its share: -> (count, D)."""

    def share(rows: Tensor) -> Tensor:
        return torch.cat([encode(batch) for batch in torch.split(rows, BATCH)])

    return distributed.gather_rows(count, share, device)


def _checked(method: Method, encoded: Tensor | Encoded, count: int, function: str) -> Encoded:
    """Return an Encoded of the right shape."""
    encoded = as_encoded(encoded)
    shape = tuple(encoded.embedding.shape)
    if len(shape) != 2 or shape[0] != count:
        source = f"{type(method).__name__}.{function}"
        raise ValueError(f"{source} must return ({count}, D) for {count} items, got {shape}")
    return encoded


def as_encoded(encoded: Tensor | Encoded) -> Encoded:
    """Return what an encoder gave as an `Encoded`: a tensor is an embedding without tokens."""
    return Encoded(encoded) if isinstance(encoded, Tensor) else encoded
