"""Weights from elsewhere: what goes wrong when they are fetched or read, in words that help.

The libraries that load them (open_clip, timm, transformers, torch.hub) execute nothing that a
file holds and compare every name, transformers without refusing; what they say of a failure
differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from harness.data.downloads import HubFiles
from harness.errors import HarnessError
from harness.method import Download

LONGEST_REASON = 600  # characters; a state dict of another model lacks hundreds of names
# Of a repository that transformers or timm reads; beside the words what else tokenizers look for.
WEIGHT_FILES = "model.safetensors", "pytorch_model.bin"  # the first that is there
WORD_FILES = "tokenizer.json", "vocab.txt", "vocab.json"
BESIDE_FILES = (
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt",
    *WORD_FILES,
)  # fmt: skip
FITS_NOT = "Missing key", "Unexpected key", "size mismatch", "state_dict"


@contextmanager
def loading(weights: str) -> Iterator[None]:
    """Turn whatever a library raises while it loads weights into one message.

    Raises:
        HarnessError: the weights cannot be had or are not this model's; the message says what to
            do.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # of the hub, of HTTP, of the disk, of pickle: without common base
        reason = error.__cause__ if isinstance(error.__cause__, UnpicklingError) else error
        raise HarnessError(
            f"The weights {weights} cannot be loaded: {_shortened(reason)}. {_advice(reason)}"
        ) from error


def bert_downloads(name: str, is_pretrained: bool = True) -> list[Download]:
    """Return what transformers fetches for a relative of BERT by its name; of a folder nothing."""
    if Path(name).is_dir():
        return []
    weights = (WEIGHT_FILES,) if is_pretrained else ()
    return [HubFiles(name, (("config.json",), WORD_FILES, *weights), BESIDE_FILES)]


def refuse_other_weights(
    weights: str, told: Mapping[str, Collection[Any]], unused: Collection[str]
) -> None:
    """Refuse weights that are not a model's, where transformers would only warn.

    `told` is what `from_pretrained` says of a loading, told to ignore other shapes; `unused` are
    parts that the weights are published with and that are left aside.

    Raises:
        HarnessError: a name is missing, or of another shape, or the model has none such.
    """
    besides = [name for name in told["unexpected_keys"] if not set(name.split(".")) & set(unused)]
    kinds = {
        "they lack": told["missing_keys"],
        "they have besides": besides,
        "of another shape are": [name for name, *_ in told["mismatched_keys"]],
    }
    reasons = [
        f"{kind} {', '.join(sorted(names)[:5])}{' and more' if len(names) > 5 else ''}"
        for kind, names in kinds.items()
        if names
    ]
    if reasons:
        raise HarnessError(f"The weights {weights} are another model's: {'; '.join(reasons)}.")


def _shortened(error: Exception) -> str:
    # torch says first how to run what it refused to.
    told = str(error).rpartition("WeightsUnpickler error:")[2]
    reason = " ".join(told.split()).rstrip(".") or type(error).__name__
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."


def _advice(error: Exception) -> str:
    if isinstance(error, UnpicklingError) or "custom code" in str(error):
        return (
            "A file may hold tensors alone: code in it is never run. Where you trust it, load it "
            "yourself and save its tensors as safetensors."
        )
    if any(words in str(error) for words in FITS_NOT):
        return "They are another model's, or another version's of it."
    return (
        "They are fetched once and stay in $HF_HOME or $TORCH_HOME: call again with a network and "
        "without HF_HUB_OFFLINE; where they are gated or private, sign in with `hf auth login`. "
        "A file of your own is named in the place of the tag, as in MODEL/FILE."
    )
