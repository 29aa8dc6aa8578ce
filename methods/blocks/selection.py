"""Tokens that the last block of an encoder attends to most from its global token.

Shapes: B items, 3 x H x W pixels, N patches, L text tokens, D the width of the joint space, K the
tokens that are selected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.method import Encoded
from methods.blocks.dual_encoder import DualEncoder
from methods.blocks.losses import precise


class Selected(NamedTuple):
    """Items, with the tokens that were selected of each."""

    embedding: Tensor  # (B, D) of the global token
    tokens: Tensor  # (B, K, D), the one that is attended to most first
    real: Tensor  # (B, K) bool, False behind the last where an item has fewer


def select_patches(encoder: DualEncoder, images: Tensor, share: float) -> Selected:
    """Select a share of the patches, as the class token attends to them: (B, 3, H, W) uint8."""
    encoded, attention = _attending(
        encoder.visual.transformer, lambda: encoder.encode_images(images), 0, None
    )
    patches = torch.ones_like(attention, dtype=torch.bool)  # (B, 1 + N)
    patches[:, 0] = False
    return _select(encoded, attention, patches, int((attention.shape[1] - 1) * share))


def select_words(encoder: DualEncoder, ids: Tensor, share: float) -> Selected:
    """Select as many words as a share of the longest text, as the end token attends to them.

    (B, L) token ids. Of a text with fewer words all are selected.
    """
    seen = encoder.vocabulary.real_tokens(ids)  # (B, L)
    ends = seen.sum(dim=1) - 1  # (B,)
    encoded, attention = _attending(
        encoder.text.transformer, lambda: encoder.encode_tokens(ids), ends, seen
    )
    words = encoder.vocabulary.words(ids)  # (B, L)
    most = int((encoder.vocabulary.length - 2) * share)
    return _select(encoded, attention, words, min(most, ids.shape[1] - 2))


def _select(encoded: Encoded, attention: Tensor, able: Tensor, count: int) -> Selected:
    """Select the tokens of most attention among those that are able to be."""
    assert encoded.tokens is not None
    order = attention.masked_fill(~able, -1.0).topk(max(count, 1), dim=1).indices  # (B, K)
    tokens = encoded.tokens.gather(1, order[..., None].expand(-1, -1, encoded.tokens.shape[2]))
    return Selected(encoded.embedding, tokens, able.gather(1, order))


def _attending(
    transformer: Any, encode: Callable[[], Encoded], query: Tensor | int, seen: Tensor | None
) -> tuple[Encoded, Tensor]:
    """Encode, and return with it how one token of each item attends in the last block, (B, L)."""
    last, inputs_of_last = transformer.resblocks[-1].attn, list[Tensor]()

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        inputs_of_last.append(inputs[0].detach())

    with last.register_forward_pre_hook(note):
        encoded = encode()
    with torch.no_grad():
        return encoded, attention_of(last, inputs_of_last[0], query, seen)


def attention_of(
    layer: nn.MultiheadAttention, tokens: Tensor, query: Tensor | int, seen: Tensor | None = None
) -> Tensor:
    """Return how one token of each item attends to all: the mean over heads of softmax(q K).

    (B, L, width), the number of a token or (B,) numbers -> (B, L). `seen` (B, L) is True where it
    looks; None: everywhere.

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017, equation 1.
    https://arxiv.org/abs/1706.03762
    """
    count, length, width = tokens.shape
    rows = torch.arange(count, device=tokens.device)
    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    of_query = nn.functional.linear(tokens[rows, query], weight[:width], bias[:width])  # (B, width)
    keys = nn.functional.linear(
        tokens, weight[width : 2 * width], bias[width : 2 * width]
    )  # (B, L, width)
    heads = layer.num_heads
    of_query = of_query.view(count, heads, 1, width // heads)
    keys = keys.view(count, length, heads, width // heads).permute(0, 2, 3, 1)  # (B, heads, d, L)
    scores = precise((of_query @ keys)[:, :, 0]) / (width // heads) ** 0.5  # (B, heads, L)
    if seen is not None:
        scores = scores.masked_fill(~seen[:, None], -torch.inf)
    attention: Tensor = scores.softmax(dim=-1)
    return attention.mean(dim=1)  # (B, L)
