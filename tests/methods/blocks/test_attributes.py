"""Pairs of prompts against loops over numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from methods.blocks import attributes

LABELS = [[0, 1, -1], [1, 1, -1], [-1, 0, -1], [1, -1, -1]]  # of the third nothing is known


def drawn(*shape: int) -> Tensor:
    """Return numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def smoothed(scores: list[float], label: int, smoothing: float) -> float:
    """Cross-entropy of two scores with a smoothed label, number by number."""
    total = sum(math.exp(score) for score in scores)
    loss = 0.0
    for kind, score in enumerate(scores):
        target = smoothing / 2 + (1 - smoothing) * (kind == label)
        loss -= target * math.log(math.exp(score) / total)
    return loss


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_contrast_is_a_mean_over_known_images_then_over_attributes(smoothing: float) -> None:
    """An attribute that is known of nobody counts as 0."""
    logits = drawn(4, 6)
    total = 0.0
    for attribute in range(3):
        known = [row for row in range(4) if LABELS[row][attribute] >= 0]
        for row in known:
            pair = logits[row, 2 * attribute : 2 * attribute + 2].tolist()
            total += smoothed(pair, LABELS[row][attribute], smoothing) / len(known)
    found = attributes.contrast(logits, torch.tensor(LABELS), smoothing)
    assert float(found) == pytest.approx(total / 3)
    assert found.dtype == torch.float64


def test_matching_asks_of_each_prompt_whether_it_is_true() -> None:
    """Of the first prompt of a pair where the label is 0, of the second where it is 1."""
    truth = attributes.truth_of_prompts(torch.tensor(LABELS))
    assert truth.tolist() == [
        [1, 0, 0, 1, -1, -1], [0, 1, 0, 1, -1, -1], [-1, -1, 1, 0, -1, -1], [0, 1, -1, -1, -1, -1],
    ]  # fmt: skip
    picked = [5, 2, 1]
    logits = drawn(3, 4, 2)
    total = 0.0
    for number, prompt in enumerate(picked):
        known = [row for row in range(4) if truth[row, prompt] >= 0]
        for row in known:
            pair = logits[number, row].tolist()
            total += smoothed(pair, int(truth[row, prompt]), 0.4) / len(known)
    found = attributes.matching(logits, truth[:, picked].T, 0.4)
    assert float(found) == pytest.approx(total / 3)


def test_an_example_of_a_prompt_is_an_image_that_it_is_true_of() -> None:
    """Each of them comes; a prompt that is true of none has none."""
    truth = attributes.truth_of_prompts(torch.tensor(LABELS))
    seen = set()
    for seed in range(40):
        prompts, images = attributes.draw_examples(truth, torch.Generator().manual_seed(seed))
        assert prompts.tolist() == [0, 1, 2, 3]
        seen |= set(zip(prompts.tolist(), images.tolist(), strict=True))
    assert seen == {(0, 0), (1, 1), (1, 3), (2, 2), (3, 0), (3, 1)}


def test_prompts_stand_beside_every_image() -> None:
    """A prompt after the other."""
    prompts, images = attributes.with_all(torch.tensor([4, 1]), 3)
    assert prompts.tolist() == [4, 4, 4, 1, 1, 1]
    assert images.tolist() == [0, 1, 2, 0, 1, 2]


def test_labels_are_read_as_a_companion_has_them() -> None:
    """An image without a list has no label that is known."""
    found = attributes.read_labels([[0, 1, -1], []], 3)
    assert found.tolist() == [[0, 1, -1], [-1, -1, -1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0, 1]], "has 2 attributes, and there are prompts for 3"),
        ([[0, 1, 2]], "2 is no label of an attribute: 0 says"),
        ([["<script>", 1, 0]], "'<script>' is no label"),
        ([[0.5, 1, 0]], "0.5 is no label"),
    ],
)
def test_labels_that_are_none_are_refused(rows: list[list[object]], message: str) -> None:
    """With what a label is, and how many there are to be."""
    with pytest.raises(ValueError, match=message):
        attributes.read_labels(rows, 3)


def test_mals_has_27_attributes_with_two_prompts_each() -> None:
    """All 54 differ; those of colours are true and not true."""
    assert len(attributes.MALS) == 27
    assert len({prompt for pair in attributes.MALS for prompt in pair}) == 54
    assert attributes.MALS[0] == ("the person is a woman", "the person is a man")
    assert attributes.MALS[6] == ("the person with a bag", "the person without a bag")
    assert attributes.MALS[10][0] == "the person wears black upper clothes"
    assert attributes.MALS[26] == (
        "the person wears brown lower clothes", "the person does not wear brown lower clothes",
    )  # fmt: skip
