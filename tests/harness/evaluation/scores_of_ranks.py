"""Scores of made-up features, by this process or by one rank of several.

Called as `python scores_of_ranks.py OUT`, with torchrun's variables for several ranks. Every rank
writes what it has found to OUT and its number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.compatibility import mend_torchvision

mend_torchvision()

import numpy as np  # noqa: E402 (after the mend)
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import Tensor  # noqa: E402

from harness import distributed, evaluation  # noqa: E402
from harness.data.schema import Split  # noqa: E402
from harness.evaluation import Features, rescoring  # noqa: E402
from harness.evaluation.embeddings import Embeddings  # noqa: E402
from harness.evaluation.rescoring import Items  # noqa: E402
from harness.method import Config, Encoded, Method  # noqa: E402

PEOPLE, WIDTH, LENGTH = 350, 16, 5  # three images and five captions each: 1,050 and 1,750
CPU = torch.device("cpu")


class Crossing(Method):
    """Scores a pair by all products of its tokens."""

    def __init__(self) -> None:
        super().__init__(Config(), None)  # type: ignore[arg-type]  # a summary is not needed

    def encode_images(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def encode_texts(self, captions: Sequence[str]) -> Tensor:
        raise NotImplementedError

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert images.tokens is not None
        products = texts.tokens @ images.tokens[image_of_text].transpose(1, 2)  # (P, L, L)
        return products.sin().sum((1, 2))


class Hiding(Crossing):
    """Gives no finite score to one pair of all."""

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        found = super().rescore(texts, images, image_of_text)
        last = (texts.embedding == self.last).all(1)
        return found.masked_fill(last, torch.nan)

    last: Tensor


def make() -> tuple[Features, Split]:
    """Return features whose tokens differ in number, drawn from a fixed seed."""
    torch.manual_seed(0)
    images, texts = torch.randn(3 * PEOPLE, WIDTH), torch.randn(5 * PEOPLE, WIDTH)
    split = Split(
        "test", lambda row: b"", tuple(map(str, range(len(images)))), ("x",) * len(texts),
        np.arange(len(texts)) % len(images), np.arange(len(images)) % PEOPLE,
    )  # fmt: skip
    items = (_items(embeddings) for embeddings in (images, texts))
    found = Features(Embeddings(images, texts, 0.0, 0.0), Encoded(images), Encoded(texts), *items)
    return found, split


def _items(embeddings: Tensor) -> Items:
    tokens = torch.randn(len(embeddings), LENGTH, WIDTH)

    def encode(rows: Tensor) -> Encoded:
        lengths = rows % LENGTH + 1
        longest = int(lengths.max())
        mask = torch.arange(longest) < lengths[:, None]
        return Encoded(embeddings[rows], tokens[rows, :longest] * mask[..., None], mask)

    return Items(encode, len(embeddings))


def raised(method: Method, features: Features, split: Split, candidates: int = 0) -> str:
    """Return what scoring raises."""
    try:
        evaluation.score_text_to_image(method, features, split, candidates)
    except ValueError as error:
        return str(error)
    return ""


def find() -> dict[str, Any]:
    """Return scores of every kind, and the errors of broken features."""
    features, split = make()
    found = {
        "cosine": evaluation.score_text_to_image(Crossing(), features, split),
        "reverse": evaluation.score_image_to_text(features, split),
        "rescored": evaluation.score_text_to_image(Crossing(), features, split, 8),
    }
    rescoring.TOKEN_BYTES = 2**16  # several blocks of either
    found["blocks"] = evaluation.score_text_to_image(Crossing(), features, split, 8)
    hiding = Hiding()
    hiding.last = features.texts.embedding[-1]
    errors = {"pair": raised(hiding, features, split, 8)}
    features.texts.embedding[-1, 0] = torch.nan  # in the share of the last rank alone
    errors["query"] = raised(Crossing(), features, split)
    return {**{name: asdict(scores) for name, scores in found.items()}, **errors}


def main() -> None:
    """Write what is found."""
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    found = find()
    torch.save(found, Path(f"{sys.argv[1]}{distributed.rank_and_count()[0]}"))
    distributed.leave()


if __name__ == "__main__":
    main()
