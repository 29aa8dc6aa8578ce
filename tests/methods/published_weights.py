"""Files of weights as authors publish them, of CLIP with one block, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from harness import registry
from harness.handed_in.weights import Loaded, load_weights

WIDTH, PATCH = 64, 16
WORDS, LENGTH = 49_408, 77  # of CLIP's tokenizer
NAME = "one-block-quickgelu"
MODEL = {
    "embed_dim": WIDTH, "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32, "layers": 1, "width": WIDTH, "patch_size": PATCH, "head_width": WIDTH,
    },
    "text_cfg": {
        "context_length": LENGTH, "vocab_size": WORDS, "width": WIDTH, "heads": 1, "layers": 1,
    },
}  # fmt: skip

Shapes = dict[str, tuple[int, ...]]


def shapes_of_clip(visual: str, text: str, size: tuple[int, int]) -> Shapes:
    """Return the weights of both towers below their prefixes, for images of (height, width)."""
    height, width = size
    found: Shapes = {
        f"{visual}class_embedding": (WIDTH,),
        f"{visual}positional_embedding": (1 + height * width // PATCH**2, WIDTH),
        f"{visual}proj": (WIDTH, WIDTH),
        f"{visual}conv1.weight": (WIDTH, 3, PATCH, PATCH),
        f"{text}positional_embedding": (LENGTH, WIDTH),
        f"{text}text_projection": (WIDTH, WIDTH),
        f"{text}token_embedding.weight": (WORDS, WIDTH),
    }
    linear, norms = {}, [f"{visual}ln_pre", f"{visual}ln_post", f"{text}ln_final"]
    for block in (f"{tower}transformer.resblocks.0" for tower in (visual, text)):
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        linear |= {
            f"{block}.mlp.c_fc": (4 * WIDTH, WIDTH), f"{block}.mlp.c_proj": (WIDTH, 4 * WIDTH),
            f"{block}.attn.out_proj": (WIDTH, WIDTH),
        }  # fmt: skip
        found |= {
            f"{block}.attn.in_proj_weight": (3 * WIDTH, WIDTH),
            f"{block}.attn.in_proj_bias": (3 * WIDTH,),
        }
    return found | shapes_of_linear(linear) | shapes_of_norms(dict.fromkeys(norms, WIDTH))


def shapes_of_linear(layers: Mapping[str, tuple[int, int]]) -> Shapes:
    """Return the weights and biases of linear layers of (out, in)."""
    weights: Shapes = {f"{name}.weight": shape for name, shape in layers.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in layers.items()}


def shapes_of_norms(sizes: Mapping[str, int]) -> Shapes:
    """Return the weights and biases of normalisations."""
    return {
        f"{name}.{part}": (size,) for name, size in sizes.items() for part in ("weight", "bias")
    }


def shapes_of_running(sizes: Mapping[str, int]) -> Shapes:
    """Return what batch normalisations keep beside them."""
    found: Shapes = {}
    for name, size in sizes.items():
        found |= {f"{name}.{part}": (size,) for part in ("running_mean", "running_var")}
        found[f"{name}.num_batches_tracked"] = ()
    return found


def drawn(shapes: Mapping[str, tuple[int, ...]], without: Iterable[str] = ()) -> dict[str, Tensor]:
    """Return weights of these shapes, but for those whose names begin as is said."""
    draw = torch.Generator().manual_seed(0)
    state = {name: torch.rand(shape, generator=draw) for name, shape in shapes.items()}
    return {name: one for name, one in state.items() if not name.startswith(tuple(without))}


def load_published(
    method: str, file: Path, content: Mapping[str, Any], size: tuple[int, int]
) -> Loaded:
    """Write a file and load it into a method at scale paper, on CLIP with one block."""
    torch.save(content, file)
    (file.parent / f"{NAME}.json").write_text(json.dumps(MODEL), encoding="utf-8")
    open_clip.add_model_config(file.parent)
    listing = registry.find_method(method, registry.list_methods())
    assert listing.description is not None
    config = listing.description["scales"]["paper"]["config"]
    small = {**config, "backbone": f"{NAME}/openai", "image_size": size}
    return load_weights(listing, small, file)
