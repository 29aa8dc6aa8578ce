"""Image-text matching: pairs against negatives of the batch that look alike, as in ALBEF.

Li et al., "Align before Fuse", NeurIPS 2021, section 3.2. https://arxiv.org/abs/2107.07651

Shapes: B pairs of a batch, P pairs that are judged, B' rows that have a negative, L text tokens, D
the width of a token.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Encoded
from methods.blocks.albef import FusingEncoder
from methods.blocks.encoded_rows import stack_rows
from methods.blocks.losses import precise

LEAST_ODDS = 1e-5  # of a negative, beside what its likeness gives it


def read(albef: FusingEncoder, ids: Tensor, images: Encoded) -> Tensor:
    """Read a text with its image in view: (B, L) token ids -> (B, L, D)."""
    return albef.fuse(albef.encoder.encode_tokens(ids), images)


@torch.no_grad()
def draw_negatives(logits: Tensor, same: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a column for each row by the softmax of its logits over columns that do not match.

    (B, B), (B, B) bool -> (B,) columns. What matches is left out before the softmax, so that it is
    never drawn, however near the others' odds are to 0. A row that all columns match has itself.
    """
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    left_out = same & ~(itself & same.all(dim=1, keepdim=True))  # (B, B)
    odds = logits.masked_fill(left_out, -torch.inf).softmax(dim=1)  # (B, B)
    drawn = torch.multinomial(odds.cpu(), 1, generator=generator)[:, 0]  # (B,)
    return drawn.to(logits.device)


def fuse_with_others(
    albef: FusingEncoder,
    texts: Encoded,
    images: Encoded,
    other_texts: Encoded,
    other_images: Encoded,
) -> Tensor:
    """Return the first token of each pair fused, with another image, with another text: (B, 3, D).

    Texts are padded alike.
    """
    own = torch.arange(len(images.embedding), device=images.embedding.device)  # (B,)
    fused = albef.fuse(
        stack_rows(texts, texts, other_texts),
        stack_rows(images, other_images),
        torch.cat([own, own + len(own), own]),
    )  # (3 B, L, D)
    return fused[:, 0].view(3, len(own), -1).transpose(0, 1)


def matching_loss(logits: Tensor, same: Tensor) -> Tensor:
    """Return the cross-entropy of pairs, which match, and of their two negatives, which do not.

    (B, 3, 2) logits of no match and match, (B, B) bool -> (). Of a row that all columns match the
    negatives are none.
    """
    match = torch.zeros(logits.shape[:2], dtype=torch.long, device=logits.device)  # (B, 3)
    match[:, 0] = 1
    real = (match == 1) | ~same.all(dim=1, keepdim=True)  # (B, 3)
    return F.cross_entropy(precise(logits)[real], match[real])


class Judged(NamedTuple):
    """Texts with images by their numbers in the batch, and which of them belong together."""

    texts: Tensor  # (P,)
    images: Tensor  # (P,)
    labels: Tensor  # (P,) 1: they do


def with_negatives(logits: Tensor, same: Tensor, generator: torch.Generator) -> Judged:
    """Return the pairs of a batch, then each text with another image, each image with another text.

    What is alike is drawn more often: by the softmax of the logits (B, B), images by texts, with a
    little added. What matches, `same` (B, B), is never drawn, and a row without a negative has
    none: P = B + 2 B'.
    """
    rows = (~same).any(dim=1).nonzero()[:, 0]  # (B',)
    own = torch.arange(len(same), device=same.device)  # (B,)
    images, texts = (
        _drawn(one[rows], same[rows], generator) for one in (logits.T, logits)
    )  # (B',) each
    labels = own.new_zeros(len(own) + 2 * len(rows))
    labels[: len(own)] = 1
    return Judged(torch.cat([own, rows, texts]), torch.cat([own, images, rows]), labels)


def _drawn(logits: Tensor, same: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a column that does not match for each row: (B', B), (B', B) -> (B',)."""
    odds = (precise(logits.detach()).softmax(dim=1) + LEAST_ODDS).masked_fill(same, 0.0).cpu()
    if not len(odds):
        return odds.new_zeros(0, dtype=torch.long).to(logits.device)
    return torch.multinomial(odds, 1, generator=generator)[:, 0].to(logits.device)


def matching(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of (no match, match): (P, 2), (P,) -> ()."""
    return F.cross_entropy(precise(logits), labels)


def rows_of(encoded: Encoded, rows: Tensor) -> Encoded:
    """Return some items, each as often as it is named; gradients of the same one add in order."""
    assert encoded.tokens is not None  # what is fused has tokens
    mask = None if encoded.mask is None else encoded.mask[rows]
    tokens = encoded.tokens.index_select(0, rows)
    return Encoded(encoded.embedding.index_select(0, rows), tokens, mask)
