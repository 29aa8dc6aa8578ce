"""Attributes of people as pairs of sentences, of which one is true: prompts and what they ask.

Yang et al., "Towards Unified Text-based Person Retrieval", ACM MM 2023.
https://arxiv.org/abs/2306.02898 (code: https://github.com/Shuyu-XJTU/APTM)

Shapes: B images, A attributes with 2 A prompts, P prompts that are picked. A label of an attribute
is 0 where its first prompt is true, 1 where its second is, and -1 where it is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.losses import precise

UNKNOWN = -1

Prompts = tuple[tuple[str, str], ...]


def contrast(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return how badly images tell the true prompt of a pair: (B, 2 A), (B, A) -> ().

    The cross-entropy between the two prompts of an attribute, with smoothed labels, is the mean
    over the images of which it is known, then over all attributes; one of which none is known
    counts as 0.
    """
    pairs = precise(logits).view(len(logits), -1, 2)  # (B, A, 2)
    return mean_of_known(pairs.transpose(0, 1), labels.T, smoothing)


def matching(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return how badly prompts are matched with images: (P, B, 2) logits, (P, B) -> ().

    Cross-entropy of (no match, match) with smoothed labels, averaged as in `contrast`.
    """
    return mean_of_known(precise(logits), labels, smoothing)


def mean_of_known(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the mean over groups of the mean over their known labels: (G, B, 2), (G, B) -> ()."""
    known = labels != UNKNOWN  # (G, B)
    terms = F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=UNKNOWN,
        label_smoothing=smoothing,
        reduction="none",
    ).view_as(labels)  # (G, B), 0 where it is not known
    return (terms.sum(dim=1) / known.sum(dim=1).clamp_min(1)).mean()


def truth_of_prompts(labels: Tensor) -> Tensor:
    """Return whether each prompt is true of each image, 1 or 0, or -1: (B, A) -> (B, 2 A)."""
    first = torch.where(labels == UNKNOWN, UNKNOWN, 1 - labels)  # (B, A)
    return torch.stack([first, labels], dim=2).flatten(1)


def with_all(prompts: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Put each of some prompts beside each image: (P,) -> prompts (P B,), images (P B,)."""
    every = torch.arange(images, device=prompts.device)  # (B,)
    return prompts.repeat_interleave(images), every.repeat(len(prompts))


def draw_examples(truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw an image for each prompt that is true of one: (B, 2 A) -> prompts (P,), images (P,)."""
    draws = torch.rand(truth.shape, generator=generator).masked_fill(truth.cpu() != 1, -1.0)
    best, image = draws.max(dim=0)  # (2 A,) each
    prompts = (best >= 0).nonzero()[:, 0]  # (P,)
    return prompts.to(truth.device), image[prompts].to(truth.device)


def read_labels(rows: Sequence[Sequence[object]], count: int) -> Tensor:
    """Return the labels of images as a companion has them, a list each, which may be empty: (B, A).

    Raises:
        ValueError: a list has another length, or a label is none of 0, 1 and -1.
    """
    found = [list(row) or [UNKNOWN] * count for row in rows]
    for row in found:
        if len(row) != count:
            raise ValueError(
                f"an image has {len(row)} attributes, and there are prompts for {count}: such a "
                "companion has a label for each pair of prompts, in their order, or none at all"
            )
        if wrong := [label for label in row if label not in (0, 1, UNKNOWN)]:
            raise ValueError(
                f"{wrong[0]!r} is no label of an attribute: 0 says that its first prompt is true, "
                "1 that its second is, -1 that it is not known"
            )
    return torch.tensor(found, dtype=torch.long)  # (B, A)


def _of_colours(part: str, colours: str) -> Prompts:
    return tuple(
        (f"the person wears {one} {part} clothes", f"the person does not wear {one} {part} clothes")
        for one in colours.split()
    )


# The 27 attributes of MALS, in the order of its labels, with the words that the code has for them.
MALS: Prompts = (
    ("the person is a woman", "the person is a man"),
    ("the person is younger than 18 years old", "the person is older than 18 years old"),
    ("the person with short hair", "the person with long hair"),
    *((f"the person with a {one}", f"the person without a {one}")
      for one in ("hat", "backpack", "handbag", "bag")),
    ("the person wears long sleeved upper clothes", "the person wears short sleeved upper clothes"),
    ("the person wears long dress or long pants", "the person wears short dress or short pants"),
    ("the person wears dress or skirt", "the person wears pants or shorts"),
    *_of_colours("upper", "black white red purple yellow blue green gray"),
    *_of_colours("lower", "black white purple yellow blue green pink gray brown"),
)  # fmt: skip
