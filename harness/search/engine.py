"""A trained method that is asked: stored weights, texts, and the images nearest to them.

Shapes: B items, M images of the gallery, D the width of the embedding, k candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from harness.errors import HarnessError
from harness.evaluation import as_encoded
from harness.method import Encoded, Method
from harness.metrics.nearest import find_largest
from harness.search.gallery import Floats, Gallery, Integers
from harness.search.hits import Answer, Hit
from harness.trained.method import Trained

# A query (D,) and how many -> their cosines (k,) and places in the order of ties (k,), best first.
FindNearest = Callable[[Floats, int], tuple[Floats, Integers]]


class Searcher:
    """A trained method and a gallery, ready to be asked."""

    def __init__(self, trained: Trained, gallery: Gallery, find: FindNearest | None = None) -> None:
        """`find` finds the nearest of `units_of` the gallery; without, all are scanned."""
        self._trained = trained
        self._gallery = gallery
        self._find = find or partial(_scan, torch.from_numpy(units_of(gallery)))

    @torch.no_grad()
    def ask(self, text: str, top: int) -> Answer:
        """Return the `top` images of the gallery that fit a text best.

        They are ordered as a run is scored: by cosine, then in the gallery's order of ties; where
        the method re-scores, its first candidates are in the order that it gives them. An index
        may find others, or fewer.

        Raises:
            HarnessError: the method fails on the text.
        """
        try:
            query = torch.from_numpy(self._trained.encode_texts([text]))  # (1, D)
            candidates = self._candidates()
            cosines, found = self._find(_units(query)[0].numpy(), max(top, candidates))
            cosine_of = dict(zip(found.tolist(), cosines.tolist(), strict=True))
            found[:candidates] = self._rescored(text, query, np.sort(found[:candidates]))
            found = found[:top]  # (k,) places in the order of ties
            rows = self._gallery.order[found]
        except HarnessError:
            raise
        except Exception as error:  # of a plugin's code: without a common base
            told = f"{type(error).__name__}: {error}"
            raise HarnessError(f"The method fails on {text!r}: {told}") from error
        hits = [
            Hit(rank, row, self._gallery.names[row], cosine_of[place], rank <= candidates)
            for rank, (row, place) in enumerate(
                zip(rows.tolist(), found.tolist(), strict=True), start=1
            )
        ]
        return Answer(text, tuple(hits))

    def _candidates(self) -> int:
        """Return how many images of a text get a second look."""
        rescores = type(self._trained.method).rescore is not Method.rescore
        return min(self._trained.recipe.candidates, len(self._gallery.names)) if rescores else 0

    def _rescored(self, text: str, query: Tensor, places: Integers) -> Integers:
        """Order candidates (k,), which stand in the order of ties, by the method's own scores."""
        if not len(places):
            return places
        from harness.evaluation.rescoring import Items, rescored_chunks

        method, device = self._trained.method, self._trained.device
        rows = self._gallery.order[places]

        def tokens(picked: Tensor) -> Encoded:
            pixels = self._gallery.pixels(rows[picked.numpy()])
            return as_encoded(method.encode_images(torch.as_tensor(pixels).to(device)))

        texts = Items(lambda _: as_encoded(method.encode_texts([text])), 1)
        images = Items(tokens, len(rows))
        gallery = torch.from_numpy(self._gallery.embeddings[rows])
        chunks = rescored_chunks(
            method,
            query.to(device),
            gallery.to(device),
            texts,
            images,
            len(rows),
            np.arange(len(rows)),
        )
        [scores] = np.concatenate(list(chunks))  # (k,)
        return places[np.argsort(-scores, kind="stable")]


def units_of(gallery: Gallery) -> Floats:
    """Return the embeddings of a gallery (M, D) of length one, in its order of ties."""
    return _units(torch.from_numpy(gallery.embeddings[gallery.order])).numpy()


def _scan(units: Tensor, query: Floats, count: int) -> tuple[Floats, Integers]:
    """Return the largest cosines (k,) of all rows (M, D) with a query (D,), and their places."""
    cosines = (units @ torch.from_numpy(query)).numpy()  # (M,)
    found = find_largest(cosines, count)
    return cosines[found], found


def _units(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1, eps=1e-12)
