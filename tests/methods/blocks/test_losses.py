import math

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.blocks import losses

TEMPERATURE = 0.1


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor, Tensor]:
    """Five pairs of three people, two of them with two pairs."""
    torch.manual_seed(0)
    return torch.randn(5, 4), torch.randn(5, 4), torch.tensor([7, 3, 7, 9, 3])


def cosine(a: list[float], b: list[float]) -> float:
    """Return the cosine of two vectors, term by term."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def softmax(row: list[float]) -> list[float]:
    """Return the softmax of a row."""
    exponents = [math.exp(value) for value in row]
    return [value / sum(exponents) for value in exponents]


def kl(row: list[float], target: list[float]) -> float:
    """Return KL(softmax(row) || target + 1e-8)."""
    return sum(
        p * (math.log(p) - math.log(q + 1e-8)) for p, q in zip(softmax(row), target, strict=True)
    )


def target_of(people: list[int]) -> list[list[float]]:
    """Return row-normalised matches."""
    rows = [[float(a == b) for b in people] for a in people]
    return [[value / sum(row) for value in row] for row in rows]


def test_infonce_is_cross_entropy_of_the_own_pair_both_ways(
    pairs: tuple[Tensor, Tensor, Tensor],
) -> None:
    """-log softmax of the own column, averaged over rows and directions."""
    images, texts = (values.double().tolist() for values in pairs[:2])
    total = 0.0
    for a, b in ((images, texts), (texts, images)):
        for row in range(5):
            logits = [cosine(a[row], other) / TEMPERATURE for other in b]
            total -= math.log(softmax(logits)[row]) / 5 / 2
    assert float(losses.infonce(pairs[0], pairs[1], TEMPERATURE)) == pytest.approx(total, rel=1e-5)


def test_irra_equations_3_to_6_sdm(pairs: tuple[Tensor, Tensor, Tensor]) -> None:
    """KL of prediction to row-normalised matches, image-to-text plus text-to-image."""
    images, texts = (values.double().tolist() for values in pairs[:2])
    target = target_of(pairs[2].tolist())
    total = 0.0
    for a, b in ((images, texts), (texts, images)):
        for row in range(5):
            logits = [cosine(a[row], other) / TEMPERATURE for other in b]
            total += kl(logits, target[row]) / 5
    assert float(losses.sdm(*pairs, TEMPERATURE)) == pytest.approx(total, rel=1e-5)


def test_cmpm_projects_onto_the_normalised_other_modality(
    pairs: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Scalar projections in place of cosines, without a temperature."""
    images, texts = (values.double().numpy() for values in pairs[:2])
    target = target_of(pairs[2].tolist())
    total = 0.0
    for a, b in ((images, texts), (texts, images)):
        for row in range(5):
            logits = [float(a[row] @ other / np.linalg.norm(other)) for other in b]
            total += kl(logits, target[row]) / 5
    assert float(losses.cmpm(*pairs)) == pytest.approx(total, rel=1e-5)


def test_identity_averages_both_modalities() -> None:
    """Cross-entropy over people of each modality, then their mean."""
    torch.manual_seed(1)
    images, texts, people = torch.randn(4, 3), torch.randn(4, 3), [0, 2, 1, 2]
    total = 0.0
    for logits in (images.double().tolist(), texts.double().tolist()):
        for row, person in zip(logits, people, strict=True):
            total -= math.log(softmax(row)[person]) / 4 / 2
    found = losses.identity(images, texts, torch.tensor(people))
    assert float(found) == pytest.approx(total, rel=1e-5)


def test_sdm_stays_finite_where_probabilities_underflow() -> None:
    """A confident, wrong prediction is a large loss with a finite gradient, not NaN."""
    images = torch.eye(3, requires_grad=True)
    texts = torch.eye(3).flip(0)
    loss = losses.sdm(images, texts, torch.tensor([0, 1, 2]), temperature=0.001)
    loss.backward()
    assert torch.isfinite(loss)
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


def test_losses_are_computed_in_single_precision() -> None:
    """Half-precision features do not round 1e-8 to nothing."""
    images, texts = torch.randn(4, 8).half(), torch.randn(4, 8).half()
    people = torch.arange(4)
    for loss in (
        losses.infonce(images, texts, 0.02),
        losses.sdm(images, texts, people, 0.02),
        losses.cmpm(images, texts, people),
    ):
        assert loss.dtype is torch.float32
        assert torch.isfinite(loss)


def test_cosine_leaves_mixed_precision(pairs: tuple[Tensor, Tensor, Tensor]) -> None:
    """Under autocast a similarity has the same bits as without, half-precision features too."""
    images, texts, _ = pairs
    lengths = texts.norm(dim=-1)
    for rows in (images, images.bfloat16(), images.half()):
        plain = losses.cosine(rows, texts), losses.cosine(rows, texts, lengths)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = losses.cosine(rows, texts), losses.cosine(rows, texts, lengths)
        for one, two in zip(plain, mixed, strict=True):
            assert two.dtype is torch.float32
            assert torch.equal(one, two)


