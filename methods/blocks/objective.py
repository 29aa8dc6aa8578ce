"""An objective of named, weighted terms: what is not named is never computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


def weighted(
    weights: Mapping[str, float], inputs: Any, **terms: Callable[[Any], Tensor]
) -> dict[str, Tensor]:
    """Return weight * term(inputs) for each weighted term; the others are not called.

    Raises:
        KeyError: a weight names no term; the message lists the terms.
    """
    if unknown := weights.keys() - terms.keys():
        raise KeyError(f"no loss {sorted(unknown)}; there are: {sorted(terms)}")
    return {name: weight * terms[name](inputs) for name, weight in weights.items()}
