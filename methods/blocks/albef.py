"""ALBEF: two encoders whose outputs are aligned before a third fuses them.

Li et al., "Align before Fuse: Vision and Language Representation Learning with Momentum
Distillation", NeurIPS 2021. https://arxiv.org/abs/2107.07651 On timm's ViT and transformers' BERT
layers; the published weights load through `rename`.

Shapes: B items, N patches, L text tokens, D the width of a token, E that of the joint space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor, nn
from transformers import BertConfig, BertTokenizer
from transformers.models.bert.modeling_bert import (
    BertEmbeddings,
    BertLayer,
    BertLMPredictionHead,
)

from harness.method import Encoded
from methods.blocks.dual_encoder import DEVIATION, MEAN, REMEMBERED_CAPTIONS, Vocabulary
from methods.blocks.fusion import FusionEncoder, additive_mask
from methods.blocks.pretrained import loading

# The weights as published, after pre-training and after fine-tuning on COCO for retrieval.
PUBLISHED = {
    "albef": "https://storage.googleapis.com/sfr-pcl-data-research/ALBEF/ALBEF.pth",
    "coco": "https://storage.googleapis.com/sfr-pcl-data-research/ALBEF/mscoco.pth",
}
TOKENIZER = "google-bert/bert-base-uncased"
TEXT_LENGTH = 50
TEXT_LAYERS = 6  # of BERT's twelve; the others fuse


class FusingEncoder(Protocol):
    """What a method on ALBEF works with, tiny or full size."""

    encoder: Any  # a dual encoder
    fusion: FusionEncoder
    matching_head: nn.Linear  # D -> (no match, match)

    @property
    def masked_word_head(self) -> nn.Module:
        """D -> vocabulary."""

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor | None = None) -> Tensor:
        """Tokens of B texts with those of their images, as numbered (B,) -> (B, L, D)."""

    def project_images(self, tokens: Tensor) -> Tensor:
        """Image tokens (B, D) -> (B, E)."""


class AlbefEncoder(nn.Module):
    """A ViT and BERT's first six layers, each with a projection to the joint space."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        visual: Any,
        config: BertConfig,
        vocabulary: Vocabulary,
        words: Callable[[str], list[int]],
        joint_width: int = 256,
    ) -> None:
        """`words` turns a text into the ids of its word pieces."""
        super().__init__()
        layer: Any = BertLayer  # untyped
        embeddings: Any = BertEmbeddings
        self.visual = visual
        self.embeddings = embeddings(config)
        self.layers = nn.ModuleList(layer(config, layer_idx=i) for i in range(TEXT_LAYERS))
        self.vision_proj = nn.Linear(visual.num_features, joint_width)
        self.text_proj = nn.Linear(config.hidden_size, joint_width)
        self.vocabulary = vocabulary
        self.width = joint_width
        self._words = lru_cache(REMEMBERED_CAPTIONS)(words)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255, persistent=False)
        deviation = torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255
        self.register_buffer("deviation", deviation, persistent=False)

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding (B, E), tokens (B, 1 + N, D) (eq. 13)."""
        tokens = self.visual.forward_features((images - self.mean) / self.deviation)
        return Encoded(self.vision_proj(tokens[:, 0]), tokens)

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding (B, E), tokens (B, L, D), mask (B, L) (eq. 14)."""
        mask = ids != self.vocabulary.pad  # (B, L)
        texts = self.embeddings(input_ids=ids)  # (B, L, D)
        keep = additive_mask(mask, texts)  # (B, 1, L, L)
        for layer in self.layers:
            texts = layer(texts, keep)  # (B, L, D)
        return Encoded(self.text_proj(texts[:, 0]), texts, mask)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        """B captions -> as `encode_tokens`."""
        return self.encode_tokens(self.tokenize(captions))

    def word_pieces(self, text: str) -> list[int]:
        """Return the ids of a text's word pieces."""
        return self._words(text)

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding."""
        v = self.vocabulary
        rows = [[v.start, *self._words(caption)[: v.length - 2], v.end] for caption in captions]
        length = max(map(len, rows))
        padded = [row + [v.pad] * (length - len(row)) for row in rows]
        return torch.tensor(padded, device=self.mean.device)  # (B, L)


class Albef(nn.Module):
    """The encoders, six fusion layers, and heads for matching and for masked words."""

    def __init__(self, encoder: AlbefEncoder, config: BertConfig) -> None:
        super().__init__()
        head: Any = BertLMPredictionHead  # untyped
        self.encoder = encoder
        self.fusion = FusionEncoder(
            config.hidden_size,
            config.num_attention_heads,
            config.num_hidden_layers - TEXT_LAYERS,
            config.hidden_dropout_prob,
        )
        self.matching_head = nn.Linear(config.hidden_size, 2)  # no match, match
        self.masked_word_head = head(config)

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor | None = None) -> Tensor:
        """Tokens of B texts with those of their images, as numbered (B,) -> (B, L, D)."""
        return self.fusion(texts.tokens, texts.mask, images.tokens, image_of_text)  # type: ignore[no-any-return]  # a module

    def project_images(self, tokens: Tensor) -> Tensor:
        """(B, D) -> (B, E)."""
        return self.encoder.vision_proj(tokens)  # type: ignore[no-any-return]  # a module


def load_albef(name: str, weights: str, image_size: tuple[int, int]) -> FusingEncoder:
    """Build ALBEF by name, with the weights "albef" or, fine-tuned on COCO, "coco".

    `tiny-albef` ships with the project, after its first or second phase. `albef` takes the
    published weights from where its authors keep them; `albef/FOLDER` reads `ALBEF.pth`,
    `mscoco.pth` and, if it is there, BERT's `vocab.txt` from a folder. `albef/FOLDER` without
    weights in it starts from random ones.

    Raises:
        ValueError: there is no such encoder.
        HarnessError: the weights cannot be had, or a file lacks some or holds others; the message
            names them.
    """
    if name == "tiny-albef":
        from methods.blocks.tiny_albef import load_tiny_albef

        return load_tiny_albef({"albef": 1, "coco": 2}[weights])
    kind, _, folder = name.partition("/")
    if kind != "albef":
        raise ValueError(f"encoder {name!r} is none of tiny-albef, albef and albef/FOLDER")
    albef = build_albef(image_size, Path(folder) if folder else None)
    # COCO's file has no masked-word head: retrieval does not use one.
    keys = tuple(dict.fromkeys(("albef", weights)))
    if not folder or any((Path(folder) / _file_name(key)).is_file() for key in PUBLISHED):
        with loading(f"{name} ({', '.join(keys)})"):
            states = [_renamed(_read(key, folder)) for key in keys]
            load_published(albef, {name: value for one in states for name, value in one.items()})
    return albef


def build_albef(image_size: tuple[int, int], folder: Path | None) -> Albef:
    """Build ALBEF with random weights, with the tokenizer of a folder or BERT's from the hub."""
    own = folder is not None and (folder / "vocab.txt").is_file()
    with loading(f"of the tokenizer {TOKENIZER}"):
        tokenizer: Any = BertTokenizer.from_pretrained(str(folder) if own else TOKENIZER)
    config = BertConfig(vocab_size=len(tokenizer))
    config._attn_implementation = "eager"  # takes an additive mask as it is
    vocabulary = Vocabulary(
        size=len(tokenizer),
        pad=tokenizer.pad_token_id,
        start=tokenizer.cls_token_id,
        mask=tokenizer.mask_token_id,
        end=tokenizer.sep_token_id,
        length=TEXT_LENGTH,
        trims=True,
    )
    visual = timm.create_model("vit_base_patch16_224", img_size=image_size, num_classes=0)

    def words(caption: str) -> list[int]:
        """A caption that spells a special token, "[SEP]", means the letters."""
        ids = tokenizer.encode(caption, add_special_tokens=False, split_special_tokens=True)
        return list(ids)

    return Albef(AlbefEncoder(visual, config, vocabulary, words), config)


