"""Small models laid out as the published ones, and a process that loads them by name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from torch import Tensor
from transformers import BertConfig, BertForPreTraining, RobertaConfig, RobertaForMaskedLM

from ...hub.caller import Caller

# Loads what each line of its input names, and answers in a line; the weights go to a file.
LOADER = """
import json, sys, time

time.sleep = lambda seconds: None  # the hub's client waits, up to 23 s, before it tries again

from harness.compatibility import mend_torchvision

mend_torchvision()
import open_clip
import torch
from open_clip import pretrained

from harness.errors import HarnessError
from methods.blocks.albef import load_albef
from methods.blocks.backbones import encoder_downloads, load_encoder
from methods.blocks.word_fillers import filler_downloads, load_filler

open_clip.add_model_config("small.json")
pretrained._PRETRAINED["small"] = {
    "published": pretrained._pcfg(hf_hub="someone/clip/"),
    "withdrawn": pretrained._pcfg(),
}


def load(kind, name, size):
    if kind == "fetch":
        found = filler_downloads(name) if name == "someone/roberta" else encoder_downloads(name)
        assert found and not any(one.is_here() for one in found) and all(o.size() for o in found)
        for one in found:
            one.fetch(lambda what, done, total: None)
        assert all(one.is_here() for one in found)
        return torch.nn.Module()
    if kind == "encoder":
        return load_encoder(name, tuple(size))
    if kind == "albef":
        return load_albef(name, "albef", tuple(size)).model
    filler = load_filler(name, torch.device("cpu"))
    filler.fill([("a man in a ", " coat")])
    return filler._model


for line in sys.stdin:
    try:
        torch.save(load(*json.loads(line)).state_dict(), "loaded.pt")
        told = ""
    except (HarnessError, ValueError) as error:
        told = f"{type(error).__name__}: {error}"
    print(json.dumps(told), flush=True)
"""

State = dict[str, Tensor]
Size = tuple[int, int]  # height, width

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 32, "patch_size": 8, "width": 32, "head_width": 16, "layers": 1
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}  # fmt: skip
PYTORCH = {"format": "pt"}  # what transformers wants to read in a file of safetensors
VIT, TAG = "vit_tiny_patch16_224", "augreg_in21k_ft_in1k"
SQUARE = (224, 224)
NARROW: dict[str, Any] = {
    "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """Weights on the hub, and what loads them."""

    repository: str
    file: str
    told: str  # how a message names the weights
    part: str  # one of them
    name: str  # what is loaded
    size: Size = SQUARE
    kind: str = "encoder"


PAIR = f"{VIT}.{TAG}+someone/bert"
MODELS = {
    "vit": Model(f"timm/{VIT}.{TAG}", "model.safetensors", f"{VIT}.{TAG}",
                 "blocks.3.mlp.fc1.bias", PAIR),
    "bert": Model("someone/bert", "model.safetensors", "someone/bert",
                  "bert.encoder.layer.0.output.dense.weight", PAIR),
    "clip": Model("someone/clip", "open_clip_model.safetensors", "small/published",
                  "visual.ln_pre.weight", "small/published", (32, 32)),
    "roberta": Model("someone/roberta", "model.safetensors", "someone/roberta",
                     "lm_head.dense.bias", "someone/roberta", SQUARE, "filler"),
}  # fmt: skip
PICKLED = {
    "model.safetensors": "pytorch_model.bin",
    "open_clip_model.safetensors": "open_clip_pytorch_model.bin",
}


def drawn(model: Any) -> Any:
    """Return a model whose weights are all random, so that none is right by chance."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.normal_(generator=generator)
    return model


def vit_weights() -> State:
    """Return weights of a small ViT under timm's names, for 1000 classes."""
    return dict(drawn(timm.create_model(VIT)).state_dict())


def clip_weights() -> State:
    """Return weights of a small CLIP under OpenAI's names."""
    return dict(drawn(CLIP(**SMALL)).state_dict())


def write_bert(folder: Path) -> None:
    """Write a small BERT: with heads, and with the first names of a norm's weights."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "in", "red", "coat"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    config = BertConfig(vocab_size=len(words), **NARROW)
    drawn(BertForPreTraining(config)).save_pretrained(folder)
    state = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
        for name, value in load_file(folder / "model.safetensors").items()
    }
    save_file(state, folder / "model.safetensors", PYTORCH)


def write_roberta(folder: Path) -> None:
    """Write a small RoBERTa: with a pooler that its head does not use, and with positions."""
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        ["a man in a red coat"] * 3, vocab_size=300, special_tokens=special, show_progress=False
    )
    tokenizer.save_model(str(folder))
    config = RobertaConfig(vocab_size=tokenizer.get_vocab_size(), **NARROW)
    drawn(RobertaForMaskedLM(config)).save_pretrained(folder)
    state = load_file(folder / "model.safetensors") | {
        "roberta.embeddings.position_ids": torch.arange(64)[None],
        "roberta.pooler.dense.weight": torch.zeros(24, 24),
        "roberta.pooler.dense.bias": torch.zeros(24),
    }
    save_file(state, folder / "model.safetensors", PYTORCH)


class Loader:
    """A process on a machine of its own that loads weights by name, one after the other."""

    def __init__(self, caller: Caller, **variables: str) -> None:
        self.hub, self.home = caller.hub, caller.home
        (self.home / "small.json").write_text(json.dumps(SMALL))
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOADER], cwd=self.home,
            # Several threads only wait for each other on what is this small.
            env=caller.environment(OMP_NUM_THREADS="1", **variables),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def load(self, name: str, size: Size = SQUARE, kind: str = "encoder") -> State:
        """Return the weights that a name stands for."""
        assert self._tell(kind, name, size) == ""
        state: State = torch.load(self.home / "loaded.pt", weights_only=True)
        return state

    def refusal(self, name: str, size: Size = SQUARE, kind: str = "encoder") -> str:
        """Return what is told of weights that cannot be loaded."""
        told = self._tell(kind, name, size)
        assert told, f"{name} was loaded"
        return told

    def all(self) -> dict[str, State]:
        """Return the weights of all models."""
        return {key: self.load(one.name, one.size, one.kind) for key, one in MODELS.items()}

    def forget(self) -> None:
        """Empty its cache."""
        shutil.rmtree(self.home / "huggingface", ignore_errors=True)

    def _tell(self, *called: object) -> str:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(called), file=self._process.stdin, flush=True)
        told: str = json.loads(self._process.stdout.readline())
        return told
