"""ALBEF: two encoders whose outputs are aligned before a third fuses them.

Li et al., "Align before Fuse: Vision and Language Representation Learning with Momentum
Distillation", NeurIPS 2021. https://arxiv.org/abs/2107.07651 On timm's ViT and transformers' BERT
layers; the published weights load through `albef_weights`.

Shapes: B items, N patches, L text tokens, D the width of a token, E that of the joint space, Q
slots of a queue.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

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

from harness.data.downloads import HubFiles, WebFile, torch_hub
from harness.method import Download, Encoded
from methods.blocks.albef_weights import (
    PUBLISHED,
    TEXT_LAYERS,
    Published,
    State,
    is_published,
    read_published,
)
from methods.blocks.dual_encoder import DEVIATION, MEAN, Vocabulary, remembering
from methods.blocks.fusion import FusionEncoder, additive_mask
from methods.blocks.pretrained import BESIDE_FILES, WORD_FILES, loading
from methods.blocks.transfer import sent

TOKENIZER = "google-bert/bert-base-uncased"
TEXT_LENGTH = 50
TEMPERATURE = 0.07  # where ALBEF's begins

# Weights that are more than copied.
POSITIONS = "visual.pos_embed"
WORDS = "embeddings.word_embeddings.weight"
DECODER = "masked_word_head.decoder.weight"

_PUNCTUATION = re.compile(r"[,.'!?\"()*#:;~]")  # what ALBEF leaves out of a caption


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


class Momentum(NamedTuple):
    """What a contrast with momentum goes on from."""

    encoder: nn.Module  # the moving average of the model's encoder, or the encoder itself
    images: Tensor  # (Q, E) features of the queue, the oldest first; Q may be 0
    texts: Tensor  # (Q, E)
    temperature: float


class Pretrained(NamedTuple):
    """A model with what its pre-training leaves beside it."""

    model: FusingEncoder
    momentum: Momentum


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
        # BERT's own start: of torch's, N(0, 1), the tied decoder would make logits of a few dozen.
        nn.init.normal_(self.embeddings.word_embeddings.weight, std=config.initializer_range)
        self.layers = nn.ModuleList(layer(config, layer_idx=i) for i in range(TEXT_LAYERS))
        self.vision_proj = nn.Linear(visual.num_features, joint_width)
        self.text_proj = nn.Linear(config.hidden_size, joint_width)
        self.vocabulary = vocabulary
        self.width = joint_width
        self._words = remembering(words)
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
        return list(self._words(text))

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding."""
        v = self.vocabulary
        rows = [[v.start, *self._words(caption)[: v.length - 2], v.end] for caption in captions]
        length = max(map(len, rows))
        padded = [row + [v.pad] * (length - len(row)) for row in rows]
        return sent(torch.tensor(padded), self.mean.device)  # (B, L)


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
        # BERT's decoder is its word embeddings, with a bias of its own.
        self.masked_word_head.decoder.weight = encoder.embeddings.word_embeddings.weight
        self.masked_word_head.decoder.bias = self.masked_word_head.bias

    def fuse(self, texts: Encoded, images: Encoded, image_of_text: Tensor | None = None) -> Tensor:
        """Tokens of B texts with those of their images, as numbered (B,) -> (B, L, D)."""
        return self.fusion(texts.tokens, texts.mask, images.tokens, image_of_text)  # type: ignore[no-any-return]  # a module

    def project_images(self, tokens: Tensor) -> Tensor:
        """(B, D) -> (B, E)."""
        return self.encoder.vision_proj(tokens)  # type: ignore[no-any-return]  # a module


def load_albef(name: str, weights: str, image_size: tuple[int, int]) -> Pretrained:
    """Build ALBEF by name, with the weights "albef" or, fine-tuned on COCO, "coco".

    `tiny-albef` ships with the project, after its first or second phase. `albef` takes the
    published weights from where its authors keep them; `albef/FOLDER` reads `ALBEF.pth`,
    `mscoco.pth` and, if it is there, BERT's `vocab.txt` from a folder. `albef/FOLDER` without
    weights in it starts from random ones. Momentum copies, queues and temperature are the
    published file's, as ALBEF's own fine-tuning takes them up; where there is no file, they start
    anew.

    Raises:
        ValueError: there is no such encoder.
        HarnessError: the weights cannot be had, or a file lacks some or holds others; the message
            names them.
    """
    if name == "tiny-albef":
        from methods.blocks.tiny_albef import load_tiny_albef

        tiny = load_tiny_albef({"albef": 1, "coco": 2}[weights])
        return Pretrained(tiny, start_anew(tiny.encoder))
    kind, _, folder = name.partition("/")
    if kind != "albef":
        raise ValueError(f"encoder {name!r} is none of tiny-albef, albef and albef/FOLDER")
    albef = build_albef(image_size, Path(folder) if folder else None)
    if not is_published(folder):
        return Pretrained(albef, start_anew(albef.encoder))
    with loading(f"{name} ({weights})"):
        return Pretrained(albef, load_published(albef, read_published(weights, folder)))


def albef_downloads(name: str, weights: str) -> list[Download]:
    """Return what is fetched where `load_albef` builds an encoder by this name."""
    kind, _, folder = name.partition("/")
    if kind != "albef":
        return []
    has_words = folder and (Path(folder) / "vocab.txt").is_file()
    words: list[Download] = [] if has_words else [HubFiles(TOKENIZER, (WORD_FILES,), BESIDE_FILES)]
    if folder:
        return words
    keys = dict.fromkeys((weights, "albef"))  # its masked-word head is in that file alone
    return [*words, *(WebFile(PUBLISHED[key], torch_hub()) for key in keys)]


def start_anew(encoder: Any) -> Momentum:
    """Return the start of a contrast that nothing was kept of: copies, empty queues."""
    nothing = torch.zeros(0, encoder.width)
    return Momentum(encoder, nothing, nothing, TEMPERATURE)


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
        read = clean_caption(caption)
        ids = tokenizer.encode(read, add_special_tokens=False, split_special_tokens=True)
        return list(ids)

    return Albef(AlbefEncoder(visual, config, vocabulary, words), config)


def clean_caption(caption: str) -> str:
    """Return a caption as ALBEF was pre-trained to read it: "A t-shirt, red." -> "a t shirt red".

    `pre_caption` of https://github.com/salesforce/ALBEF, which also cuts at 30 words; here tokens
    are counted.
    """
    caption = _PUNCTUATION.sub("", caption.lower()).replace("-", " ").replace("/", " ")
    caption = re.sub(r"\s{2,}", " ", caption.replace("<person>", "person"))
    return caption.rstrip("\n").strip(" ")


def load_published(albef: Albef, published: Published) -> Momentum:
    """Load weights; positions are interpolated to the image size.

    The masked-word decoder is the word embeddings, wherever a fine-tuning has moved them to.

    Raises:
        RuntimeError: weights are missing or of another shape, or there are others.
    """
    encoder = copy.deepcopy(albef.encoder)
    grid = list(albef.encoder.visual.patch_embed.grid_size)
    state = _interpolated(published.model, f"encoder.{POSITIONS}", grid)
    if DECODER in state:
        state[DECODER] = state.get(f"encoder.{WORDS}", state[DECODER])
    albef.load_state_dict(state)
    encoder.load_state_dict(_interpolated(published.momentum, POSITIONS, grid))
    return Momentum(encoder, published.images, published.texts, published.temperature)


def _interpolated(state: State, positions: str, grid: list[int]) -> State:
    if positions not in state:
        return dict(state)
    return {**state, positions: resample_abs_pos_embed(state[positions], grid)}