def load_published(albef: Albef, state: Mapping[str, Tensor]) -> None:
    """Load weights as they are named here; positions are interpolated to the image size."""
    state = dict(state)
    positions, grid = "encoder.visual.pos_embed", albef.encoder.visual.patch_embed.grid_size
    if positions in state:
        state[positions] = resample_abs_pos_embed(state[positions], list(grid))
    albef.load_state_dict(state)


def rename(name: str) -> str | None:
    """Return the name of a published weight here; None for what is not used.

    Momentum copies and queues start anew, as the published fine-tuning does; the temperature is
    the method's.
    """
    name = name.replace("text_encoder.bert.", "text_encoder.")
    part, _, rest = name.partition(".")
    if part.endswith(("_m", "_queue", "queue_ptr")) or part == "temp":
        return None
    if rest == "embeddings.position_ids":
        return None  # a count from 0, which transformers no longer stores
    if rest.startswith("encoder.layer."):
        number, _, inner = rest.removeprefix("encoder.layer.").partition(".")
        if int(number) < TEXT_LAYERS:
            return f"encoder.layers.{number}.{inner}"
        return f"fusion.layers.{int(number) - TEXT_LAYERS}.{inner}"
    places = {
        "visual_encoder": "encoder.visual",
        "vision_proj": "encoder.vision_proj",
        "text_proj": "encoder.text_proj",
        "itm_head": "matching_head",
    }
    if part in places:
        return f"{places[part]}.{rest}"
    if rest.startswith("embeddings."):
        return f"encoder.{rest}"
    if rest.startswith("cls.predictions."):
        return f"masked_word_head.{rest.removeprefix('cls.predictions.')}"
    return name


def _read(key: str, folder: str) -> dict[str, Tensor]:
    """Read a published file without executing what it holds."""
    if folder:
        state = torch.load(Path(folder) / _file_name(key), map_location="cpu", weights_only=True)
    else:
        state = torch.hub.load_state_dict_from_url(
            PUBLISHED[key], map_location="cpu", weights_only=True
        )
    return dict(state.get("model", state))


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {mine: value for name, value in state.items() if (mine := rename(name))}


def _file_name(key: str) -> str:
    return PUBLISHED[key].rpartition("/")[2]
