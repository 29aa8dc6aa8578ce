"""Pairs encoded by a model and by its momentum model, each part once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F

from harness.method import Run
from methods.blocks.encoded_rows import take_rows
from methods.blocks.losses import cosine
from methods.blocks.matching import draw_negatives, fuse_with_others
from methods.blocks.momentum_pairs import MomentumPairs
from methods.blocks.tiny_albef import TinyAlbef, load_tiny_albef

CAPTIONS = ["a man in a red jacket", "she is running", "a girl with a backpack"]
LABELS = torch.tensor([4, 1, 4])
TAU = torch.tensor(0.1)


class Counting:
    """Stands for a run that counts what it spreads."""

    def __init__(self) -> None:
        self.called: Counter[str] = Counter()

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        self.called[getattr(function, "__name__", "fuse")] += 1
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose))


@pytest.fixture(scope="module")
def models() -> tuple[TinyAlbef, TinyAlbef]:
    """A model, and another in the place of its momentum model."""
    return load_tiny_albef(1), load_tiny_albef(2)


def pairs(models: tuple[TinyAlbef, TinyAlbef], run: Counting) -> MomentumPairs:
    """Return three pairs, the views of each image being two images."""
    draw = torch.Generator().manual_seed(0)
    views = torch.randint(0, 256, (2, 3, 3, 96, 32), dtype=torch.uint8, generator=draw)
    return MomentumPairs(*models, TAU, [*views], CAPTIONS, LABELS, cast(Run, run))


def test_each_model_sees_a_view_of_its_own(models: tuple[TinyAlbef, TinyAlbef]) -> None:
    """With the same captions; what the momentum model gives has length one and no gradient."""
    x = pairs(models, Counting())
    fast, slow = models
    for side, mine, theirs in zip(
        x.sides,
        (fast.encoder.encode_images(x.views[0]), fast.encoder.encode_texts(CAPTIONS)),
        (slow.encoder.encode_images(x.views[1]), slow.encoder.encode_texts(CAPTIONS)),
        strict=True,
    ):
        torch.testing.assert_close(side.learning, mine.embedding)
        torch.testing.assert_close(side.judging, F.normalize(theirs.embedding, dim=1))
        assert side.learning.requires_grad
        assert not side.judging.requires_grad
    assert x.same.int().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_what_is_asked_for_is_computed_once(models: tuple[TinyAlbef, TinyAlbef]) -> None:
    """And what is not asked for never."""
    run = Counting()
    x = pairs(models, run)
    assert not run.called
    assert x.fast is x.fast
    assert run.called == {"encode_images": 1, "encode_tokens": 1}
    assert x.fused is x.fused
    assert x.sides is x.sides
    assert run.called == {"encode_images": 2, "encode_tokens": 2, "fuse": 1}


def test_pairs_are_fused_with_negatives_of_the_contrast(
    models: tuple[TinyAlbef, TinyAlbef],
) -> None:
    """Images by their likeness to the text, then texts by theirs to the image, in one stream."""
    run = Counting()
    x = pairs(models, run)
    (images, texts), draws = x.sides, run.generator("negatives")
    image = draw_negatives(cosine(texts.learning, images.judging) / TAU, x.same, draws)
    text = draw_negatives(cosine(images.learning, texts.judging) / TAU, x.same, draws)
    of_images, of_texts = x.fast
    others = take_rows(of_texts, text), take_rows(of_images, image)
    expected = fuse_with_others(models[0], of_texts, of_images, *others)
    torch.testing.assert_close(x.fused, expected)
    assert LABELS[image].ne(LABELS).all()
    assert LABELS[text].ne(LABELS).all()
