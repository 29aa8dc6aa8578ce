"""Captions of the same person in the place of an image's own."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from harness.method import TrainSet
from methods.blocks.weak_pairs import Paired, with_weak_pairs

# Images 0 and 2 show one person, image 1 another; one text stands twice.
TRAIN = cast(
    TrainSet,
    SimpleNamespace(
        captions=["a coat", "a hat", "a red coat", "a coat", "jeans"],
        image_of_caption=torch.tensor([0, 1, 2, 2, 1]),
        captions_of_image=[[0], [1, 4], [2, 3]],
        person_of_image=torch.tensor([7, 4, 7]),
    ),
)


def paired(share: float, count: int = 1, seed: int = 0) -> Paired:
    """Pair the captions so many times over."""
    generator = torch.Generator().manual_seed(seed)
    return with_weak_pairs([0, 1, 2, 3, 4] * count, TRAIN, share, generator)


def test_without_a_share_pairs_stay() -> None:
    """Every caption is its own, and no pair is weak."""
    found = paired(0.0)
    assert found.captions == list(TRAIN.captions)
    assert not found.weak.any()


def test_a_weak_pair_has_any_caption_of_its_person() -> None:
    """Each with the same odds, those of its own image and its own text too; nobody else's."""
    found = paired(1.0, 4000)
    seen = [Counter(found.captions[row::5]) for row in range(5)]
    person = {"a coat": 2 / 3, "a red coat": 1 / 3}
    other = {"a hat": 1 / 2, "jeans": 1 / 2}
    for counts, expected in zip(seen, (person, other, person, person, other), strict=True):
        assert {text: n / 4000 for text, n in counts.items()} == pytest.approx(expected, abs=0.03)


def test_a_pair_is_weak_where_its_text_is_another() -> None:
    """The same words, of another image, make no weak pair: nothing could tell them apart."""
    found = paired(1.0, 20)
    own = list(TRAIN.captions) * 20
    expected = [text != mine for text, mine in zip(found.captions, own, strict=True)]
    assert found.weak.tolist() == expected
    assert any(expected)
    assert not all(expected)


def test_a_share_of_the_pairs_is_given_another() -> None:
    """A tenth of them; three fifths of whose draws are another text here."""
    found = paired(0.1, 4000)
    other = (3 * (1 / 3 + 2 / 3 + 1 / 3) / 3 + 2 * 1 / 2) / 5
    assert float(found.weak.float().mean()) == pytest.approx(0.1 * other, abs=0.005)


def test_a_pair_hangs_on_the_generator_alone() -> None:
    """The same seed gives the same pairs."""
    assert paired(0.5, 9).captions == paired(0.5, 9).captions
    assert paired(0.5, 9).captions != paired(0.5, 9, seed=1).captions
