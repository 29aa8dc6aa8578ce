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
from methods.blocks.matching import draw_negatives, fuse_with_negatives
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


def pairs(
    models: tuple[TinyAlbef, TinyAlbef], run: Counting, views: int = 2, **settings: bool
) -> MomentumPairs:
    """Return three pairs, the views of each image being images of their own."""
    draw = torch.Generator().manual_seed(0)
    shown = torch.randint(0, 256, (views, 3, 3, 96, 32), dtype=torch.uint8, generator=draw)
    fast, slow = models
    ids = fast.encoder.tokenize(CAPTIONS)
    return MomentumPairs(fast, slow.encoder, TAU, [*shown], ids, LABELS, cast(Run, run), **settings)


@pytest.mark.parametrize("views", [1, 2])
def test_the_models_see_the_first_and_the_last_view(
    models: tuple[TinyAlbef, TinyAlbef], views: int
) -> None:
    """With the same captions; what the momentum encoders give has length one and no gradient."""
    x = pairs(models, Counting(), views)
    fast, slow = models
    for side, mine, theirs in zip(
        x.sides,
        (fast.encoder.encode_images(x.views[0]), fast.encoder.encode_texts(CAPTIONS)),
        (slow.encoder.encode_images(x.views[views - 1]), slow.encoder.encode_texts(CAPTIONS)),
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
    assert x.images is x.images
    assert run.called == {"encode_images": 1}
    assert x.judging is x.judging
    assert run.called == {"encode_images": 1, "encode_slowly": 1}
    assert x.fused is x.fused
    assert x.sides is x.sides
    assert run.called == {"encode_images": 1, "encode_tokens": 1, "encode_slowly": 1, "fuse": 1}


@pytest.mark.parametrize("shares_images", [False, True])
def test_pairs_are_fused_with_negatives_of_the_contrast(
    models: tuple[TinyAlbef, TinyAlbef], shares_images: bool
) -> None:
    """Images by their likeness to the text, texts by theirs to the image; sharing changes none."""
    run = Counting()
    x = pairs(models, run, shares_images=shares_images)
    (images, texts), draws = x.sides, run.generator("negatives")
    image, text = draw_negatives(
        cosine(texts.learning, images.judging) / TAU,
        cosine(images.learning, texts.judging) / TAU,
        *(x.same, draws),
    )
    others = take_rows(x.texts, text), take_rows(x.images, image)
    expected = fuse_with_negatives(models[0], x.texts, x.images, *others)
    torch.testing.assert_close(x.fused, expected)
    assert LABELS[image].ne(LABELS).all()
    assert LABELS[text].ne(LABELS).all()
