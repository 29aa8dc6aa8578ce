"""ALBEF built narrow, and states laid out as the files that its authors publish."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import timm
import torch
from torch import Tensor
from transformers import BertConfig

from methods.blocks import albef

WIDTH, DEPTH, JOINT = 24, 2, 256
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "in", "red", "coat", "##ish"]
SQUARE = (32, 32)  # 2 x 2 patches: files are published for square images
SIZE = (48, 32)  # 3 x 2
State = dict[str, Tensor]


def build_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ALBEF be built as published but narrow, and two layers of the image encoder."""
    monkeypatch.setattr(
        albef,
        "BertConfig",
        partial(
            BertConfig,
            hidden_size=WIDTH,
            num_attention_heads=2,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=64,
        ),
    )
    create = partial(timm.create_model, embed_dim=WIDTH, depth=DEPTH, num_heads=2)
    monkeypatch.setattr(albef, "timm", SimpleNamespace(create_model=create))


def write_vocabulary(folder: Path) -> None:
    """Write the vocabulary of a small BERT."""
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertConfig().save_pretrained(folder)  # says whose vocabulary it is


def bert_layer(number: int, shapes: dict[str, tuple[int, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the names in a BERT layer, published and here; their shapes are noted."""
    here = f"encoder.layers.{number}" if number < 6 else f"fusion.layers.{number - 6}"
    kinds = ["attention"] if number < 6 else ["attention", "crossattention"]
    linear = {f"{kind}.self.{part}": (WIDTH, WIDTH) for kind in kinds
              for part in ("query", "key", "value")}  # fmt: skip
    linear |= {f"{kind}.output.dense": (WIDTH, WIDTH) for kind in kinds}
    linear |= {"intermediate.dense": (4 * WIDTH, WIDTH), "output.dense": (WIDTH, 4 * WIDTH)}
    norms = [f"{kind}.output.LayerNorm" for kind in kinds] + ["output.LayerNorm"]
    for part, shape in linear.items():
        for end, of in ((".weight", shape), (".bias", shape[:1])):
            shapes[f"{here}.{part}{end}"] = of
            yield f"encoder.layer.{number}.{part}{end}", f"{here}.{part}{end}"
    for part in norms:
        for end in (".weight", ".bias"):
            shapes[f"{here}.{part}{end}"] = (WIDTH,)
            yield f"encoder.layer.{number}.{part}{end}", f"{here}.{part}{end}"


def layout(bert: str, patches: int) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Return published name -> name here, and name here -> shape, without the masked-word head."""
    names: dict[str, str] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def add(published: str, here: str, *shape: int) -> None:
        names[published], shapes[here] = here, shape

    add("visual_encoder.cls_token", "encoder.visual.cls_token", 1, 1, WIDTH)
    add("visual_encoder.pos_embed", "encoder.visual.pos_embed", 1, 1 + patches, WIDTH)
    add("visual_encoder.patch_embed.proj.weight", "encoder.visual.patch_embed.proj.weight",
        WIDTH, 3, 16, 16)  # fmt: skip
    add("visual_encoder.patch_embed.proj.bias", "encoder.visual.patch_embed.proj.bias", WIDTH)
    for block in range(DEPTH):
        for part, shape in {
            "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,),
            "attn.qkv.weight": (3 * WIDTH, WIDTH), "attn.qkv.bias": (3 * WIDTH,),
            "attn.proj.weight": (WIDTH, WIDTH), "attn.proj.bias": (WIDTH,),
            "norm2.weight": (WIDTH,), "norm2.bias": (WIDTH,),
            "mlp.fc1.weight": (4 * WIDTH, WIDTH), "mlp.fc1.bias": (4 * WIDTH,),
            "mlp.fc2.weight": (WIDTH, 4 * WIDTH), "mlp.fc2.bias": (WIDTH,),
        }.items():  # fmt: skip
            place = f"blocks.{block}.{part}"
            add(f"visual_encoder.{place}", f"encoder.visual.{place}", *shape)
    for end in ("weight", "bias"):
        add(f"visual_encoder.norm.{end}", f"encoder.visual.norm.{end}", WIDTH)
        add(f"{bert}embeddings.LayerNorm.{end}", f"encoder.embeddings.LayerNorm.{end}", WIDTH)
    for kind, count in {"word": len(WORDS), "position": 64, "token_type": 2}.items():
        part = f"embeddings.{kind}_embeddings.weight"
        add(f"{bert}{part}", f"encoder.{part}", count, WIDTH)
    for number in range(12):
        names |= {f"{bert}{theirs}": mine for theirs, mine in bert_layer(number, shapes)}
    for side in ("vision", "text"):
        add(f"{side}_proj.weight", f"encoder.{side}_proj.weight", JOINT, WIDTH)
        add(f"{side}_proj.bias", f"encoder.{side}_proj.bias", JOINT)
    add("itm_head.weight", "matching_head.weight", 2, WIDTH)
    add("itm_head.bias", "matching_head.bias", 2)
    return names, shapes


HEAD = {
    "bias": (len(WORDS),),
    "transform.dense.weight": (WIDTH, WIDTH),
    "transform.dense.bias": (WIDTH,),
    "transform.LayerNorm.weight": (WIDTH,),
    "transform.LayerNorm.bias": (WIDTH,),
    "decoder.weight": (len(WORDS), WIDTH),
    "decoder.bias": (len(WORDS),),
}


QUEUE, POINTER, TEMPERATURE = 6, 2, 0.05


def published(seed: int, bert: str, head: bool, patches: int) -> tuple[State, State]:
    """Make a state of the published layout; return it and where each value belongs here.

    Momentum copies are all one more. The next features would replace those at the pointer.
    """
    generator = torch.Generator().manual_seed(seed)
    names, shapes = layout(bert, patches)
    if head:
        names |= {f"text_encoder.cls.predictions.{p}": f"masked_word_head.{p}" for p in HEAD}
        shapes |= {f"masked_word_head.{part}": shape for part, shape in HEAD.items()}
    state = {name: torch.randn(shapes[here], generator=generator) for name, here in names.items()}
    if head:  # one tensor under two names
        prefix = "text_encoder.cls.predictions."
        state[f"{prefix}decoder.weight"] = state[f"{bert}embeddings.word_embeddings.weight"]
        state[f"{prefix}decoder.bias"] = state[f"{prefix}bias"]
    expected = {here: state[name] for name, here in names.items()}
    copies = {name.replace(".", "_m.", 1): value + 1 for name, value in state.items()
              if not name.startswith("itm_head")}  # fmt: skip
    extra = {
        "temp": torch.tensor(TEMPERATURE),
        "image_queue": torch.randn(JOINT, QUEUE, generator=generator),
        "text_queue": torch.randn(JOINT, QUEUE, generator=generator),
        "idx_queue": torch.zeros(1, QUEUE),
        "queue_ptr": torch.tensor([POINTER]),
        f"{bert}embeddings.position_ids": torch.arange(64)[None],
    }
    return {**state, **copies, **extra}, expected
