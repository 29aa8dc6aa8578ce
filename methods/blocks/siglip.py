"""SigLIP's towers: an image is pooled by attention, a text is read in both directions.

Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023.
https://arxiv.org/abs/2303.15343
Tschannen et al., "SigLIP 2", 2025. https://arxiv.org/abs/2502.14786

Shapes: B items, N patches, L text tokens, D the width of the joint space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.tokenizer import HFTokenizer
from open_clip.transformer import TextTransformer
from torch import Tensor

from harness.method import Encoded
from methods.blocks.dual_encoder import DualEncoder, Vocabulary
from methods.blocks.transfer import sent

GREY = 127.5  # mean and deviation of its pixels: from -1 to 1


def is_siglip(model: Any) -> bool:
    """Tell whether an open_clip model pools its images as SigLIP does."""
    trunk = getattr(model.visual, "trunk", None)
    return getattr(trunk, "attn_pool", None) is not None


class PaddedVocabulary(Vocabulary):
    """One whose tokenizer pads with an id of its own, and may write neither start nor end."""

    def real_tokens(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L) bool, True where a token is not padding."""
        return ids != self.pad  # (B, L)


class SigLipEncoder(DualEncoder):
    """A dual encoder whose padding is read like words, so that every text has the same length."""

    def __init__(self, visual: Any, text: TextTransformer, tokenizer: HFTokenizer) -> None:
        """`visual` is an open_clip `TimmModel` that pools by attention."""
        # What open_clip's own towers tell of themselves.
        visual.output_dim = visual.trunk.num_features
        visual.grid_size = tuple(visual.trunk.patch_embed.grid_size)
        words = tokenizer.tokenizer
        vocabulary = PaddedVocabulary(
            size=len(words),
            pad=words.pad_token_id,
            start=words.bos_token_id,
            mask=words.mask_token_id,
            end=words.eos_token_id,
            length=text.context_length,
            trims=False,
        )
        super().__init__(visual, text, vocabulary, lambda caption: tokenizer(caption)[0].tolist())
        self.mean.fill_(GREY)
        self.deviation.fill_(GREY)

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding (B, D), tokens (B, 1 + N, D): the pooled one, patches."""
        trunk = self.visual.trunk
        patches = trunk.forward_features((images - self.mean) / self.deviation)  # (B, N, D)
        embedding = self.visual.head(trunk.forward_head(patches))  # (B, D)
        return Encoded(embedding, torch.cat([embedding[:, None], patches], dim=1))

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding (B, D), tokens (B, L, D), mask (B, L)."""
        embedding, tokens = self.text(ids)  # (B, D), (B, L, width)
        real = self.vocabulary.real_tokens(ids)  # (B, L)
        return Encoded(embedding, self.text.text_projection(tokens), real)

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device, as open_clip's tokenizer has them."""
        return sent(torch.tensor([list(self._words(each)) for each in captions]), self.mean.device)

    def word_pieces(self, text: str) -> list[int]:
        """Return the ids of a text's word pieces, without what the tokenizer puts round them."""
        v = self.vocabulary
        return [piece for piece in self._words(text) if piece not in (v.pad, v.start, v.end)]
