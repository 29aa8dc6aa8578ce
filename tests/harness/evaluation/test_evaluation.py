from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import evaluation, metrics
from harness.data.schema import Split
from harness.evaluation import Features, clock, encode, rescoring
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.method import Config, Encoded, Method
from harness.tie_order import tie_order

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


def test_what_an_item_costs_counts_queued_work(
    monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    """A graphics card is waited for before the clock is read; the processor has done its work."""
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    clock.seconds(torch.device("cpu"))
    clock.seconds(torch.device("cuda", 1))
    assert waited == [torch.device("cuda", 1)]
    times = iter([0.0, 0.6, 3.0])
    monkeypatch.setattr(encode, "seconds", lambda device: next(times))
    images = torch.zeros(GALLERY, 3, 4, 2, dtype=torch.uint8)
    features = evaluation.encode_split(
        Plain(), split, lambda rows: images[rows], torch.device("cpu")
    )
    assert features.embeddings.image_milliseconds == pytest.approx(600 / GALLERY)
    assert features.embeddings.text_milliseconds == pytest.approx(2400 / QUERIES)


class Rescoring(Plain):
    """Scores a pair by a table of its own."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = table  # (Q, G)

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        assert texts.tokens is not None
        assert images.tokens is not None
        gallery = images.tokens[image_of_text, 0, 0].long()
        return self.table[texts.tokens[:, 0, 0].long(), gallery]


def items(count: int, asked: list[Tensor] | None = None) -> Items:
    """Return items whose only token is their row, padded to row % 5 + 1 tokens."""

    def encode(rows: Tensor) -> Encoded:
        if asked is not None:
            asked.append(rows)
        lengths = rows % 5 + 1
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        tokens = rows[:, None, None].float() * mask[..., None]
        return Encoded(torch.zeros(len(rows), WIDTH), tokens, mask)

    return Items(encode, count)


@pytest.fixture
def features() -> Features:
    """Random embeddings; the first token of an item is its row."""
    torch.manual_seed(0)
    images, texts = torch.randn(GALLERY, WIDTH), torch.randn(QUERIES, WIDTH)
    embeddings = Embeddings(images, texts, 0.0, 0.0)
    both = items(GALLERY), items(QUERIES)
    return Features(embeddings, Encoded(images), Encoded(texts), *both)


def orders(scores: metrics.QueryScores) -> list[list[int]]:
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
    """Re-scoring the whole gallery orders it by the pair scores alone, then as ties break."""
    table = torch.randint(0, 4, (QUERIES, GALLERY)).float()
    method = Rescoring(table)
    scores = evaluation.score_text_to_image(method, features, split, GALLERY, top=GALLERY)
    order = tie_order(split.fingerprint, "images", GALLERY).tolist()
    expected = [sorted(order, key=lambda g: -row[g]) for row in table.tolist()]
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


def test_scores_of_a_wrong_shape_are_refused(split: Split, features: Features) -> None:
    """A cross-encoder has to give one score a pair; the message names it."""

    class Wrong(Rescoring):
        """Gives one score in all."""

        def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
            return torch.zeros(1)

    with pytest.raises(ValueError, match=r"Wrong.rescore must return \(96,\)"):
        evaluation.score_text_to_image(Wrong(torch.zeros(1)), features, split, 4)


@pytest.mark.parametrize("limit", [1, 200, 2**31])
def test_blocks_of_tokens_change_nothing(
    split: Split, features: Features, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """However few tokens are held at a time, and pairs scored together, the order is the same."""
    method = Rescoring(torch.rand(QUERIES, GALLERY))
    expected = orders(evaluation.score_text_to_image(method, features, split, 5, top=GALLERY))
    monkeypatch.setattr(rescoring, "BATCH", 5)
    monkeypatch.setattr(rescoring, "TOKEN_BYTES", limit)
    monkeypatch.setattr(rescoring, "PAIR_BYTES", limit)
    found = orders(evaluation.score_text_to_image(method, features, split, 5, top=GALLERY))
    assert found == expected


def test_tokens_are_held_within_the_limit(
    split: Split, features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No block that is handed to a method's `rescore` holds more images than the limit allows."""
    images: list[Tensor] = []
    held = replace(features, image_items=items(GALLERY, images))
    monkeypatch.setattr(rescoring, "BATCH", 2)
    monkeypatch.setattr(rescoring, "TOKEN_BYTES", 2 * 2 * 5 * 2)  # two items of five tokens, twice
    method = Rescoring(torch.rand(QUERIES, GALLERY))
    evaluation.score_text_to_image(method, held, split, 5)
    assert torch.cat(images).tolist() == list(range(GALLERY))  # each image is encoded once


def test_a_method_that_rescores_needs_tokens(split: Split, features: Features) -> None:
    """Without tokens there is nothing to score; the message says so."""
    bare = Items(lambda rows: Encoded(torch.zeros(len(rows), WIDTH)), GALLERY)
    method = Rescoring(torch.zeros(QUERIES, GALLERY))
    with pytest.raises(ValueError, match="Encoded with tokens"):
        evaluation.score_text_to_image(method, replace(features, image_items=bare), split, 3)


def test_both_directions_are_scored(split: Split, features: Features) -> None:
    """Image-to-text asks with images for captions of the same person."""
    scores = evaluation.score_image_to_text(features, split)
    assert len(scores.first_hit) == GALLERY
    assert [len(ranks) for ranks in scores.hit_ranks] == [4] * GALLERY
