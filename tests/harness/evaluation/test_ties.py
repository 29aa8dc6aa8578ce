"""Ties break by the order that a dataset's fingerprint draws, and who hangs on one is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import evaluation, metrics
from harness.data.schema import Split
from harness.evaluation import Features
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.method import Encoded
from harness.rerank import KReciprocal, VisualNeighbours
from harness.tie_order import tie_order

from .scores_of_ranks import Crossing

DRAWS = 400
COUNTS = (2, 3, 4, 5) * 5  # images of each person, whose rows follow each other
METRICS = ("r1", "r5", "r10", "map", "minp")


class Scoring(Crossing):
    """Scores a pair by the remainder of its rows."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert images.tokens is not None
        rows = texts.tokens[:, 0, 0] + 3 * images.tokens[image_of_text, 0, 0]
        return rows % self.levels


def make_split(fingerprint: str) -> Split:
    """Return people of two to five images and one caption an image, in the order of people."""
    people = np.repeat(np.arange(len(COUNTS)), COUNTS)
    rows = np.arange(len(people))
    ids = tuple(map(str, rows))
    return Split("test", lambda row: b"", ids, ids, rows, people, fingerprint=fingerprint)


def make_features(images: Tensor, texts: Tensor) -> Features:
    """Return features whose only token is their row."""

    def items(embeddings: Tensor) -> Items:
        def encode(rows: Tensor) -> Encoded:
            return Encoded(embeddings[rows], rows[:, None, None].float())

        return Items(encode, len(embeddings))

    embeddings = Embeddings(images, texts, 0.0, 0.0)
    return Features(embeddings, Encoded(images), Encoded(texts), items(images), items(texts))


def constant_features() -> Features:
    """Return what an encoder that has collapsed makes."""
    one = torch.linspace(-1, 2, 7).expand(sum(COUNTS), 7)
    return make_features(one, one)


def chance() -> dict[str, float]:
    """Return the expectation of each figure, in percent, over all orders of the gallery.

    A hit is equally likely at every rank. Two of them: at ranks i and j with P (P - 1) / G (G - 1).
    """
    gallery = sum(COUNTS)
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for count in COUNTS:
        precision = [
            (1 + (rank - 1) * (count - 1) / (gallery - 1)) / rank for rank in range(1, gallery + 1)
        ]
        last = [comb(rank - 1, count - 1) / rank for rank in range(count, gallery + 1)]
        for k in (1, 5, 10):
            missed = comb(gallery - count, k) / comb(gallery, k)
            found[f"r{k}"] += [1 - missed] * count  # as many captions as images
        found["map"] += [sum(precision) / gallery] * count
        found["minp"] += [count * sum(last) / comb(gallery, count)] * count
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


SCORERS: dict[str, Any] = {
    "text to image": lambda features, split: evaluation.score_text_to_image(
        Scoring(1), features, split
    ),
    "image to text": evaluation.score_image_to_text,
    "re-scored": lambda features, split: evaluation.score_text_to_image(
        Scoring(1), features, split, candidates=7
    ),
    "k-reciprocal": lambda features, split: evaluation.score_reranked(
        KReciprocal(), features, split
    ),
    "visual neighbours": lambda features, split: evaluation.score_reranked(
        VisualNeighbours(), features, split
    ),
}


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_constant_encoder_scores_as_chance(scorer: str) -> None:
    """Over fingerprints, each of the five figures is what a random order of the gallery gives.

    Within three standard errors of their mean, as 99.7 % of all means are.
    """
    features = constant_features()
    fingerprints = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(DRAWS)]
    found = []
    for fingerprint in fingerprints:
        scores = SCORERS[scorer](features, make_split(fingerprint))
        assert scores.tied.all()
        found.append(metrics.summarize(scores))
    for name, expected in chance().items():
        values = np.array([figures[name] for figures in found])
        error = values.std(ddof=1) / np.sqrt(DRAWS)
        assert abs(values.mean() - expected) < 3 * error, name


