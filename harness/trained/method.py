"""A method with the weights of a run: stored texts and images are never executed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import registry
from harness.errors import HarnessError
from harness.evaluation import as_encoded
from harness.method import Encoded, Method, Recipe, Supervision, TrainSummary
from harness.progress import Show
from harness.registry.settings import build
from harness.results import RunRecord, StoredRun
from harness.trained.chosen_run import weights_file
from harness.training.building import build_method
from harness.training.checkpoints import load_state

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]  # (B, 3, H, W)


@dataclass(frozen=True)
class Trained:
    """A method with the weights of a run."""

    method: Method
    recipe: Recipe
    device: torch.device

    @torch.no_grad()
    def encode_images(self, images: Images) -> Floats:
        """(B, 3, H, W) -> (B, D)."""
        encoded = self.method.encode_images(torch.from_numpy(images).to(self.device))
        return self._embeddings(encoded, len(images), "encode_images")

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """B texts -> (B, D)."""
        return self._embeddings(self.method.encode_texts(texts), len(texts), "encode_texts")

    def _embeddings(self, encoded: Tensor | Encoded, count: int, function: str) -> Floats:
        embedding = as_encoded(encoded).embedding
        if embedding.ndim != 2 or len(embedding) != count:
            shape = tuple(embedding.shape)
            raise HarnessError(
                f"{function} must return ({count}, D) for {count} items, got {shape}"
            )
        return refuse_broken(embedding.float().cpu().numpy())


def load_trained(run: StoredRun, plugin: registry.Plugin, show: Show) -> Trained:
    """Build the method of a run from its config and load its weights; nothing stored is executed.

    Raises:
        HarnessError: the method cannot be built from what is stored, or its weights do not fit.
    """
    record = run.record
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        recipe = build(Recipe, record.recipe)
        summary = summary_of(record, show)
        method = build_method(record.method, plugin, record.config, record.seed, summary)
    except (TypeError, ValueError, KeyError) as error:
        raise _unfit(run, "its settings", error) from error
    if recipe.stages:
        _load_weights(method, weights_file(run), run)
    return Trained(method.to(device).eval(), recipe, device)


def _load_weights(method: Method, file: Path, run: StoredRun) -> None:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise HarnessError(
            f"The weights {file} cannot be read: they are damaged, or no weights. `harness verify` "
            f"tells more; this trains them again: {run.record.command} --force"
        ) from error
    try:
        load_state(method, state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise _unfit(run, "its weights", error) from error


def _unfit(run: StoredRun, what: str, error: Exception) -> HarnessError:
    reason = " ".join(str(error).split())[:300]
    return HarnessError(
        f"The run {run.path} cannot be used: {what} do not fit the code of {run.record.method} "
        f"that is here ({type(error).__name__}: {reason}). Train it again: {run.record.command}"
    )


def summary_of(record: RunRecord, show: Show) -> TrainSummary:
    """Return what a method may know of the data that it was trained on.

    The record tells the counts. A method that reads the captions themselves needs the dataset.
    """
    from harness.trained.split import read_training_captions

    nobody = {"images": 0, "captions": 0, "identities": 0}  # a test split alone
    counts = record.data["counts"].get("train", nobody)
    known = record.supervision == Supervision.IDENTITY
    return TrainSummary(
        image_count=counts["images"],
        captions=_Captions(counts["captions"], lambda: read_training_captions(record, show)),
        person_count=counts["identities"] if known else None,
    )


class _Captions(Sequence[str]):
    """Captions of which the number is known, read when one of them is asked for."""

    def __init__(self, count: int, read: Callable[[], Sequence[str]]) -> None:
        self._count = count
        self._read = read

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._texts[index]

    @cached_property
    def _texts(self) -> Sequence[str]:
        return self._read()


def refuse_broken(embeddings: Floats) -> Floats:
    """Refuse embeddings that are not finite.

    Raises:
        HarnessError: naming how many.
    """
    if broken := int((~np.isfinite(embeddings).all(axis=1)).sum()):
        raise HarnessError(f"The method gives {broken} embeddings that hold NaN or infinity.")
    return embeddings
