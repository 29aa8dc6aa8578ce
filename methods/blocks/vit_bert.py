"""A ViT with ImageNet's weights beside BERT with a Bi-GRU: two towers that share no space yet.

Shapes: B items, N patches, L text tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import AutoConfig, AutoTokenizer, BertModel

from harness.data.downloads import HubFiles
from harness.method import Download, Encoded
from methods.blocks.dual_encoder import Vocabulary, remembering
from methods.blocks.pretrained import WEIGHT_FILES, bert_downloads, loading, refuse_other_weights
from methods.blocks.transfer import sent

TEXT_LENGTH = 100  # tokens; the longest captions of the three benchmarks have about that many
GRU_WIDTH = 512  # of each direction


class VitBert(nn.Module):
    """timm's ViT and transformers' BERT behind the interface of a dual encoder."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        visual: Any,
        text: BertModel,
        vocabulary: Vocabulary,
        words: Callable[[str], list[int]],
    ) -> None:
        """`words` turns a caption into the ids of its word pieces."""
        super().__init__()
        self.visual = visual
        self.text = text
        self.vocabulary = vocabulary
        self.image_width = int(visual.num_features)
        self.text_width = GRU_WIDTH
        self.grid: tuple[int, int] = tuple(visual.patch_embed.grid_size)
        self.gru = nn.GRU(text.config.hidden_size, GRU_WIDTH, batch_first=True, bidirectional=True)
        self._words = remembering(words)
        for name, key in (("mean", "mean"), ("deviation", "std")):
            values = torch.tensor(visual.pretrained_cfg[key]).view(1, 3, 1, 1) * 255
            self.register_buffer(name, values, persistent=False)

    def encode_images(self, images: Tensor) -> Encoded:
        """(B, 3, H, W) uint8 -> embedding (B, 768), tokens (B, 1 + N, 768): class token, patches.

        Pixels are normalised as the weights expect.
        """
        tokens = self.visual.forward_features((images - self.mean) / self.deviation)
        return Encoded(tokens[:, 0], tokens)  # (B, 768), (B, 1 + N, 768)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        """B captions -> embedding (B, 512), tokens (B, L, 512), mask (B, L)."""
        return self.encode_tokens(self.tokenize(captions))

    def encode_tokens(self, ids: Tensor) -> Encoded:
        """(B, L) token ids -> embedding (B, 512), tokens (B, L, 512), mask (B, L).

        The directions of the Bi-GRU, which never reads padding, are averaged.
        """
        mask = ids != self.vocabulary.pad  # (B, L)
        words = self.text(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        packed = pack_padded_sequence(
            words, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        both, _ = pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=ids.shape[1]
        )  # (B, L, 1024)
        tokens = (both[..., :GRU_WIDTH] + both[..., GRU_WIDTH:]) / 2  # (B, L, 512)
        return Encoded(tokens[:, 0], tokens, mask)

    def tokenize(self, captions: Sequence[str]) -> Tensor:
        """B captions -> (B, L) ids on the encoder's device: start, words, end, padding.

        A caption that is too long loses its last words, never its end.
        """
        v = self.vocabulary
        rows = [[v.start, *self._words(caption)[: v.length - 2], v.end] for caption in captions]
        length = max(map(len, rows))
        padded = [row + [v.pad] * (length - len(row)) for row in rows]
        return sent(torch.tensor(padded), self.mean.device)  # (B, L)


def load_vit_bert(name: str, image_size: tuple[int, int]) -> VitBert:
    """Build an encoder from "ViT+BERT" for images of (height, width).

    The first is a name of timm's, the second one of the hub's or a folder, as transformers reads
    it. A ViT with a tag (`vit_base_patch16_224.augreg_in21k_ft_in1k`) takes those weights from the
    hub, one with a file (`vit_base_patch16_224/FILE`) from there, interpolated to the image size;
    without either both towers start from random weights.

    Raises:
        ValueError: timm knows no such ViT or weights.
        HarnessError: the weights cannot be had, or are another model's.
    """
    vit, _, bert = name.partition("+")
    visual, pretrained = _load_vit(vit, image_size)
    with loading(bert):
        text = _load_bert(bert) if pretrained else _random_bert(bert)
        tokenizer = AutoTokenizer.from_pretrained(bert, trust_remote_code=False)
    vocabulary = Vocabulary(
        size=len(tokenizer),
        pad=tokenizer.pad_token_id,
        start=tokenizer.cls_token_id,
        mask=tokenizer.mask_token_id,
        end=tokenizer.sep_token_id,
        length=TEXT_LENGTH,
        trims=True,
    )

    def words(caption: str) -> list[int]:
        """A caption that spells a special token, "[SEP]", means the letters."""
        ids = tokenizer.encode(caption, add_special_tokens=False, split_special_tokens=True)
        return list(ids)

    return VitBert(visual, text, vocabulary, words)


def vit_bert_downloads(name: str) -> list[Download]:
    """Return what is fetched where `load_vit_bert` builds an encoder by this name."""
    vit, _, bert = name.partition("+")
    model, _, file = vit.partition("/")
    known = timm.get_pretrained_cfg(model) if "." in model and not file else None
    repository = known.hf_hub_id if known else None
    of_vit: list[Download] = [HubFiles(repository, (WEIGHT_FILES,))] if repository else []
    return [*of_vit, *bert_downloads(bert, is_pretrained=bool(of_vit or file))]


def _load_vit(name: str, image_size: tuple[int, int]) -> tuple[Any, bool]:
    """Return timm's ViT, and whether it is pre-trained."""
    model, _, file = name.partition("/")
    model, _, tag = model.partition(".")
    if model not in timm.list_models("vit_*"):
        raise ValueError(f"timm has no ViT {model!r}; `timm.list_models('vit_*')` shows them")
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in tags:
        raise ValueError(f"timm has no weights {tag!r} for {model}; there are: {tags}")
    if file and not Path(file).is_file():
        raise ValueError(f"{name}: there is no file {file}")
    pretrained = bool(tag or file)
    with loading(name):
        visual: Any = timm.create_model(
            f"{model}.{tag}" if tag else model,
            pretrained=pretrained,
            img_size=image_size,
            pretrained_cfg_overlay=_source(file) if file else {},
        )
    visual.reset_classifier(0)  # not before: timm compares no names where it leaves one out
    if visual.num_prefix_tokens != 1:
        raise ValueError(f"{model} has {visual.num_prefix_tokens} tokens before the patches, not 1")
    return visual, pretrained


def _source(file: str) -> dict[str, Any]:
    """Return what timm has to know of a file, which may hold a classifier or none."""
    bias = load_state_dict(file).get("head.bias")
    classes = 0 if bias is None else len(bias)
    return {"file": file, "num_classes": classes, "custom_load": False}


def _load_bert(name: str) -> BertModel:
    """Return BERT with the weights of a name or folder; their heads are left aside."""
    bert: Any = BertModel  # its types know nothing of the information on loading
    text, told = bert.from_pretrained(
        name, add_pooling_layer=False, output_loading_info=True, ignore_mismatched_sizes=True
    )
    refuse_other_weights(name, told, unused=("cls", "pooler"))
    return text  # type: ignore[no-any-return]  # as above


def _random_bert(name: str) -> BertModel:
    config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    return BertModel(config, add_pooling_layer=False)
