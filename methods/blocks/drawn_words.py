"""Words that a masked-word head proposes, drawn by their odds: a generator's replaced tokens.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", ICLR
2020. https://arxiv.org/abs/2003.10555

Shapes: B captions, L tokens, M words, V the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.method import Encoded
from methods.blocks.albef import FusingEncoder
from methods.blocks.dual_encoder import Vocabulary
from methods.blocks.losses import precise
from methods.blocks.matching import read
from methods.blocks.transfer import sent

PARTS = 2**40  # into which odds are divided, so that their sums are whole numbers


def are_words(ids: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Tell which tokens are words or masks of words, no start, end or padding: (B, L) -> bool."""
    return ~torch.isin(ids, _ids((vocabulary.pad, vocabulary.start, vocabulary.end), ids))


@torch.no_grad()
def draw_words(logits: Tensor, draws: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Draw a word from the softmax of each row: (M, V), (M,) numbers from 0 up to 1 -> (M,) ids.

    Start, end, mask and padding are never drawn. Rows hang on their own number alone, and sums are
    of whole numbers, which are the same in any order: a batch in parts, or on a graphics card, has
    the draws that it has whole.
    """
    special = _ids((vocabulary.pad, vocabulary.start, vocabulary.mask, vocabulary.end), logits)
    odds = precise(logits).index_fill(1, special, -torch.inf).softmax(dim=1)  # (M, V)
    reached = (odds.double() * PARTS).long().cumsum(dim=1)  # (M, V)
    aim = (draws[:, None].double() * reached[:, -1:]).long()  # (M, 1), below the last
    return torch.searchsorted(reached, aim, right=True)[:, 0]  # (M,)


@torch.no_grad()
def write_words(
    albef: FusingEncoder, ids: Tensor, places: Tensor, chances: Tensor, images: Encoded
) -> Tensor:
    """Write words anew at places, by what a model with the image in view finds likely.

    (B, L) token ids, some of which are masks, (B, L) bool, (B, L) numbers for `draw_words` ->
    (B, L).
    """
    logits = albef.masked_word_head(read(albef, ids, images)[places])  # (M, V)
    drawn = draw_words(logits, chances[places], albef.encoder.vocabulary)  # (M,)
    return ids.masked_scatter(places, drawn)


def _ids(ids: tuple[int, ...], like: Tensor) -> Tensor:
    return sent(torch.tensor(ids), like.device)
