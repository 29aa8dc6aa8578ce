"""How well training pairs are told apart, by precision and recall of each kind.

As papers on noisy labels and noisy correspondence have it: of the pairs that a method takes for
clean, the share that is (precision), and of the clean ones, the share that it takes for such
(recall); likewise of the noisy ones, which it takes for wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def score_division(found: Flags, clean: Flags) -> dict[str, float]:
    """Return precision and recall, from 0 to 1, of finding clean pairs and of finding noisy ones.

    Args:
        found: (N,) the pairs that were taken for clean.
        clean: (N,) those that are.

    A figure whose denominator is 0 is left out.
    """
    kinds = {"clean": (found, clean), "noisy": (~found, ~clean)}
    return {
        f"{kind}/{name}": value
        for kind, (taken, there) in kinds.items()
        for name, value in _precision_and_recall(taken, there).items()
    }


def _precision_and_recall(taken: Flags, there: Flags) -> dict[str, float]:
    right = int(np.sum(taken & there))
    counts = {"precision": int(np.sum(taken)), "recall": int(np.sum(there))}
    return {name: right / count for name, count in counts.items() if count}
