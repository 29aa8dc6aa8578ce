"""Scores of handed features and similarities against those that the harness gives its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness import evaluation, metrics
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation import Features
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.handed_in.layout import GivenIds, Handed
from harness.handed_in.matching import Match
from harness.handed_in.scoring import Scored, score
from harness.method import Encoded, Method

from .conftest import Dumped

Array = NDArray[Any] | torch.Tensor


def quiet(what: str, done: int, total: int) -> None:
    """Show nothing."""


AS_THEY_ARE = Match(None, None, "", True)


def scored(
    split: Split, texts: Any = None, images: Any = None, similarity: Any = None,
    matched: Match = AS_THEY_ARE, how: Any = "cosine",
) -> Scored:  # fmt: skip
    """Score arrays of a file."""
    handed = Handed((Path("a.npz"),), texts, images, similarity, GivenIds())
    return score(handed, matched, split, how, quiet)


def own(dumped: Dumped, split: Split) -> tuple[metrics.QueryScores, metrics.QueryScores]:
    """Return what the harness makes of features that a method of its own encoded."""
    texts, images = torch.from_numpy(dumped.texts), torch.from_numpy(dumped.images)
    nothing = Items(lambda rows: Encoded(rows), 0)
    features = Features(Embeddings(images, texts, 0.0, 0.0), Encoded(images), Encoded(texts),
                        nothing, nothing)  # fmt: skip
    method: Any = Method
    found = evaluation.score_text_to_image(method, features, split)
    return found, evaluation.score_image_to_text(features, split)


def assert_same(found: metrics.QueryScores, wanted: metrics.QueryScores) -> None:
    """Every rank, tie and score is the same."""
    for name, values in vars(wanted).items():
        assert np.array_equal(getattr(found, name), values), name


def test_features_score_as_those_of_a_method_here(split: Split, dumped: Dumped) -> None:
    """Both ways, to the bit: the same order of ties, the same products."""
    found = scored(split, dumped.texts, dumped.images)
    wanted = own(dumped, split)
    assert 0 < metrics.summarize(found.text_to_image)["r1"] < 100
    assert_same(found.text_to_image, wanted[0])
    assert found.image_to_text is not None
    assert_same(found.image_to_text, wanted[1])


@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.float32])
def test_rows_in_another_order_score_the_same(split: Split, dumped: Dumped, kind: Any) -> None:
    """What tells the rows puts them back, of features and of a similarity, in any precision."""
    draw = np.random.default_rng(1)
    captions, images = draw.permutation(64), draw.permutation(32)
    matched = Match(np.argsort(captions), np.argsort(images), "", True)

    def saved(array: NDArray[np.float32]) -> Array:
        return torch.from_numpy(array) if kind is torch.float32 else array.astype(kind)

    plain = scored(split, dumped.texts, dumped.images).text_to_image
    mixed = scored(split, saved(dumped.texts[captions]), saved(dumped.images[images]),
                   matched=matched)  # fmt: skip
    assert_same(mixed.text_to_image, plain)
    matrix = scored(split, similarity=saved(dumped.cosines[np.ix_(captions, images)]),
                    matched=matched, how="given").text_to_image  # fmt: skip
    assert np.array_equal(matrix.hit_values, plain.hit_values)
    assert np.array_equal(matrix.top_rows, plain.top_rows)
    assert metrics.summarize(matrix) == pytest.approx(metrics.summarize(plain), abs=1e-6)


def test_ties_are_told_and_break_in_the_order_of_the_dataset(split: Split) -> None:
    """Features that are all alike score as chance does, however they are handed in."""
    ones = np.ones((64, 3)), np.ones((32, 3))
    wanted = own(Dumped(*(one.astype(np.float32) for one in ones)), split)[0]
    found = scored(split, *ones).text_to_image
    assert found.tied.all()
    assert_same(found, wanted)
    matrix = scored(split, similarity=np.zeros((64, 32)), how="given").text_to_image
    assert np.array_equal(matrix.hit_values, wanted.hit_values)
    assert metrics.summarize(found)["r1"] < 50


def test_the_plain_product_is_another_ranking(split: Split, dumped: Dumped) -> None:
    """It counts how long features are, and is ranked by exactly that."""
    images = dumped.images * np.linspace(0.1, 10, 32)[:, None].astype(np.float32)
    found = scored(split, dumped.texts, images, how="dot").text_to_image
    products = dumped.texts.astype(np.float64) @ images.astype(np.float64).T
    best = products.argmax(axis=1)
    assert np.array_equal(found.top_rows[:, 0], best)
    cosine = scored(split, dumped.texts, images).text_to_image
    assert not np.array_equal(found.top_rows, cosine.top_rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_what_is_not_finite_is_refused_by_its_row(
    split: Split, dumped: Dumped, value: float
) -> None:
    """The row is that of the file, whatever order its rows have in the dataset."""
    matched = Match(np.arange(64)[::-1].copy(), None, "", True)
    texts, cosines = dumped.texts.astype(np.float64), dumped.cosines.astype(np.float64)
    texts[5, 3] = cosines[5, 3] = value
    with pytest.raises(HarnessError, match=r"a.npz: row 5 of texts holds NaN, infinity or more"):
        scored(split, texts, dumped.images, matched=matched)
    with pytest.raises(HarnessError, match=r"a.npz: row 5 of similarity holds NaN"):
        scored(split, similarity=cosines, matched=matched, how="given")