def test_losses_leave_mixed_precision(pairs: tuple[Tensor, Tensor, Tensor]) -> None:
    """Under autocast each loss is the number that it is without."""
    images, texts, people = pairs

    def values() -> list[float]:
        return [
            float(losses.infonce(images, texts, TEMPERATURE)),
            float(losses.sdm(images, texts, people, TEMPERATURE)),
            float(losses.cmpm(images, texts, people)),
        ]

    plain = values()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert values() == plain


def test_cosine_with_known_lengths(pairs: tuple[Tensor, Tensor, Tensor]) -> None:
    """Given the columns' lengths a similarity is that of loops, too."""
    images, texts = (values.double().tolist() for values in pairs[:2])
    expected = torch.tensor([[cosine(a, b) for b in texts] for a in images])
    lengths = torch.tensor([math.hypot(*row) for row in texts])
    torch.testing.assert_close(losses.cosine(pairs[0], pairs[1]), expected)
    torch.testing.assert_close(losses.cosine(pairs[0], pairs[1], lengths), expected)


def test_double_precision_is_kept(pairs: tuple[Tensor, Tensor, Tensor]) -> None:
    """Given doubles a cosine and the losses are exact to more than single precision."""
    images, texts, people = pairs[0].double(), pairs[1].double(), pairs[2]
    found = losses.cosine(images, texts)
    known = losses.cosine(images, texts, texts.norm(dim=-1))
    expected = cosine(images[0].tolist(), texts[1].tolist())
    assert found[0, 1].item() == pytest.approx(expected, rel=1e-14)
    assert known[0, 1].item() == pytest.approx(expected, rel=1e-14)
    assert losses.infonce(images, texts, 0.02).dtype is torch.float64
    assert losses.sdm(images, texts, people, 0.02).dtype is torch.float64
    assert losses.cmpm(images, texts, people).dtype is torch.float64


def hardest(similarity: list[list[float]], people: list[int], margin: float) -> float:
    """Return the mean over anchors with a negative of [margin - own + highest other person]_+."""
    hinges = []
    for i, row in enumerate(similarity):
        others = [value for value, person in zip(row, people, strict=True) if person != people[i]]
        if others:
            hinges.append(max(0.0, margin - row[i] + max(others)))
    return sum(hinges) / len(hinges) if hinges else 0.0


def test_hardest_triplet_takes_the_most_similar_other_person() -> None:
    """Rows are anchors; a second pair of the same person, however similar, is no negative."""
    similarity = [
        [0.5, 0.4, 0.9, 0.45, -0.2],
        [0.1, 0.3, 0.2, 0.7, 0.95],
        [0.8, 0.1, 0.6, 0.2, 0.3],
        [-0.9, -0.6, -0.7, -0.5, -0.8],
        [0.2, 0.9, 0.3, 0.1, 0.25],
    ]
    people = [7, 3, 7, 9, 3]
    values = torch.tensor(similarity, dtype=torch.float64)
    for margin in (0.0, 0.2, 0.35):
        for table in (values, values.T):
            found = losses.hardest_triplet(table, torch.tensor(people), margin)
            expected = hardest(table.tolist(), people, margin)
            assert found.item() == pytest.approx(expected, rel=1e-12)
    by_hand = (0.2 - 0.5 + 0.45 + 0.2 - 0.3 + 0.7 + 0 + 0.2 + 0.5 - 0.6 + 0.2 - 0.25 + 0.3) / 5
    found = losses.hardest_triplet(values, torch.tensor(people), 0.2)
    assert found.item() == pytest.approx(by_hand)


def test_hardest_triplet_of_random_batches() -> None:
    """As loops have it, whatever is alike."""
    torch.manual_seed(0)
    for _ in range(20):
        similarity = torch.rand(6, 6, dtype=torch.float64) * 2 - 1
        people = torch.randint(0, 3, (6,))
        found = losses.hardest_triplet(similarity, people, 0.2).item()
        assert found == pytest.approx(hardest(similarity.tolist(), people.tolist(), 0.2))


def test_hardest_triplet_is_zero_where_all_are_told_apart() -> None:
    """Beyond the margin nothing is left to learn, and nothing is earned either."""
    similarity = torch.eye(3, requires_grad=True)
    loss = losses.hardest_triplet(similarity, torch.arange(3), 0.2)
    loss.backward()
    assert loss.item() == 0
    assert similarity.grad is not None
    assert (similarity.grad == 0).all()


def test_hardest_triplet_of_one_person() -> None:
    """A batch without a negative has no loss, and a gradient of zeros, not NaN."""
    similarity = torch.randn(4, 4).requires_grad_()
    loss = losses.hardest_triplet(similarity, torch.full((4,), 3), 0.2)
    loss.backward()
    assert loss.item() == 0
    assert similarity.grad is not None
    assert (similarity.grad == 0).all()


def test_hardest_triplet_moves_the_pair_and_one_negative() -> None:
    """The gradient is -1 / B on the diagonal and 1 / B on the hardest of each row."""
    similarity = torch.tensor([[0.1, 0.2, 0.3], [0.6, 0.2, 0.5], [0.1, 0.4, 0.2]])
    similarity.requires_grad_()
    losses.hardest_triplet(similarity, torch.arange(3), 0.2).backward()
    expected = torch.tensor([[-1.0, 0, 1], [1, -1, 0], [0, 1, -1]]) / 3
    assert similarity.grad is not None
    torch.testing.assert_close(similarity.grad, expected)
