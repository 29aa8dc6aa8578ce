"""Masking the words of tokenised captions.

Shapes: B captions, L tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.blocks.backbones import Vocabulary


@dataclass(frozen=True)
class Masked:
    """Captions with words hidden, and which."""

    ids: Tensor  # (B, L) with the masks in place
    labels: Tensor  # (B, L) the words as they were
    chosen: Tensor  # (B, L) bool, the words to predict


def mask_words(
    ids: Tensor,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    share: float = 0.15,
    hidden: float = 0.8,
    replaced: float = 0.1,
) -> Masked:
    """Choose a share of the words; hide most, replace some by random words, keep the rest.

    Start, end and padding are never chosen. A caption of which nothing was chosen has its first
    word hidden. Devlin et al., "BERT", NAACL 2019, section 3.1. https://arxiv.org/abs/1810.04805
    """
    ends = (ids == vocabulary.end).int().argmax(dim=1, keepdim=True)  # (B, 1)
    place = torch.arange(ids.shape[1], device=ids.device)  # (L,)
    words = (place > 0) & (place < ends)  # (B, L)
    draws = torch.rand(2, *ids.shape, generator=generator).to(ids.device)  # (2, B, L)
    chosen = words & (draws[0] < share)  # (B, L)
    none = ~chosen.any(dim=1, keepdim=True) & (place == 1) & words  # (B, L)
    chosen = chosen | none
    random = torch.randint(0, vocabulary.size, ids.shape, generator=generator).to(ids.device)
    special = torch.tensor(
        [vocabulary.pad, vocabulary.start, vocabulary.mask, vocabulary.end], device=ids.device
    )
    random = torch.where(torch.isin(random, special), ids, random)  # (B, L)
    hide = chosen & ((draws[1] < hidden) | none)
    replace = chosen & ~hide & (draws[1] < hidden + replaced)
    masked = torch.where(hide, vocabulary.mask, torch.where(replace, random, ids))  # (B, L)
    return Masked(masked, ids, chosen)
