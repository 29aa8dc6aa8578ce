"""EVA-CLIP's image tower: timm's EVA in the place of CLIP's vision transformer.

Sun et al., "EVA-CLIP: Improved Training Techniques for CLIP at Scale", 2023.
https://arxiv.org/abs/2303.15389

Shapes: B images, N patches, D the width of the joint space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from open_clip.transformer import TextTransformer
from torch import Tensor

from harness.method import Encoded
from methods.blocks.dual_encoder import DualEncoder, Vocabulary


class EvaEncoder(DualEncoder):
    """A dual encoder whose patches pass the norm and the projection of the class token."""

    def __init__(
        self,
        visual: Any,
        text: TextTransformer,
        vocabulary: Vocabulary,
        words: Callable[[str], list[int]],
    ) -> None:
        """`visual` is an open_clip `TimmModel` that pools the class token."""
        # What open_clip's own towers tell of themselves.
        visual.output_dim = visual.trunk.num_classes
        visual.grid_size = tuple(visual.trunk.patch_embed.grid_size)
        super().__init__(visual, text, vocabulary, words)

    def encode_images(self, images: Tensor) -> Encoded:
        trunk = self.visual.trunk
        tokens = trunk.forward_features((images - self.mean) / self.deviation)  # (B, 1 + N, width)
        tokens = self.visual.head(trunk.head(trunk.fc_norm(tokens)))  # (B, 1 + N, D)
        return Encoded(tokens[:, 0], tokens)
