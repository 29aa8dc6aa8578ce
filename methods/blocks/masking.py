"""Masking the words of tokenised captions.

Shapes: B captions, L tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.transfer import sent


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
    share: float | Tensor = 0.15,
    hidden: float = 0.8,
    replaced: float = 0.1,
) -> Masked:
    """Choose a share of the words; hide most, replace some by random words, keep the rest.

    The share is one for all words, or that of each, (B, L). Start, end and padding are never
    chosen. A caption of which nothing was chosen has its first word hidden. Devlin et al., "BERT",
    NAACL 2019, section 3.1. https://arxiv.org/abs/1810.04805
    """
    words = vocabulary.words(ids)  # (B, L)
    draws = sent(torch.rand(2, *ids.shape, generator=generator), ids.device)  # (2, B, L)
    chosen = words & (draws[0] < share)  # (B, L)
    place = torch.arange(ids.shape[1], device=ids.device)  # (L,)
    first = place == words.int().argmax(dim=1, keepdim=True)  # (B, L)
    none = ~chosen.any(dim=1, keepdim=True) & first & words  # (B, L)
    chosen = chosen | none
    random = sent(torch.randint(0, vocabulary.size, ids.shape, generator=generator), ids.device)
    special = [vocabulary.pad, vocabulary.start, vocabulary.mask, vocabulary.end]
    random = torch.where(
        torch.isin(random, sent(torch.tensor(special), ids.device)), ids, random
    )  # (B, L)
    hide = chosen & ((draws[1] < hidden) | none)
    replace = chosen & ~hide & (draws[1] < hidden + replaced)
    masked = torch.where(hide, vocabulary.mask, torch.where(replace, random, ids))  # (B, L)
    return Masked(masked, ids, chosen)


def hide_words(
    ids: Tensor, vocabulary: Vocabulary, generator: torch.Generator, probability: float
) -> Tensor:
    """Replace each word by the mask token with a probability: (B, L) -> (B, L).

    Start, end and padding stay as they are.
    """
    draws = sent(torch.rand(ids.shape, generator=generator), ids.device)  # (B, L)
    hidden = vocabulary.words(ids) & (draws < probability)  # (B, L)
    return torch.where(hidden, vocabulary.mask, ids)  # (B, L)


def disturb_words(
    ids: Tensor,
    vocabulary: Vocabulary,
    generator: torch.Generator,
    *,
    share: float,
    hidden: float,
    replaced: float,
) -> Tensor:
    """Hide, replace by random words or remove a share of the words: (B, L) -> (B, L).

    Of the chosen ones `hidden` and `replaced` are shares, the rest is removed: what is behind them
    moves up, and padding follows. Start, end and padding stay.
    """
    draws = sent(torch.rand(2, *ids.shape, generator=generator), ids.device)  # (2, B, L)
    random = sent(torch.randint(0, vocabulary.size, ids.shape, generator=generator), ids.device)
    special = [vocabulary.pad, vocabulary.start, vocabulary.mask, vocabulary.end]
    random = torch.where(torch.isin(random, sent(torch.tensor(special), ids.device)), ids, random)
    chosen = vocabulary.words(ids) & (draws[0] < share)  # (B, L)
    hide = chosen & (draws[1] < hidden)
    replace = chosen & ~hide & (draws[1] < hidden + replaced)
    removed = chosen & ~hide & ~replace
    ids = torch.where(hide, vocabulary.mask, torch.where(replace, random, ids))
    kept_first = removed.int().argsort(dim=1, stable=True)  # (B, L)
    moved = ids.gather(1, kept_first)
    return moved.masked_fill(removed.gather(1, kept_first), vocabulary.pad)  # (B, L)
