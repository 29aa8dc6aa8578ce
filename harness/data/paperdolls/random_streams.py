"""Random streams that depend on a key alone, and choices from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from numpy.random import PCG64, Generator

Option = TypeVar("Option")


def stream(*key: object) -> Generator:
    """Return a generator that depends on the key alone."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=16).digest()
    return Generator(PCG64(int.from_bytes(digest, "little")))


def pick(rng: Generator, options: Sequence[Option]) -> Option:
    """Return one of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def pick_weighted(rng: Generator, weights: Mapping[str, float]) -> str:
    """Return one of the keys, as likely as its weight says."""
    left = rng.random() * sum(weights.values())
    for option, weight in weights.items():
        left -= weight
        if left < 0:
            return option
    return option
