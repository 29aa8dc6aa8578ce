from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import evaluation
from harness.data.schema import Split
from harness.evaluation import Features
from harness.method import Config, Encoded, Method

GALLERY, QUERIES, WIDTH = 12, 24, 5


@pytest.fixture
def split() -> Split:
    """12 images of 6 people, 2 captions each."""
    rows = np.arange(GALLERY)
    return Split(
        "test", lambda row: b"", tuple(map(str, rows)), tuple("x" * (n % 7 + 1) for n in range(24)),
        np.repeat(rows, 2), rows // 2,
    )  # fmt: skip


class Plain(Method):
    """Embeds a caption as its length and an image as its mean."""

    def __init__(self) -> None:
        super().__init__(Config(), None)  # type: ignore[arg-type]  # a summary is not needed

    def encode_images(self, images: Tensor) -> Tensor:
        return images.float().mean((1, 2, 3))[:, None].expand(-1, WIDTH)

    def encode_texts(self, captions: Sequence[str]) -> Tensor | Encoded:
        return torch.tensor([[len(caption)] * WIDTH for caption in captions], dtype=torch.float32)


class Rescoring(Plain):
    """Scores a pair by a table of its own."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = table  # (Q, G)

    def rescore(self, texts: Encoded, images: Encoded) -> Tensor:
        assert texts.tokens is not None
        assert images.tokens is not None
        return self.table[texts.tokens[:, 0, 0].long(), images.tokens[:, 0, 0].long()]


@pytest.fixture
def features() -> Features:
    """Random embeddings; the token of an item is its row."""
    torch.manual_seed(0)

    def encoded(count: int) -> Encoded:
        tokens = torch.arange(count).float()[:, None, None]
        return Encoded(torch.randn(count, WIDTH), tokens, torch.ones(count, 1, dtype=torch.bool))

    return Features(encoded(GALLERY), encoded(QUERIES), 0.0, 0.0)


def orders(scores: evaluation.metrics.QueryScores) -> list[list[int]]:
    """Return the gallery in rank order for each query."""
    return [row.tolist() for row in scores.top_rows]


def test_captions_come_back_in_order() -> None:
    """Batches are sorted by length; the features are not."""
    captions = ["x" * length for length in np.random.default_rng(0).integers(1, 50, 300)]
    encoded = evaluation.encode_texts(Plain(), captions, torch.device("cpu"))
    assert encoded.embedding[:, 0].tolist() == [len(caption) for caption in captions]


def test_a_wrong_shape_is_said(split: Split) -> None:
    """An encoder that returns the wrong number of rows is named with what was expected."""

    class Wrong(Plain):
        """Forgets the batch."""

        def encode_texts(self, captions: Sequence[str]) -> Tensor:
            return torch.zeros(WIDTH)

    with pytest.raises(ValueError, match=r"Wrong.encode_texts must return \(24, D\) for 24 items"):
        evaluation.encode_texts(Wrong(), split.captions, torch.device("cpu"))


def test_without_candidates_the_embedding_decides(split: Split, features: Features) -> None:
    """Re-scoring nothing is the embedding's order."""
    method = Rescoring(torch.rand(QUERIES, GALLERY))
    rescored = evaluation.score_text_to_image(method, features, split, candidates=0, top=GALLERY)
    plain = evaluation.score_text_to_image(Plain(), features, split, candidates=5, top=GALLERY)
    assert orders(rescored) == orders(plain)


def test_all_candidates_is_scoring_every_pair(split: Split, features: Features) -> None:
    """Re-scoring the whole gallery orders it by the pair scores alone, ties by row."""
    table = torch.randint(0, 4, (QUERIES, GALLERY)).float()
    method = Rescoring(table)
    scores = evaluation.score_text_to_image(method, features, split, GALLERY, top=GALLERY)
    expected = [sorted(range(GALLERY), key=lambda g: (-row[g], g)) for row in table.tolist()]
    assert orders(scores) == expected


def test_below_the_candidates_the_order_stays(split: Split, features: Features) -> None:
    """The candidates are the first of the embedding's list; behind them nothing moves."""
    method = Rescoring(torch.rand(QUERIES, GALLERY))
    before = orders(evaluation.score_text_to_image(Plain(), features, split, top=GALLERY))
    after = orders(evaluation.score_text_to_image(method, features, split, 4, top=GALLERY))
    for first, second in zip(before, after, strict=True):
        assert sorted(first[:4]) == sorted(second[:4])
        assert first[4:] == second[4:]


def test_scores_that_are_not_finite_are_refused(split: Split, features: Features) -> None:
    """A cross-encoder that returns NaN is an error, not a low rank."""
    method = Rescoring(torch.full((QUERIES, GALLERY), torch.nan))
    with pytest.raises(ValueError, match=r"Rescoring.rescore gave no finite score"):
        evaluation.score_text_to_image(method, features, split, 4)


def test_both_directions_are_scored(split: Split, features: Features) -> None:
    """Image-to-text asks with images for captions of the same person."""
    scores = evaluation.score_image_to_text(features, split)
    assert len(scores.first_hit) == GALLERY
    assert [len(ranks) for ranks in scores.hit_ranks] == [4] * GALLERY
