"""Contrasts of a batch against loops over numbers, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from methods.blocks import contrasts
from methods.blocks.contrasts import Side
from methods.blocks.losses import distribution_matching, identity_target

Rows = list[list[float]]

PEOPLE = torch.tensor([3, 0, 1, 3, 3])
SCALE = torch.tensor(7.0, dtype=torch.float64)
EPSILON = 0.01


def embeddings(seed: int) -> Tensor:
    """Return five random embeddings, not of length one."""
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(one: list[float], other: list[float]) -> float:
    """Return the cosine of two vectors."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def similarities(rows: Tensor, columns: Tensor) -> Rows:
    """Return cosines of each row and each column."""
    return [[cosine(row, column) for column in columns.tolist()] for row in rows.tolist()]


def softmax(values: list[float]) -> list[float]:
    """Return shares of exponentials."""
    exponents = [math.exp(value) for value in values]
    return [exponent / sum(exponents) for exponent in exponents]


def likely(rows: Tensor, columns: Tensor) -> Rows:
    """Equation 2, one direction."""
    return [softmax([float(SCALE) * s for s in row]) for row in similarities(rows, columns)]


def matches() -> Rows:
    """Return q-hat of equation 1."""
    people = PEOPLE.tolist()
    return [[float(a == b) / people.count(a) for b in people] for a in people]


def test_equations_1_and_2_normalised_contrast() -> None:
    """Both directions' mean of -sum q log p; several columns share what is right."""
    images, texts = embeddings(0), embeddings(1)
    found = contrasts.soft_contrastive(
        Side(images, images), Side(texts, texts), identity_target(PEOPLE).double(), SCALE, 0.0
    )
    total = 0.0
    for p in (likely(images, texts), likely(texts, images)):
        for p_row, q_row in zip(p, matches(), strict=True):
            total -= sum(q * math.log(p) for p, q in zip(p_row, q_row, strict=True))
    assert float(found) == pytest.approx(total / (2 * 5))


def test_the_model_judges_a_share_of_the_target() -> None:
    """Its likelihoods, by the embeddings that judge, stand beside what is right, and are fixed."""
    images, texts = embeddings(0), embeddings(1).requires_grad_()
    judge = embeddings(2).requires_grad_()
    target = identity_target(PEOPLE).double()
    sides = Side(images, images), Side(texts, judge)
    found = contrasts.soft_contrastive(*sides, target, SCALE, 0.3)
    total = 0.0
    for rows, columns, judging in (
        (images, texts, likely(images, judge)), (texts, images, likely(judge, images)),
    ):  # fmt: skip
        for p_row, q_row, own in zip(likely(rows, columns), matches(), judging, strict=True):
            soft = [0.3 * o + 0.7 * q for o, q in zip(own, q_row, strict=True)]
            total -= sum(q * math.log(p) for p, q in zip(p_row, soft, strict=True))
    assert float(found.detach()) == pytest.approx(total / (2 * 5))
    found.backward()  # type: ignore[no-untyped-call]  # of torch
    assert judge.grad is None
    assert texts.grad is not None


def test_equation_4_reversed_contrast() -> None:
    """Sum p log(p / (q + epsilon)) by row; epsilon is added to what matches too."""
    images, texts = embeddings(0), embeddings(1)
    logits = contrasts.pair_logits(images, texts, SCALE)
    found = distribution_matching(logits, identity_target(PEOPLE).double(), EPSILON)
    total = 0.0
    for p_row, q_row in zip(likely(images, texts), matches(), strict=True):
        total += sum(p * math.log(p / (q + EPSILON)) for p, q in zip(p_row, q_row, strict=True))
    assert float(found) == pytest.approx(total / 5)


def test_equations_5_to_7_cyclic_contrast() -> None:
    """Squared gaps within and across the modalities; their mean over pairs, where N is printed."""
    images, texts = embeddings(0), embeddings(1)
    of_images, of_texts = similarities(images, images), similarities(texts, texts)
    across = similarities(images, texts)
    total = 0.0
    for i in range(5):
        for j in range(5):
            total += (of_images[i][j] - of_texts[i][j]) ** 2 + (across[i][j] - across[j][i]) ** 2
    assert float(contrasts.cyclic(images, texts)) == pytest.approx(total / 25)


def test_equation_3_self_supervision() -> None:
    """Each of 2N views finds its partner among all others, itself left out."""
    ones, others = embeddings(0), embeddings(1)
    views = [*ones.tolist(), *others.tolist()]
    total = 0.0
    for i, view in enumerate(views):
        exponents = {k: math.exp(cosine(view, v) / 0.1) for k, v in enumerate(views) if k != i}
        total -= math.log(exponents[(i + 5) % 10] / sum(exponents.values()))
    found = contrasts.self_supervision(ones, others, 0.1)
    assert float(found) == pytest.approx(total / 10)


def test_parts_of_a_batch_do_not_move_the_columns_of_others() -> None:
    """Values are those of the whole; a column's gradient comes from rows of its own part alone."""
    rows, columns = embeddings(0), embeddings(1).requires_grad_()
    parted = contrasts.pair_logits(rows, columns, SCALE, parts=2)
    torch.testing.assert_close(parted, contrasts.pair_logits(rows, columns, SCALE))
    halves = [0, 0, 0, 1, 1]
    for i, j in [(0, 2), (0, 3), (4, 3), (4, 2)]:
        (gradient,) = torch.autograd.grad(parted[i, j], columns, retain_graph=True)
        assert bool(gradient.any()) is (halves[i] == halves[j])


@pytest.mark.parametrize(("given", "kept"), [(99.0, 99.0), (120.0, 100.0)])
def test_a_scale_is_limited_and_still_learns(given: float, kept: float) -> None:
    """Above the limit its gradient is that of the scale itself."""
    scale = torch.tensor(given, requires_grad=True)
    found = contrasts.limited(scale, 100.0)
    found.backward()  # type: ignore[no-untyped-call]  # of torch
    assert float(found.detach()) == kept
    assert scale.grad == 1
