"""Masking whole words, and some runs of words, as X-VLM and APTM do.

Zeng, Zhang and Li, "Multi-Grained Vision Language Pre-Training", ICML 2022.
https://arxiv.org/abs/2111.08276

Shapes: B captions, L tokens.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.losses import precise
from methods.blocks.masking import Masked
from methods.blocks.transfer import sent

HIDDEN, REPLACED = 0.8, 0.1  # of what is chosen, as in BERT; the rest stays
DRAWS = 5  # of each token: its turn, whether a run begins there, how long, what stays, what is done


@dataclass(frozen=True)
class Choice:
    """How much of a caption is chosen; the values are those of APTM's code."""

    share: float = 0.25  # of its tokens
    most: float = 10  # tokens of one caption
    runs: float = 0.2  # share of the words where a run begins
    longest: float = 3  # tokens of a run


def mask_whole_words(
    ids: Tensor,
    vocabulary: Vocabulary,
    continues: Container[int],
    generator: torch.Generator,
    choice: Choice,
) -> Masked:
    """Choose words of each caption, at least one; hide most, replace some, keep the rest: (B, L).

    In a random order words are chosen, or runs of two tokens and more, up to whole words, until
    there are as many tokens as a share of the caption is; of more some are given up, wherever they
    are. `continues` are the word pieces that go on with a word. Start, end and padding are never
    chosen.
    """
    draws = torch.rand(len(ids), DRAWS, ids.shape[1], generator=generator)  # (B, draws, L)
    rows = [
        _chosen(row.index(vocabulary.end), [one in continues for one in row], drawn, choice)
        for row, drawn in zip(ids.tolist(), draws[:, :4].tolist(), strict=True)
    ]
    chosen = torch.zeros(ids.shape, dtype=torch.bool)
    for row, places in enumerate(rows):
        chosen[row, places] = True
    done = draws[:, 4]  # (B, L)
    random = torch.randint(0, vocabulary.size, ids.shape, generator=generator)
    special = [vocabulary.pad, vocabulary.start, vocabulary.mask, vocabulary.end]
    is_word = ~torch.isin(random, torch.tensor(special))
    hide = chosen & (done < HIDDEN)
    replace = chosen & (done >= HIDDEN) & (done < HIDDEN + REPLACED) & is_word
    chosen, hide, replace, random = (
        sent(one, ids.device) for one in (chosen, hide, replace, random)
    )
    masked = torch.where(hide, vocabulary.mask, torch.where(replace, random, ids))  # (B, L)
    return Masked(masked, ids, chosen)


def _chosen(
    end: int, inner: Sequence[bool], draws: Sequence[Sequence[float]], choice: Choice
) -> list[int]:
    """Return the places that are chosen of a caption whose words lie at 1 to `end` - 1."""
    turn, begins, length, stays = draws
    wanted = min(int(choice.most), max(1, round(choice.share * (end - 1))))
    found: set[int] = set()
    for place in sorted(range(1, end), key=lambda one: turn[one]):
        if len(found) >= wanted:
            break
        if place not in found:
            is_run = begins[place] < choice.runs
            run = 2 + int(length[place] * (choice.longest - 1)) if is_run else 1
            found |= _whole(place, min(place + run, end), end, inner)
    return sorted(found, key=lambda one: stays[one])[:wanted]


def _whole(start: int, stop: int, end: int, inner: Sequence[bool]) -> set[int]:
    """Return a stretch, made longer at both sides up to where words begin."""
    while start > 1 and inner[start]:
        start -= 1
    while stop < end and inner[stop]:
        stop += 1
    return set(range(start, stop))


def unlikely(logits: Tensor, words: Tensor) -> Tensor:
    """Return the mean of minus the log-probability of words, 0 of none: (M, V), (M,) -> ().

    M masked words, V word pieces of the vocabulary.
    """
    return F.cross_entropy(precise(logits), words, reduction="sum") / max(len(words), 1)
