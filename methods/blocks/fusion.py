"""Fusion of text tokens with image tokens: BERT layers with cross-attention.

Shapes: B texts, M images, L text tokens, N image tokens, D width, H heads, d width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, BertConfig
from transformers.models.bert.modeling_bert import BertCrossAttention, BertLayer


class FusionEncoder(nn.Module):
    """A stack of BERT layers: self-attention over the text, cross-attention to the image."""

    def __init__(
        self, width: int, heads: int, layers: int, dropout: float = 0.0, mlp_ratio: int = 4
    ) -> None:
        super().__init__()
        config = BertConfig(
            hidden_size=width,
            num_attention_heads=heads,
            intermediate_size=mlp_ratio * width,
            num_hidden_layers=layers,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            # transformers gives cross-attention to decoders only. A decoder reads a 2-D mask
            # causally, so the forward pass below gives it a 4-D one.
            is_decoder=True,
            add_cross_attention=True,
        )
        config._attn_implementation = SHARED_IMAGES
        layer: Any = BertLayer  # untyped
        self.layers = nn.ModuleList(layer(config, layer_idx=i) for i in range(layers))

    def forward(
        self, texts: Tensor, text_mask: Tensor, images: Tensor, image_of_text: Tensor | None = None
    ) -> Tensor:
        """(B, L, D), (B, L) bool, (M, N, D), (B,) -> (B, L, D).

        `image_of_text` numbers the image of each text; without it, text i goes with image i. An
        image that several texts share is mapped to keys and values once.
        """
        return self._fuse(texts, text_mask, images, image_of_text)

    def watch(
        self,
        texts: Tensor,
        text_mask: Tensor,
        images: Tensor,
        layer: int,
        image_of_text: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Fuse, and show the cross-attention of a layer from 1: (B, L, D), (B, H, L, N).

        The attention is part of the graph. Where there is dropout it is that before, whose rows sum
        to 1, and its gradient is through the dropout.
        """
        seen: list[Tensor] = []
        fused = self._fuse(texts, text_mask, images, image_of_text, {layer: seen})  # (B, L, D)
        return fused, seen[0]

    def _fuse(
        self,
        texts: Tensor,
        text_mask: Tensor,
        images: Tensor,
        image_of_text: Tensor | None,
        watched: dict[int, list[Tensor]] | None = None,
    ) -> Tensor:
        keep = additive_mask(text_mask, texts)  # (B, 1, L, L)
        for number, layer in enumerate(self.layers, start=1):
            seen = (watched or {}).get(number)
            texts = layer(texts, keep, images, image_of_text=image_of_text, seen=seen)  # (B, L, D)
        return texts


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    image_of_text: Tensor | None = None,
    seen: list[Tensor] | None = None,
    **_: Any,
) -> tuple[Tensor, Tensor | None]:
    """(B, H, L, d), (M, H, N, d) twice -> (B, L, H, d), as transformers asks for it.

    Cross-attention gives each text the keys and values of its image. Where `seen` is given it notes
    itself there, (B, H, L, N), and returns itself too; elsewhere nothing of that size is kept.
    """
    crosses = isinstance(module, BertCrossAttention)
    if crosses and image_of_text is not None:
        key, value = (
            one.contiguous().index_select(0, image_of_text) for one in (key, value)
        )  # (B, H, N, d)
    dropout = dropout if module.training else 0.0
    if not crosses or seen is None:
        fused = F.scaled_dot_product_attention(
            query, key, value, attention_mask, dropout, scale=scaling
        )  # (B, H, L, d)
        return fused.transpose(1, 2).contiguous(), None  # (B, L, H, d)
    scores = query @ key.transpose(2, 3) * scaling  # (B, H, L, N)
    if attention_mask is not None:
        scores = scores + attention_mask
    attention = scores.softmax(dim=-1)  # (B, H, L, N)
    seen.append(attention)
    fused = F.dropout(attention, dropout) @ value  # (B, H, L, d)
    return fused.transpose(1, 2).contiguous(), attention  # (B, L, H, d)


SHARED_IMAGES = "images_shared_by_texts"
AttentionInterface.register(SHARED_IMAGES, attend)


def additive_mask(mask: Tensor, like: Tensor) -> Tensor:
    """(B, L) bool -> (B, 1, L, L): 0 where a token may look, the lowest number where not."""
    length = mask.shape[1]
    lowest = torch.finfo(like.dtype).min
    blocked = (~mask)[:, None, None, :].expand(-1, 1, length, -1)  # (B, 1, L, L)
    return torch.zeros(blocked.shape, dtype=like.dtype, device=like.device).masked_fill(
        blocked, lowest
    )
