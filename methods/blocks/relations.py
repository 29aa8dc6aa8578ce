"""Identity relations between samples whose identities are unknown, and the targets they give.

Zhang, Shang and Li, "Dual-Granularity Cross-Modal Identity Association for Weakly-Supervised
Text-to-Person Image Matching" (DGIA), ACM MM 2025. https://arxiv.org/abs/2507.06744

Shapes: B rows of a batch, C columns they are compared with, M stored items.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def nearest_above(similarity: Tensor, nearest: int, threshold: float) -> Tensor:
    """Return which items are among a row's `nearest` and above the threshold: (B, M) -> (B, M).

    DGIA, equation 12. A similarity that equals the threshold does not count. An item that must
    not be found has similarity -inf.
    """
    values, items = similarity.topk(min(nearest, similarity.shape[1]), dim=1)  # (B, nearest)
    related = torch.zeros_like(similarity, dtype=torch.bool)  # (B, M)
    return related.scatter(1, items, values > threshold)


def softened_target(matches: Tensor, match_weight: float) -> Tensor:
    """Return the row softmax of Q: the own pair 1, a match `match_weight`, all others -inf.

    DGIA, equations 5 to 7: (B, B) bool -> (B, B), rows that sum to 1.
    """
    own = torch.eye(len(matches), dtype=torch.bool, device=matches.device)  # (B, B)
    weight = torch.where(own, 1.0, match_weight)  # (B, B)
    return weight.masked_fill(~(matches | own), -torch.inf).softmax(dim=1)


def confidence_target(similarity: Tensor, related: Tensor, own: Tensor) -> Tensor:
    """Return the row softmax of Q': the own item 1, a related one 1 - confidence, others -inf.

    The confidence of a column is its share in the softmax of the similarities over the row's own
    and related columns, so that what is related weakly is weighed more. DGIA, equations 13 to 15:
    (B, C), (B, C) bool, (B, C) bool -> (B, C), rows that sum to 1.
    """
    positive = related | own  # (B, C)
    confidence = similarity.masked_fill(~positive, -torch.inf).softmax(dim=1)  # (B, C)
    weight = torch.where(own, 1.0, 1 - confidence)  # (B, C)
    return weight.masked_fill(~positive, -torch.inf).softmax(dim=1)


@dataclass(frozen=True)
class Columns:
    """What the rows of a batch are compared with: the batch itself, then what is stored."""

    images: Tensor  # (C,) the image of each image column, first those of the batch
    stored_images: Tensor  # (C - B,) those that are taken from the store
    stored_captions: Tensor  # (T - B,) the captions that stand behind the batch's own
    image_column: Tensor  # (T,) the image column that each caption column describes


def gather_columns(
    images: Tensor, captions: Tensor, related: Tensor, captions_of_image: Tensor
) -> Columns:
    """Return the union of what a batch's rows relate to; what is in the batch is not repeated.

    Image columns are the batch's images and the related ones; caption columns are the batch's
    captions and every other caption of those images. DGIA, section 3.3:
    (B,) and (B,) indices, (B, M) bool, (M, K) captions of each image, -1 where there are fewer.
    """
    found = related.any(dim=0)  # (M,)
    found[images] = False
    stored = found.nonzero()[:, 0]  # (C - B,)
    columns = torch.cat([images, stored])  # (C,)
    present = torch.unique(columns)  # (U,)
    described = captions_of_image[present]  # (U, K)
    image, place = ((described >= 0) & ~torch.isin(described, captions)).nonzero(as_tuple=True)
    first = (present[image][:, None] == columns[None, :]).int().argmax(dim=1)  # (T - B,)
    return Columns(
        images=columns,
        stored_images=stored,
        stored_captions=described[image, place],
        image_column=torch.cat([torch.arange(len(images), device=first.device), first]),
    )
