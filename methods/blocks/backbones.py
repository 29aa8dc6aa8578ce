"""Dual encoders on open_clip's towers, tiny and full size, behind one interface.

Shapes: B items, 3 x H x W pixels, D the width of the joint space, N patches, L text tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import open_clip
import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from harness.method import Encoded
from methods.blocks.pretrained import loading

MEAN = (0.48145466, 0.4578275, 0.40821073)  # of CLIP's pixels, by channel
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
REMEMBERED_CAPTIONS = 200_000


@dataclass(frozen=True)
class Vocabulary:
    """The token ids that a method has to know. CLIP pools a text at the largest, its `end`."""

    size: int
    pad: int
    start: int
    mask: int
    end: int
    length: int  # the most tokens a text can have
    trims: bool  # whether padding beyond the longest text of a batch can be left out exactly


class Encoder(Protocol):
    """An image and a text tower, with or without a joint space."""

    vocabulary: Vocabulary
    image_width: int  # of image tokens
    text_width: int  # of text tokens
    grid: tuple[int, int]  # rows and columns of patches

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding, tokens: class token, patches row by row."""

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding, tokens, mask."""

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding."""


class DualEncoder(nn.Module):
    """An image and a text tower with a joint space of D dimensions."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        visual: VisionTransformer,
        text: TextTransformer,
        vocabulary: Vocabulary,
        words: Callable[[str], list[int]],
    ) -> None:
        """`words` turns a caption into the ids of its word pieces."""
        super().__init__()
        visual.output_tokens = text.output_tokens = True
        self.visual = visual
        self.text = text
        self.vocabulary = vocabulary
        self.width = self.image_width = self.text_width = int(visual.output_dim)
        self.grid: tuple[int, int] = visual.grid_size
        self._words = lru_cache(REMEMBERED_CAPTIONS)(words)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        deviation = torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255
        self.register_buffer("deviation", deviation, persistent=False)

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding (B, D), tokens (B, 1 + N, D): class token, patches."""
        pixels = (images - self.mean) / self.deviation  # (B, 3, H, W)
        embedding, patches = self.visual(pixels)  # (B, D), (B, N, width)
        patches = patches @ self.visual.proj  # (B, N, D)
        return Encoded(embedding, torch.cat([embedding[:, None], patches], dim=1))

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        """B captions -> embedding (B, D), tokens (B, L, D), mask (B, L)."""
        return self.encode_tokens(self.tokenize(captions))

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding (B, D), tokens (B, L, D), mask (B, L)."""
        embedding, tokens = self.text(ids)  # (B, D), (B, L, width)
        return Encoded(embedding, tokens @ self.text.text_projection, self.real_tokens(ids))

    def embed_images(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 -> (B, D), where nobody asks for tokens."""
        return self.encode_images(images).embedding

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """(B, L) token ids -> (B, D), where nobody asks for tokens."""
        return self.encode_tokens(ids).embedding

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding.

        A caption that is too long loses its last words, never its end.
        """
        v = self.vocabulary
        rows = [[v.start, *self._words(caption)[: v.length - 2], v.end] for caption in captions]
        length = max(map(len, rows)) if v.trims else v.length
        padded = [row + [v.pad] * (length - len(row)) for row in rows]
        return torch.tensor(padded, device=self.mean.device)  # (B, L)

    def word_pieces(self, text: str) -> list[int]:
        """Return the ids of a text's word pieces."""
        return self._words(text)

    def real_tokens(self, ids: Tensor) -> Tensor:
        """(B, L) ids -> (B, L) bool, True up to the end token. The padding id may be a word's."""
        ends = (ids == self.vocabulary.end).int().argmax(dim=1, keepdim=True)  # (B, 1)
        return torch.arange(ids.shape[1], device=ids.device) <= ends  # (B, L)


def load_encoder(name: str, image_size: tuple[int, int]) -> Encoder:
    """Build an encoder by name: "ViT+BERT" as in `load_vit_bert`, any other a dual encoder."""
    dual = name.partition("/")[0] in open_clip.list_models()  # a file behind it may have a "+"
    if dual or "+" not in name:
        return load_dual_encoder(name, image_size)
    from methods.blocks.vit_bert import load_vit_bert

    return load_vit_bert(name, image_size)


def load_dual_encoder(name: str, image_size: tuple[int, int]) -> DualEncoder:
    """Build an encoder by name for images of (height, width).

    `tiny-clip` is the encoder that ships with the project. Any other name is open_clip's:
    `ViT-B-16-quickgelu/openai` takes the weights of that tag from the hub,
    `ViT-B-16-quickgelu/FILE` those of a file, a name alone starts from random weights. Of models
    on timm only EVA is known.
    """
    if name == "tiny-clip":
        from methods.blocks.tiny import load_tiny_clip

        return load_tiny_clip(image_size)
    model_name, _, tag = name.partition("/")
    return _open_clip_encoder(model_name, tag or None, image_size)


def _open_clip_encoder(name: str, tag: str | None, image_size: tuple[int, int]) -> DualEncoder:
    """Build an open_clip model; its grid of positions is interpolated to the image size.

    Raises:
        ValueError: open_clip knows no such model or weights.
        HarnessError: the weights cannot be had, or are another model's.
    """
    models = open_clip.list_models()
    if name not in models:
        raise ValueError(f"backbone {name!r} is neither tiny-clip nor one of open_clip: {models}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if tag is not None and tag not in tags and not Path(tag).is_file():
        raise ValueError(
            f"open_clip has no weights {tag!r} for {name}, nor is it a file; there are: {tags}"
        )
    # NOTE: open_clip interpolates bicubically with antialiasing; IRRA and the code after it
    # bilinearly.
    with loading(f"{name}/{tag}"):
        model = open_clip.create_model(
            name,
            pretrained=tag,
            require_pretrained=tag is not None,
            force_image_size=image_size,
            force_custom_text=True,
        )
    tokenizer = open_clip.SimpleTokenizer()
    # CLIP's vocabulary has no mask. The id of its last word serves, as in IRRA: it has to stay
    # below that of the end token, where open_clip pools.
    vocabulary = Vocabulary(
        size=tokenizer.vocab_size,
        pad=0,
        start=tokenizer.sot_token_id,
        mask=tokenizer.sot_token_id - 1,
        end=tokenizer.eot_token_id,
        length=model.text.context_length,
        trims=False,  # the causal mask of open_clip's text tower has a fixed size
    )
    parts = model.visual, model.text, vocabulary, tokenizer.encode
    if isinstance(model.visual, TimmModel):
        from methods.blocks.eva import EvaEncoder

        return EvaEncoder(*parts)
    return DualEncoder(*parts)
