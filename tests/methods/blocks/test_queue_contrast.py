"""Contrast with a queue against loops over rows and columns, in float64."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.contrasts import Side
from methods.blocks.queue_contrast import NOBODY, bounded, queue_contrast, queue_from, ramped

PEOPLE = [2, 0, 2, 1]
TAU = torch.tensor(0.3, dtype=torch.float64)


def drawn(count: int, seed: int) -> Tensor:
    """Return random features, not of length one."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=generator, dtype=torch.float64)


def softmax(scores: list[float]) -> list[float]:
    """Return shares of exponentials."""
    exponents = [math.exp(score) for score in scores]
    return [exponent / sum(exponents) for exponent in exponents]


def likely(row: list[float], columns: list[list[float]]) -> list[float]:
    """Return the softmax of cosine / tau."""
    scores = []
    for column in columns:
        product = sum(a * b for a, b in zip(row, column, strict=True))
        lengths = sum(a * a for a in row) * sum(b * b for b in column)
        scores.append(product / math.sqrt(lengths) / 0.3)
    return softmax(scores)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(
    "pushes", [[], [[2, 7]], [[2, 7, 1], [5, 2, 0]]], ids=["empty", "begun", "wrapped around"]
)
def test_the_contrast_is_a_cross_entropy_over_batch_and_queue(
    pushes: list[list[int]], share: float
) -> None:
    """What is of the row's person shares the target, with the momentum model's own row."""
    queue = queue_from(F.normalize(drawn(2, 9), dim=1), 4).double()
    features, labels = F.normalize(drawn(2, 9), dim=1).tolist(), [NOBODY] * 2
    for number, people in enumerate(pushes):
        new = F.normalize(drawn(len(people), 20 + number), dim=1)
        queue.push(new, torch.tensor(people))
        features, labels = [*features, *new.tolist()][-4:], [*labels, *people][-4:]
    rows = Side(drawn(4, 0), drawn(4, 1))
    columns = [*drawn(4, 2).tolist(), *features]
    known = [*PEOPLE, *labels]
    total = 0.0
    for i, person in enumerate(PEOPLE):
        p, judged = (likely(one[i].tolist(), columns) for one in (rows.learning, rows.judging))
        for j, label in enumerate(known):
            target = share * judged[j] + (1 - share) * (label == person) / known.count(person)
            total -= target * math.log(p[j])
    found = queue_contrast(rows, drawn(4, 2), queue, torch.tensor(PEOPLE), TAU, share)
    assert float(found) == pytest.approx(total / 4, rel=1e-6)  # a queue came in single precision


def test_what_a_queue_brings_along_is_nobody() -> None:
    """It matches no row, also none whose label is 0; of more than there is room for the newest."""
    features = torch.arange(6.0)[:, None].expand(-1, 2)
    kept, labels = queue_from(features, 4).filled()
    assert sorted(kept[:, 0].tolist()) == [2, 3, 4, 5]
    assert labels.tolist() == [NOBODY] * 4
    assert len(queue_from(features, 9).filled()[0]) == 6


def test_the_momentum_model_is_not_moved() -> None:
    """Gradients go to the rows and the temperature."""
    rows = Side(drawn(4, 0).requires_grad_(), drawn(4, 1).requires_grad_())
    tau = TAU.clone().requires_grad_()
    queue = queue_from(torch.zeros(0, 5), 4)
    queue_contrast(rows, drawn(4, 2), queue, torch.tensor(PEOPLE), tau, 0.4).backward()  # type: ignore[no-untyped-call]  # of torch
    assert rows.learning.grad is not None
    assert rows.judging.grad is None
    assert tau.grad is not None


@pytest.mark.parametrize(
    ("stage", "epoch", "step", "share"),
    [(0, 0, 0, 0.0), (0, 0, 1, 0.1), (0, 0, 3, 0.3), (0, 1, 4, 0.4), (0, 7, 30, 0.4),
     (1, 0, 0, 0.4), (1, 0, 1, 0.4)],
)  # fmt: skip
def test_the_momentum_models_share_rises_over_the_first_epoch(
    stage: int, epoch: int, step: int, share: float
) -> None:
    """To 0.4, and stays, in later stages too."""
    run = SimpleNamespace(stage=stage, epoch=epoch, step=step, steps_per_epoch=4)
    assert ramped(0.4, cast(Any, run)) == pytest.approx(share)


@pytest.mark.parametrize(("given", "tau"), [(0.07, 0.07), (1e-5, 0.001), (2.0, 0.5)])
def test_a_temperature_is_learned_within_albefs_bounds(given: float, tau: float) -> None:
    """Outside them it has no gradient."""
    temperature = torch.tensor(given, requires_grad=True)
    found = bounded(temperature)
    found.backward()  # type: ignore[no-untyped-call]  # of torch
    assert float(found.detach()) == pytest.approx(tau)
    assert temperature.grad is not None
    assert bool(temperature.grad) is (given == tau)
