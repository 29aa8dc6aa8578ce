"""A trained method that is asked: stored weights, texts, and the images nearest to them.

Shapes: B items, M images of the gallery, D the width of the embedding, k candidates.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from harness import registry
from harness.errors import HarnessError
from harness.method import Encoded, Method, Recipe, Supervision, TrainSummary
from harness.registry.description import build
from harness.results import RunRecord, StoredRun
from harness.search.gallery import Floats, Gallery, Images, Integers, Show, refuse_broken
from harness.search.hits import Answer, Hit
from harness.seeding import seed_everything
from harness.trained.choice import weights_file


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
        embedding = _as_encoded(encoded).embedding
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
        registration = registry.load_method(record.method, plugin)
        config = build(registration.method.config_class, record.config)
        recipe = build(Recipe, record.recipe)
        seed_everything(record.seed, "weights")  # of what is not trained, too
        method = registration.method(config, summary_of(record, show))
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
        method.load_state_dict(state)
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

    counts = record.data["counts"]["train"]
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


def find_largest(values: Floats, count: int) -> Integers:
    """Return the places of the `count` largest of (M,), best first; of equal ones the first."""
    count = min(count, len(values))
    least = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= least)  # (count or more,), where several are equal to it
    return places[np.argsort(-values[places], kind="stable")][:count]  # (count,)


class Searcher:
    """A trained method and a gallery, ready to be asked."""

    def __init__(self, trained: Trained, gallery: Gallery) -> None:
        self._trained = trained
        self._gallery = gallery
        self._units = _units(torch.from_numpy(gallery.embeddings))  # (M, D)

    @torch.no_grad()
    def ask(self, text: str, top: int) -> Answer:
        """Return the `top` images of the gallery that fit a text best.

        They are ordered as a run is scored: by cosine, then by row; where the method re-scores,
        its first candidates are in the order that it gives them.

        Raises:
            HarnessError: the method fails on the text.
        """
        try:
            query = torch.from_numpy(self._trained.encode_texts([text]))  # (1, D)
            cosines = (self._units @ _units(query)[0]).numpy()  # (M,)
            candidates = self._candidates()
            found = find_largest(cosines, max(top, candidates))  # (k,)
            found[:candidates] = self._rescored(text, query, np.sort(found[:candidates]))
            found = found[:top]
        except HarnessError:
            raise
        except Exception as error:  # of a plugin's code: without a common base
            told = f"{type(error).__name__}: {error}"
            raise HarnessError(f"The method fails on {text!r}: {told}") from error
        hits = [
            Hit(rank, row, self._gallery.names[row], cosine, rank <= candidates)
            for rank, (row, cosine) in enumerate(
                zip(found.tolist(), cosines[found].tolist(), strict=True), start=1
            )
        ]
        return Answer(text, tuple(hits))

    def _candidates(self) -> int:
        """Return how many images of a text get a second look."""
        rescores = type(self._trained.method).rescore is not Method.rescore
        return min(self._trained.recipe.candidates, len(self._gallery.names)) if rescores else 0

    def _rescored(self, text: str, query: Tensor, rows: Integers) -> Integers:
        """Order candidates (k,), which stand in the gallery's order, by the method's own scores."""
        if not len(rows):
            return rows
        from harness.evaluation.rescoring import Items, rescored_chunks

        method, device = self._trained.method, self._trained.device

        def tokens(picked: Tensor) -> Encoded:
            pixels = self._gallery.pixels(rows[picked.numpy()])
            return _as_encoded(method.encode_images(torch.as_tensor(pixels).to(device)))

        texts = Items(lambda _: _as_encoded(method.encode_texts([text])), 1)
        images = Items(tokens, len(rows))
        gallery = torch.from_numpy(self._gallery.embeddings[rows])
        chunks = rescored_chunks(
            method, query.to(device), gallery.to(device), texts, images, len(rows)
        )
        [scores] = np.concatenate(list(chunks))  # (k,)
        return rows[np.argsort(-scores, kind="stable")]


def _as_encoded(encoded: Tensor | Encoded) -> Encoded:
    return Encoded(encoded) if isinstance(encoded, Tensor) else encoded


def _units(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1, eps=1e-12)