def reference(rows: Any, split: Split) -> tuple[list[list[int]], list[bool]]:
    """Return the gallery of each caption in rank order, sorted as a list, and who hangs on a tie.

    A query hangs on a tie where some two gallery rows score the same and one of them is right.
    """
    order = tie_order(split.fingerprint, "images", len(split.image_ids)).tolist()
    ranked, tied = [], []
    for row, person in zip(np.asarray(rows).tolist(), split.person_of_caption, strict=True):
        ranked.append(sorted(range(len(row)), key=lambda g: (-row[g], order.index(g))))
        right = [score for g, score in enumerate(row) if split.person_of_image[g] == person]
        wrong = [score for g, score in enumerate(row) if split.person_of_image[g] != person]
        tied.append(any(score in wrong for score in right))
    return ranked, tied


def check(scores: metrics.QueryScores, rows: Any, split: Split) -> None:
    """Compare ranks, top lists and ties with the reference."""
    ranked, tied = reference(rows, split)
    assert scores.top_rows.tolist() == [row[: scores.top_rows.shape[1]] for row in ranked]
    assert scores.tied.tolist() == tied
    people = split.person_of_image
    for ranks, row, person in zip(scores.hit_ranks, ranked, split.person_of_caption, strict=True):
        assert ranks.tolist() == [n for n, g in enumerate(row, 1) if people[g] == person]


@pytest.fixture
def split() -> Split:
    """Return a test split of 70 images and captions."""
    return make_split("fe" * 32)


def axes(rows: Sequence[int], width: int) -> Tensor:
    """Return unit vectors along axes: their cosines are 0 or 1, and tie often."""
    return torch.eye(width)[torch.tensor(rows) % width]


@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_ties_equal_the_reference(split: Split, width: int) -> None:
    """Cosines that tie often rank as a sorted list, both ways; rows are the dataset's."""
    draw = np.random.default_rng(width)
    images, texts = (axes(draw.integers(0, width, sum(COUNTS)), width) for _ in range(2))
    features = make_features(images, texts)
    scores = evaluation.score_text_to_image(Scoring(1), features, split, top=30)
    check(scores, texts @ images.T, split)
    order = tie_order(split.fingerprint, "captions", sum(COUNTS)).tolist()
    scores = evaluation.score_image_to_text(features, split, top=30)
    for row, found in zip((images @ texts.T).tolist(), scores.top_rows.tolist(), strict=True):
        assert found == sorted(range(len(row)), key=lambda g: (-row[g], order.index(g)))[:30]


@pytest.mark.parametrize("levels", [1, 2, 50])
@pytest.mark.parametrize("candidates", [1, 6, sum(COUNTS)])
def test_candidates_are_chosen_by_the_same_order(
    split: Split, levels: int, candidates: int
) -> None:
    """Who gets a second look where cosines tie, and who is first after it, the order decides."""
    draw = np.random.default_rng(levels)
    images, texts = (axes(draw.integers(0, 4, sum(COUNTS)), 4) for _ in range(2))
    method, features = Scoring(levels), make_features(images, texts)
    cosines = (texts @ images.T).numpy()
    ranked, _ = reference(cosines, split)
    rows = cosines.copy()
    for query, nearest in enumerate(ranked):
        for image in nearest[:candidates]:
            rows[query, image] = 10 + (query + 3 * image) % levels
    check(evaluation.score_text_to_image(method, features, split, candidates, 20), rows, split)


def test_without_ties_the_order_changes_nothing(split: Split) -> None:
    """Random embeddings score the same bits whatever fingerprint the dataset has."""
    torch.manual_seed(0)
    features = make_features(*torch.randn(2, sum(COUNTS), 16))
    for scorer in SCORERS.values():
        first, other = (scorer(features, replace(split, fingerprint=one)) for one in ("a", "b"))
        assert not first.tied.any() or scorer is SCORERS["re-scored"]
        if not first.tied.any():
            for name in ("average_precision", "hit_values", "top_rows", "top_scores", "tied"):
                np.testing.assert_array_equal(getattr(first, name), getattr(other, name))


def test_one_tie_is_one_query(split: Split) -> None:
    """Rows of one person may tie; a figure hangs on it where somebody else's ties with them."""
    scores = np.arange(float(sum(COUNTS) ** 2)).reshape(sum(COUNTS), -1)
    scores[0, :2] = -1  # both of the person
    scores[1, 1:3] = -1  # one of the person, one not
    scores[2, 20:40] = -1  # all of others
    ids = split.person_of_caption, split.person_of_image
    found = metrics.score_rows(scores, *ids)
    assert np.flatnonzero(found.tied).tolist() == [1]
