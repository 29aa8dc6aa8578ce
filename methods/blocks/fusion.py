"""Fusion of text tokens with image tokens: BERT layers with cross-attention.

Shapes: B pairs, L text tokens, N image tokens, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer


class FusionEncoder(nn.Module):
    """A stack of BERT layers: self-attention over the text, cross-attention to the image."""

    def __init__(self, width: int, heads: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        config = BertConfig(
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            # transformers gives cross-attention to decoders only. A decoder reads a 2-D mask
            # causally, so the forward pass below gives it a 4-D one.
            is_decoder=True,
            add_cross_attention=True,
        )
        config._attn_implementation = "eager"  # the others keep no attention maps
        layer: Any = BertLayer  # untyped
        self.layers = nn.ModuleList(layer(config, layer_idx=i) for i in range(layers))

    def forward(self, texts: Tensor, text_mask: Tensor, images: Tensor) -> Tensor:
        """(B, L, D), (B, L) bool, (B, N, D) -> (B, L, D)."""
        keep = additive_mask(text_mask, texts)  # (B, 1, L, L)
        see = torch.zeros(len(images), 1, 1, images.shape[1], device=images.device)  # (B, 1, 1, N)
        for layer in self.layers:
            texts = layer(texts, keep, images, see)  # (B, L, D)
        return texts

    def watch(
        self, texts: Tensor, text_mask: Tensor, images: Tensor, layer: int
    ) -> tuple[Tensor, Tensor]:
        """Fuse, and show the cross-attention of a layer from 1: (B, L, D), (B, heads, L, N).

        The attention is part of the graph, as it is applied: where there is dropout, after it.
        """
        seen: list[Tensor] = []
        attention: Any = self.layers[layer - 1].crossattention
        hook = attention.self.register_forward_hook(
            lambda module, given, gave: seen.append(gave[1])
        )
        try:
            fused = self(texts, text_mask, images)  # (B, L, D)
        finally:
            hook.remove()
        return fused, seen[0]


def additive_mask(mask: Tensor, like: Tensor) -> Tensor:
    """(B, L) bool -> (B, 1, L, L): 0 where a token may look, the lowest number where not."""
    length = mask.shape[1]
    lowest = torch.finfo(like.dtype).min
    blocked = (~mask)[:, None, None, :].expand(-1, 1, length, -1)  # (B, 1, L, L)
    return torch.zeros(blocked.shape, dtype=like.dtype, device=like.device).masked_fill(
        blocked, lowest
    )
