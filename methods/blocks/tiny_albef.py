"""The tiny encoders with a cross-encoder behind them, as ALBEF has; made by `harness pretrain`."""

from __future__ import annotations

from tokenizers import Tokenizer
from torch import Tensor, nn

from harness.method import Encoded
from methods.blocks.fusion import FusionEncoder
from methods.blocks.tiny import (
    HEADS,
    WEIGHTS,
    WIDTH,
    TinyClip,
    load_tokenizer,
    load_weights,
    masked_word_head,
)

FUSION_LAYERS = 6
FUSION_MLP_RATIO = 4  # as BERT has


class TinyAlbef(nn.Module):
    """TinyClip with six fusion layers, a matching head and a masked-word head behind them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.encoder = TinyClip(tokenizer)
        self.fusion = FusionEncoder(WIDTH, HEADS, FUSION_LAYERS, mlp_ratio=FUSION_MLP_RATIO)
        self.matching_head = nn.Linear(WIDTH, 2)  # no match, match
        self.masked_word_head = masked_word_head(WIDTH, self.encoder.vocabulary.size)

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor | None = None) -> Tensor:
        """Tokens of B texts with those of their images, as numbered (B,) -> (B, L, D)."""
        return self.fusion(texts.tokens, texts.mask, images.tokens, image_of_text)  # type: ignore[no-any-return]  # a module

    def project_images(self, tokens: Tensor) -> Tensor:
        """(B, D) -> (B, D): tiny-clip's image tokens are in the joint space already."""
        return tokens


def load_tiny_albef(phases: int = 2) -> TinyAlbef:
    """Load the shipped encoder after its first or its second pre-training phase."""
    encoder = TinyAlbef(load_tokenizer(WEIGHTS))
    load_weights(encoder, WEIGHTS / f"tiny-albef-{phases}.safetensors")
    return encoder
