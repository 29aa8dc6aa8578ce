"""From p-values to ranks: Holm's correction, and ranks that methods share until told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.significance.sample import Floats

LARGEST_FAMILY = 100  # pairs


@dataclass(frozen=True)
class Standing:
    """Where a method stands among others. Ranks start at 1."""

    name: str
    mean: float
    rank: int  # 1 + the methods that are better: the best place it may hold, and the one to show
    last_rank: int  # the methods - those that are worse: the worst place it may hold


def holm(p_values: ArrayLike) -> Floats:
    """Correct the p-values (P,) of a declared family of pairs by Holm's step-down method.

    Raises ValueError for more than 100 pairs and for what is no p-value. The least p-value that
    10,000 flips can give is 1 / 10,001: times 500 pairs it is at 0.05, and nothing could be found.
    `compare_all` has no such limit.
    """
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1:
        raise ValueError(f"p-values must be (pairs,); got {values.shape}")
    if len(values) > LARGEST_FAMILY:
        raise ValueError(
            f"{len(values)} pairs are too many for Holm's correction, which takes up to "
            f"{LARGEST_FAMILY}: the least p-value of 10,000 flips, times 500 pairs, is at 0.05. "
            "Declare fewer pairs, or compare all at once by MaxT"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1")
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def rank_groups(
    means: Mapping[str, float], adjusted: Mapping[tuple[str, str], float], level: float = 0.05
) -> tuple[Standing, ...]:
    """Rank methods by their means, from best to worst, with the places that each may hold.

    Takes p-values by pair, corrected for the family, in either order of a pair. A method is better
    than another where its mean is higher and their p-value at most `level`, or where it is better
    than a third that is better than the other. The latter adds no error: where both of its
    reasons are true, it is. It makes sure that a better method never shares the rank of a worse.

    Not being told apart is not transitive. With A above C but B apart from neither, A and B hold
    rank 1 and C rank 2: B and C are not told apart either, as their intervals (1-3 and 2-3) say.
    Methods of which none is better share a rank; that ranks differ does not mean that two methods
    were told apart, only that more are better than the one than are better than the other.

    Raises ValueError where the p-value of a pair is missing.
    """
    names = sorted(means, key=lambda name: -means[name])
    better: dict[str, set[str]] = {}
    for place, name in enumerate(names):
        direct = [other for other in names[:place] if _find_p(adjusted, other, name) <= level]
        better[name] = set(direct).union(*(better[other] for other in direct))
    worse = {name: sum(name in others for others in better.values()) for name in names}
    return tuple(
        Standing(name, means[name], 1 + len(better[name]), len(names) - worse[name])
        for name in names
    )


def _find_p(adjusted: Mapping[tuple[str, str], float], a: str, b: str) -> float:
    for pair in ((a, b), (b, a)):
        if pair in adjusted:
            return adjusted[pair]
    raise ValueError(f"there is no p-value for {a!r} and {b!r}")
