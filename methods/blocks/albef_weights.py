"""ALBEF's weights as published: where they lie, and where each of them belongs here.

Li et al., "Align before Fuse: Vision and Language Representation Learning with Momentum
Distillation", NeurIPS 2021. https://arxiv.org/abs/2107.07651 The files hold what the training of
https://github.com/salesforce/ALBEF goes on from: beside the model the momentum copies, the queues
and the temperature.

Shapes: Q slots of a queue, E the width of the joint space.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

State = dict[str, Tensor]

# The weights as published, after pre-training and after fine-tuning on COCO for retrieval.
PUBLISHED = {
    "albef": "https://storage.googleapis.com/sfr-pcl-data-research/ALBEF/ALBEF.pth",
    "coco": "https://storage.googleapis.com/sfr-pcl-data-research/ALBEF/mscoco.pth",
}
TEXT_LAYERS = 6  # of BERT's twelve; the others fuse
KEPT = ("image_queue", "text_queue", "queue_ptr", "temp")  # beside the model and its copies
# What names begin with here: of the model's encoders, their momentum copies, its masked-word head.
ENCODER, MOMENTUM, HEAD = "encoder.", "momentum.", "masked_word_head."

_PLACES = {
    "visual_encoder": "encoder.visual",
    "vision_proj": "encoder.vision_proj",
    "text_proj": "encoder.text_proj",
    "itm_head": "matching_head",
}


@dataclass(frozen=True)
class Published:
    """What a file holds, under the names that weights have here."""

    model: State
    momentum: State  # of the encoders' momentum copies
    images: Tensor  # (Q, E) features of the queue, the oldest first
    texts: Tensor  # (Q, E)
    temperature: float


def is_published(folder: str) -> bool:
    """Tell whether a folder holds published weights; without a folder they come from the web."""
    return not folder or any((Path(folder) / _file_name(key)).is_file() for key in PUBLISHED)


def read_published(weights: str, folder: str) -> Published:
    """Read the weights "albef" or "coco" from a folder, or without one from the web.

    The file fine-tuned on COCO has no masked-word head, which retrieval does not use: the head is
    that of the pre-trained file. Nothing that a file holds is executed.

    Raises:
        Exception: whatever torch raises where a file cannot be had or read.
        RuntimeError: queues or temperature are missing; the message names them.
    """
    state = _read(weights, folder)
    if weights != "albef":
        first = _read("albef", folder)
        state |= {name: first[name] for name in first if name.startswith(HEAD)}
    if missing := [name for name in KEPT if name not in state]:
        raise RuntimeError(f"Missing key(s) in state_dict: {', '.join(missing)}")
    images, texts, pointer, temperature = (state.pop(name) for name in KEPT)
    copies = [name for name in state if name.startswith(MOMENTUM)]
    momentum = {name.removeprefix(MOMENTUM): state.pop(name) for name in copies}
    return Published(
        state,
        momentum,
        oldest_first(images, pointer),
        oldest_first(texts, pointer),
        float(temperature),
    )


def oldest_first(queue: Tensor, pointer: Tensor) -> Tensor:
    """Return a published queue, whose next feature would replace the oldest, at the pointer.

    (E, Q), (1,) -> (Q, E).
    """
    return queue.roll(-int(pointer), dims=1).T.contiguous()  # (Q, E)


def rename(name: str) -> str | None:
    """Return the name of a published weight here; None for what is not used.

    Of the momentum copies those of the encoders are: the copies of the fusion layers and of the
    masked-word head distil masked words, which no method here does.
    """
    if name == "idx_queue":
        return None  # the images of another dataset, by numbers that mean others here
    name = re.sub(r"^text_encoder(_m)?\.bert\.", r"text_encoder\1.", name)
    part, _, rest = name.partition(".")
    if rest == "embeddings.position_ids":
        return None  # a count from 0, which transformers no longer stores
    if part.endswith("_m"):
        mine = _place(part.removesuffix("_m"), rest)
        return MOMENTUM + mine.removeprefix(ENCODER) if mine.startswith(ENCODER) else None
    return _place(part, rest)


def _place(part: str, rest: str) -> str:
    """Return where a weight of a part belongs; an unknown part keeps its name."""
    if part in _PLACES:
        return f"{_PLACES[part]}.{rest}"
    if part != "text_encoder":
        return f"{part}.{rest}" if rest else part
    if rest.startswith("encoder.layer."):
        number, _, inner = rest.removeprefix("encoder.layer.").partition(".")
        if int(number) < TEXT_LAYERS:
            return f"encoder.layers.{number}.{inner}"
        return f"fusion.layers.{int(number) - TEXT_LAYERS}.{inner}"
    if rest.startswith("embeddings."):
        return f"encoder.{rest}"
    if rest.startswith("cls.predictions."):
        return HEAD + rest.removeprefix("cls.predictions.")
    return f"{part}.{rest}"


def _read(key: str, folder: str) -> State:
    """Read a published file, which may hold a training's state around that of the model."""
    if folder:
        state = torch.load(Path(folder) / _file_name(key), map_location="cpu", weights_only=True)
    else:
        state = torch.hub.load_state_dict_from_url(
            PUBLISHED[key], map_location="cpu", weights_only=True
        )
    model = dict(state.get("model", state))
    return {mine: value for name, value in model.items() if (mine := rename(name))}


def _file_name(key: str) -> str:
    return PUBLISHED[key].rpartition("/")[2]
