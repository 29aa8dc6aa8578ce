"""A mixture of two normal distributions over one number: the lower one, and the higher one.

Shapes: N values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Mixture(NamedTuple):
    """Two normal distributions, (2,) each in float64, the one of the lower mean first."""

    weights: Tensor
    means: Tensor
    variances: Tensor

    def joint(self, values: Tensor) -> Tensor:
        """Return log p(k) + log p(x | k): (N,) -> (N, 2)."""
        away = (values.double()[:, None] - self.means).square() / self.variances  # (N, 2)
        return self.weights.log() - (away + (2 * math.pi * self.variances).log()) / 2

    def lower(self, values: Tensor) -> Tensor:
        """Return the probability that a value is of the lower one: (N,) -> (N,)."""
        return self.joint(values).softmax(dim=1)[:, 0]


def fit_mixture(values: Tensor, *, iterations: int, tolerance: float, floor: float) -> Mixture:
    """Fit a mixture to (N,) values by expectation and maximisation.

    It ends where the mean log-likelihood changes by less than `tolerance`, or after so many
    iterations; `floor` is added to each variance.

    Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", JRSS
    B, 1977. It begins with the values parted in two by their means, from the extremes on (Lloyd,
    "Least squares quantization in PCM", 1982), so that nothing is drawn.
    """
    values = values.detach().cpu().double()  # (N,)
    found = _maximised(values, _parted(values), floor)
    before = -torch.inf
    for _ in range(iterations):
        joint = found.joint(values)  # (N, 2)
        found = _maximised(values, joint.softmax(dim=1), floor)
        likelihood = float(joint.logsumexp(dim=1).mean())
        if abs(likelihood - before) < tolerance:
            break
        before = likelihood
    order = found.means.argsort()
    return Mixture(*(part[order] for part in found))


def _parted(values: Tensor) -> Tensor:
    """Return which of two means each value is nearer to, (N, 2) of 0 and 1."""
    low, high = values.aminmax()
    while True:
        upper = values > (low + high) / 2  # (N,)
        if not upper.any():  # all are alike
            break
        means = values[~upper].mean(), values[upper].mean()
        if means == (low, high):
            break
        low, high = means
    return torch.stack([~upper, upper], dim=1).double()


def _maximised(values: Tensor, shares: Tensor, floor: float) -> Mixture:
    """Return the mixture that is most likely where values belong to it by (N, 2) shares."""
    counts = shares.sum(dim=0) + torch.finfo(shares.dtype).eps  # (2,), above 0 for an empty one
    means = (shares * values[:, None]).sum(dim=0) / counts
    variances = (shares * (values[:, None] - means).square()).sum(dim=0) / counts
    return Mixture(counts / counts.sum(), means, variances + floor)
