"""How far the seeds of a method spread, learnt from all methods of a board.

Three seeds of one method say little of how seeds vary: their variance has two degrees of freedom.
Methods of one board spread alike, so that they are asked together. The mean of method k under seed
s is taken for

    mean_ks = method_k + shift_s + own_ks

with a shift that a seed gives to all methods (its batches, its initial weights), which a difference
of two methods does not hold, and a part of its own of variance `own`. With K methods under S seeds
that is a two-way layout whose residuals have (K - 1) (S - 1) degrees of freedom (Searle, Casella
and McCulloch, "Variance Components", 1992, chapter 4).

Methods may spread unlike after all. So the variance that the seeds of one difference show is not
replaced by that of the board but drawn towards it, as if the board were `PRIOR` degrees of freedom
more: the moderated variance of Smyth, "Linear models and empirical Bayes methods for assessing
differential expression in microarray experiments", Statistical Applications in Genetics and
Molecular Biology 3, 2004 (https://doi.org/10.2202/1544-6115.1027), with a prior weight that is
fixed, since seven methods cannot tell it.

Shapes: K methods, S seeds, P pairs of methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.significance.sample import ROUNDING, Floats

PRIOR = 2  # degrees of freedom that the board's variance counts for beside the difference's own


@dataclass(frozen=True)
class Spread:
    """The variance of a method's mean between seeds, in squared points."""

    own: float  # beyond what a seed gives to all methods alike
    own_degrees: int  # of freedom
    whole: float  # with it
    whole_degrees: int

    def expect(self, seeded: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return the variance between seeds of means and differences (P,), and its degrees (P,).

        Takes how many methods with randomness are in each. What a seed gives to all methods alike
        is in no difference of two of them, but in that to a method without, and in a mean.
        """
        both = seeded == 2
        expected = np.where(both, 2 * self.own, seeded * self.whole)
        return expected, np.where(both, self.own_degrees, self.whole_degrees).astype(np.float64)


@dataclass(frozen=True)
class Moderated:
    """Variances between seeds (P,), drawn towards that of the board, and how sure they are."""

    variances: Floats
    degrees: Floats  # of freedom


def measure_spread(means: Iterable[ArrayLike]) -> Spread | None:
    """Measure the spread of methods whose means under S seeds are given: K times (S,).

    What is the same under every seed was not drawn by seeds, and tells nothing. Returns None where
    nothing is left: with one seed, or methods without randomness alone.
    """
    tables = [table for one in means if _differs(table := np.asarray(one, np.float64))]
    if not tables:
        return None
    table = np.stack(tables)  # (K, S)
    methods, seeds = table.shape
    around = table - table.mean(1, keepdims=True)
    whole, whole_degrees = float(np.square(around).sum()), methods * (seeds - 1)
    if methods == 1:
        return Spread(whole / whole_degrees, whole_degrees, whole / whole_degrees, whole_degrees)
    left = float(np.square(around - around.mean(0)).sum())
    degrees = (methods - 1) * (seeds - 1)
    return Spread(left / degrees, degrees, whole / whole_degrees, whole_degrees)


def _differs(means: Floats) -> bool:
    return bool(np.ptp(means) > ROUNDING * np.abs(means).max())


def moderate(found: Floats, expected: Floats, seeds: int, degrees: Floats) -> Moderated:
    """Draw variances that S seeds show (P,) towards those that the board lets expect (P,).

    Takes the degrees of freedom of the board's variances (P,). The pair is a part of its board; the
    degrees of freedom of the result allow for that: of a board that is the pair, they are S - 1.
    """
    weight = (seeds - 1) / (seeds - 1 + PRIOR)
    return Moderated(
        weight * found + (1 - weight) * expected,
        1 / (weight**2 / (seeds - 1) + (1 - weight**2) / degrees),
    )
