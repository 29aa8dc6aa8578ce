"""The embeddings of a split on disk, beside the weights that made them.

A run's folder is keyed by content, so what lies in it needs no key but the dataset's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from harness.data.schema import Split
from harness.files import process_tag
from harness.results import EMBEDDINGS


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of a split's items, and what an item cost."""

    images: Tensor  # (M, D)
    texts: Tensor  # (N, D)
    image_milliseconds: float
    text_milliseconds: float


def embeddings_path(run: Path, fingerprint: str) -> Path:
    """Return the file of a run that holds its embeddings of the test split of a dataset."""
    return run / EMBEDDINGS / f"{fingerprint[:24]}.safetensors"


def write_embeddings(file: Path, embeddings: Embeddings) -> None:
    """Write embeddings as safetensors; the file is whole or absent."""
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    tensors = {"images": embeddings.images, "texts": embeddings.texts}
    cost = {
        "image_milliseconds": repr(embeddings.image_milliseconds),
        "text_milliseconds": repr(embeddings.text_milliseconds),
    }
    save_file({name: t.cpu().contiguous() for name, t in tensors.items()}, unfinished, cost)
    unfinished.replace(file)


def read_embeddings(file: Path, split: Split) -> Embeddings | None:
    """Read embeddings; None where there are none of as many items as the split has."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as stored:
            images, texts = stored.get_tensor("images"), stored.get_tensor("texts")
            about = stored.metadata()
            cost = float(about["image_milliseconds"]), float(about["text_milliseconds"])
    except (OSError, SafetensorError, TypeError, KeyError, ValueError):
        return None
    if (len(images), len(texts)) != (len(split.image_ids), len(split.captions)):
        return None
    return Embeddings(images, texts, *cost)
