"""Image-text matching: pairs against negatives of the batch that look alike, as in ALBEF.

Li et al., "Align before Fuse", NeurIPS 2021, section 3.2. https://arxiv.org/abs/2107.07651

Shapes: B pairs of a batch, P pairs that are judged, L text tokens, D the width of a token.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Encoded
from methods.blocks.albef import FusingEncoder
from methods.blocks.encoded_rows import first_of_each, stack_rows, take_rows
from methods.blocks.losses import precise

NO_PAIR = -100  # the label of what is not judged


class Negatives(NamedTuple):
    """What is easily taken for the other half of each pair; a pair that all match has its own."""

    images: Tensor  # (B,) another image for each text
    texts: Tensor  # (B,) another text for each image


class Judged(NamedTuple):
    """Texts with images by their numbers in the batch, and which of them belong together."""

    texts: Tensor  # (P,)
    images: Tensor  # (P,)
    labels: Tensor  # (P,) 1: they do


def read(albef: FusingEncoder, ids: Tensor, images: Encoded) -> Tensor:
    """Read a text with its image in view: (B, L) token ids -> (B, L, D)."""
    return albef.fuse(albef.encoder.encode_tokens(ids), images)


def draw_negatives(
    of_texts: Tensor,
    of_images: Tensor,
    same: Tensor,
    generator: torch.Generator,
    added: float = 0.0,
) -> Negatives:
    """Draw another image for each text and another text for each image by how alike they look.

    By the softmax of the logits of texts by images, and of images by texts, (B, B) each, over
    columns that do not match, `same` (B, B): what matches is never drawn, however near the others'
    odds are to 0. Some published code, as APTM's, has the softmax over all columns and a little
    added to it in its place: `added`, where it is not 0.
    """
    images, texts = (_drawn(one, same, generator, added) for one in (of_texts, of_images))
    return Negatives(images, texts)


@torch.no_grad()
def _drawn(logits: Tensor, same: Tensor, generator: torch.Generator, added: float) -> Tensor:
    """Draw a column for each row: (B, B), (B, B) -> (B,). A row that all columns match has itself.

    The draws are made on the processor, so that they are the same on any device.
    """
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    left_out = same & ~(itself & same.all(dim=1, keepdim=True))  # (B, B)
    if added:
        odds = (precise(logits).softmax(dim=1) + added).masked_fill(left_out, 0.0)  # (B, B)
    else:
        odds = precise(logits).masked_fill(left_out, -torch.inf).softmax(dim=1)  # (B, B)
    return torch.multinomial(odds.cpu(), 1, generator=generator)[:, 0].to(logits.device)


def labels_with_negatives(same: Tensor) -> Tensor:
    """Label each pair 1, and 0 with another image and with another text: (B, B) bool -> (B, 3).

    Of a row that all columns match the negatives are none, and have the label NO_PAIR.
    """
    negative = torch.where(same.all(dim=1), NO_PAIR, 0)  # (B,)
    return torch.stack([torch.ones_like(negative), negative, negative], dim=1)


def pairs_with_negatives(negatives: Negatives, same: Tensor) -> Judged:
    """Return the pairs of a batch, then each text with another image, each image with another text.

    A row that all columns match, `same` (B, B), has no negative: P is up to 3 B.
    """
    own = torch.arange(len(same), device=same.device)  # (B,)
    labels = labels_with_negatives(same).T.flatten()  # (3 B,)
    judged = labels != NO_PAIR  # (3 B,)
    texts = torch.cat([own, own, negatives.texts])  # (3 B,)
    images = torch.cat([own, negatives.images, own])  # (3 B,)
    return Judged(texts[judged], images[judged], labels[judged])


def fuse_with_negatives(
    albef: FusingEncoder,
    texts: Encoded,
    images: Encoded,
    other_texts: Encoded,
    other_images: Encoded,
    numbers: Tensor | None = None,
) -> Tensor:
    """Return the first token of each pair fused, with another image, with another text: (B, 3, D).

    Texts are padded alike. Where `numbers`, (B, 2), number the images and the others, an image that
    stands there more than once is mapped to keys and values once; its gradients are then summed
    there, which rounds otherwise.
    """
    both = stack_rows(images, other_images)
    place = torch.arange(len(both.embedding), device=both.embedding.device)  # (2 B,)
    if numbers is not None:
        first, place = first_of_each(numbers.T.flatten())  # (M,), (2 B,)
        both = take_rows(both, first)
    own, other = place.chunk(2)  # (B,) each
    every_text = stack_rows(texts, texts, other_texts)
    fused = albef.fuse(every_text, both, torch.cat([own, other, own]))  # (3 B, L, D)
    return fused[:, 0].view(3, len(own), -1).transpose(0, 1)


def matching_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of (no match, match): (..., 2), (...) -> ().

    A label NO_PAIR does not count.
    """
    logits, labels = precise(logits).flatten(0, -2), labels.flatten()  # (P, 2), (P,)
    return F.cross_entropy(logits, labels, ignore_index=NO_PAIR)
