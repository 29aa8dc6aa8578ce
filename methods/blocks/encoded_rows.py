"""Rows of what encoders return: some of them, or several one after the other.

Shapes: B items, N tokens, D their width, R rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness.method import Encoded


def take_rows(encoded: Encoded, rows: Tensor) -> Encoded:
    """Return some rows, (R,), each as often as it is named; gradients of a row add in order."""
    mask = None if encoded.mask is None else encoded.mask[rows]
    tokens = tokens_of(encoded).index_select(0, rows)  # (R, N, D)
    return Encoded(encoded.embedding.index_select(0, rows), tokens, mask)


def stack_rows(*parts: Encoded) -> Encoded:
    """Put rows one after the other."""
    masks = [part.mask for part in parts if part.mask is not None]
    return Encoded(
        torch.cat([part.embedding for part in parts]),
        torch.cat([tokens_of(part) for part in parts]),
        torch.cat(masks) if masks else None,
    )


def first_of_each(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each of M numbers stands first, (M,), and which of them each is, (R,)."""
    unique: Any = torch.unique  # untyped library
    different, inverse = unique(numbers, return_inverse=True)
    places = torch.arange(len(numbers), device=numbers.device)
    first = different.new_full(different.shape, len(numbers))
    return first.scatter_reduce(0, inverse, places, "amin"), inverse


def tokens_of(encoded: Encoded) -> Tensor:
    """Return the tokens of what is encoded: (B, N, D). Raises TypeError: it has none."""
    if encoded.tokens is None:
        raise TypeError("there are embeddings alone: an encoder has to return its tokens too")
    return encoded.tokens
