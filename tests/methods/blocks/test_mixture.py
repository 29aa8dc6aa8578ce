import math

import pytest
import torch
from torch import Tensor

from methods.blocks.mixture import fit_mixture


def values() -> Tensor:
    """Return 60 numbers near 0.1 and 20 near 0.7."""
    torch.manual_seed(0)
    return torch.cat([0.1 + 0.05 * torch.randn(60), 0.7 + 0.1 * torch.randn(20)]).double()


def density(value: float, mean: float, variance: float) -> float:
    """Return that of a normal distribution."""
    return math.exp(-((value - mean) ** 2) / 2 / variance) / math.sqrt(2 * math.pi * variance)


def loop(numbers: list[float], iterations: int, floor: float) -> list[tuple[float, float, float]]:
    """Return weight, mean and variance of both after so many iterations, from the true parting."""
    shares = [(1.0, 0.0) if value < 0.4 else (0.0, 1.0) for value in numbers]
    parts: list[tuple[float, float, float]] = []
    for _ in range(iterations + 1):
        parts = []
        for k in (0, 1):
            count = sum(share[k] for share in shares)
            pairs = list(zip(shares, numbers, strict=True))
            mean = sum(share[k] * value for share, value in pairs) / count
            variance = sum(share[k] * (value - mean) ** 2 for share, value in pairs) / count
            parts.append((count / len(numbers), mean, variance + floor))
        joint = [[w * density(value, m, v) for w, m, v in parts] for value in numbers]
        shares = [(a / (a + b), b / (a + b)) for a, b in joint]
    return parts


@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_it_is_that_of_a_loop(iterations: int) -> None:
    """Expectation and maximisation, the variances raised by the floor."""
    numbers = values()
    found = fit_mixture(numbers, iterations=iterations, tolerance=0.0, floor=5e-4)
    expected = loop(numbers.tolist(), iterations, 5e-4)
    for part, column in zip(found, zip(*expected, strict=True), strict=True):
        assert part.tolist() == pytest.approx(column)


def test_the_probability_is_that_of_the_lower_one() -> None:
    """Whichever comes first in the data; far below it is certain."""
    numbers = values().flip(0)
    found = fit_mixture(numbers, iterations=10, tolerance=1e-2, floor=5e-4)
    assert found.means[0] < found.means[1]
    (low, high), weights = zip(found.means, found.variances, strict=True), found.weights
    for value in (0.1, 0.3, 0.4, 0.9):
        a = float(weights[0]) * density(value, *map(float, low))
        b = float(weights[1]) * density(value, *map(float, high))
        assert float(found.lower(torch.tensor([value]))) == pytest.approx(a / (a + b))


def test_it_ends_where_the_likelihood_stands_still() -> None:
    """With a tolerance, a thousand iterations are those up to there."""
    numbers = values()
    long = fit_mixture(numbers, iterations=1000, tolerance=1e-2, floor=5e-4)
    short = fit_mixture(numbers, iterations=2, tolerance=0.0, floor=5e-4)
    torch.testing.assert_close(long.means, short.means)


@pytest.mark.parametrize("number", [0.0, 0.5])
def test_numbers_that_are_all_alike_have_a_mixture(number: float) -> None:
    """It is finite, and they are of the lower one or not told apart."""
    found = fit_mixture(torch.full((9,), number), iterations=10, tolerance=1e-2, floor=5e-4)
    assert found.lower(torch.full((9,), number)).isfinite().all()
