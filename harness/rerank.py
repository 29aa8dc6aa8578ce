"""Re-ranking: other scores from the embeddings of a trained method, by the neighbours they share.

A re-ranking is a frozen dataclass of its settings; `str` gives the name by which
`parse_reranking` finds it again. What it returns is for `harness.metrics.score_rows`.

Shapes: Q queries, G gallery rows, D the width of an embedding, c the queries of one block.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from harness.errors import HarnessError, unknown
from harness.metrics.counting import Floats
from harness.metrics.neighbours import cosine_chunks, nearest_rows, top_rows, unit_features
from harness.metrics.overlap import add_overlaps, rows_from, transpose, uniform_rows
from harness.metrics.reciprocal import encode

ROUNDING = np.float32(1e-6)  # squared distances below it are errors of float32


@dataclass(frozen=True)
class Reranking(ABC):
    """How embeddings are scored. Creating one outside its ranges raises HarnessError."""

    name: ClassVar[str]
    ranges: ClassVar[dict[str, tuple[float, float]]]  # of every setting, both ends included

    def __post_init__(self) -> None:
        for setting, (lowest, highest) in self.ranges.items():
            value = getattr(self, setting)
            if not lowest <= value <= highest or math.isinf(value):
                bounds = f"at least {lowest}" + f" and at most {highest}" * (highest < math.inf)
                raise HarnessError(f"{self.name}: {setting} must be {bounds}; got {value}.")

    @abstractmethod
    def __call__(self, queries: Tensor, gallery: Tensor) -> Iterator[Floats]:
        """Score embeddings (Q, D) and (G, D): chunks (c, G) of float32 that cover the queries.

        A higher score ranks first. Neighbours are found in the call, on as many threads as torch
        uses; each chunk is scored when it is asked for.

        Raises ValueError for empty inputs, shapes that do not fit, and features not finite.
        """

    def __str__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return ":".join([self.name, ",".join(changed)] if changed else [self.name])


@dataclass(frozen=True)
class KReciprocal(Reranking):
    """k-reciprocal encoding, over queries and gallery together: queries depend on each other.

    Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding",
    CVPR 2017, https://arxiv.org/abs/1701.08398.

    The score is minus (1 - w) times the Jaccard distance of the rows' encodings, minus w times the
    squared distance |q - g|^2 / max_x |q - x|^2 of unit embeddings, x any query or gallery row. It
    is the cosine where no neighbours are asked for (k1 is 0) or they weigh nothing (w is 1).
    """

    name = "k-reciprocal"
    ranges = {"k1": (0, math.inf), "k2": (1, math.inf), "original_weight": (0.0, 1.0)}

    k1: int = 20  # neighbours that may be reciprocal
    k2: int = 6  # nearest rows whose encodings are averaged, oneself among them
    original_weight: float = 0.3  # w

    def __call__(self, queries: Tensor, gallery: Tensor) -> Iterator[Floats]:
        features = unit_features(queries, gallery)
        if self.k1 == 0 or self.original_weight == 1:
            return cosine_chunks(features.queries, features.gallery, _keep)
        nearest = nearest_rows(features.both, max(self.k1 + 1, self.k2))
        scale = np.reciprocal(np.maximum(2 - 2 * nearest.lowest, ROUNDING))  # (Q + G,)
        vectors = encode(features.both, nearest.rows, scale, self.k1, self.k2)
        holders = transpose(rows_from(vectors, features.queries.size), features.both.size)
        jaccard_weight = np.float32(1 - self.original_weight)
        factors = np.float32(2 * self.original_weight) * scale[:, None]  # (Q + G, 1)

        def change(start: int, block: Floats) -> None:
            block -= 1
            block *= factors[start : start + len(block)]
            block -= jaccard_weight
            add_overlaps(block, vectors, start, holders, jaccard_weight)

        return cosine_chunks(features.queries, features.gallery, change)


@dataclass(frozen=True)
class VisualNeighbours(Reranking):
    """Visual-neighbour voting: gallery images that a query and an image have for neighbours.

    Gao et al., "Contextual Non-Local Alignment over Full-Scale Representation for Text-Based Person
    Search", 2021, https://arxiv.org/abs/2101.03036.

    The score is s(q, g) + weight * |N(q) & N(g)| / |N(q) | N(g)|, where s is the cosine and N the
    `nearest` gallery images, of g itself among them. It is the cosine where either setting is 0.
    """

    name = "visual-neighbours"
    ranges = {"nearest": (0, math.inf), "weight": (0.0, math.inf)}

    nearest: int = 5
    weight: float = 1.0

    def __call__(self, queries: Tensor, gallery: Tensor) -> Iterator[Floats]:
        features = unit_features(queries, gallery)
        if self.nearest == 0 or self.weight == 0:
            return cosine_chunks(features.queries, features.gallery, _keep)
        size, weight = features.gallery.size, np.float32(self.weight)
        neighbours = nearest_rows(features.gallery, self.nearest).rows  # (G, nearest)
        voters = transpose(uniform_rows(neighbours), size)

        def change(start: int, block: Floats) -> None:
            own = uniform_rows(top_rows(block, size, self.nearest))
            add_overlaps(block, own, 0, voters, weight)

        return cosine_chunks(features.queries, features.gallery, change)


RERANKINGS: dict[str, type[Reranking]] = {one.name: one for one in (KReciprocal, VisualNeighbours)}


def parse_reranking(text: str) -> Reranking:
    """Return a re-ranking by name, with settings where some follow: name:setting=value,...

    Raises:
        HarnessError: a name or setting does not exist, or a value does not fit.
    """
    name, colon, listed = text.partition(":")
    if name not in RERANKINGS:
        raise unknown("re-ranking", name, RERANKINGS)
    known = {field.name: field for field in fields(RERANKINGS[name])}
    settings: dict[str, Any] = {}
    for part in listed.split(",") if colon else []:
        setting, _, value = part.partition("=")
        if setting not in known:
            raise unknown(f"setting of {name}", setting, known)
        if setting in settings:
            raise HarnessError(f"{text}: {setting} is given twice.")
        settings[setting] = _value(text, known[setting], value)
    return RERANKINGS[name](**settings)


def _value(text: str, field: Field[Any], value: str) -> int | float:
    """Read a value as the kind of the setting's default."""
    kind = int if isinstance(field.default, int) else float
    try:
        return kind(value)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise HarnessError(f"{text}: {field.name} must be {wanted}; got {value!r}.") from None


def _keep(start: int, block: Floats) -> None:
    """Leave cosines as they are."""
