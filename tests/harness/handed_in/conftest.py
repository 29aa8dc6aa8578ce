"""Features of the small drawn split, as somebody else's code would save them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.schema import Split

WIDTH = 16


@dataclass(frozen=True)
class Dumped:
    """Features of captions (N, 16) and images (M, 16), more alike where people are the same."""

    texts: NDArray[np.float32]
    images: NDArray[np.float32]

    @property
    def cosines(self) -> NDArray[np.float32]:
        """(N, M)"""
        units = [one / np.linalg.norm(one, axis=1, keepdims=True)
                 for one in (self.texts, self.images)]  # fmt: skip
        return units[0] @ units[1].T


@pytest.fixture(scope="session")
def splits(small_dolls: Path) -> dict[str, Split]:
    """The splits of the small drawn dataset."""
    located = locate(find_declaration(str(small_dolls)))
    return {name: load_split(located, name) for name in ("train", "val", "test")}


@pytest.fixture(scope="session")
def split(splits: dict[str, Split]) -> Split:
    """Its test split: 8 people, 32 images, 64 captions."""
    return splits["test"]


@pytest.fixture(scope="session")
def others(splits: dict[str, Split]) -> Any:
    """What reads the other splits."""
    return lambda: {name: splits[name] for name in ("train", "val")}


@pytest.fixture(scope="session")
def dumped(split: Split) -> Dumped:
    """Features that find some people and not others."""
    return dump(split)


def dump(split: Split) -> Dumped:
    """Draw features of a split."""
    draw = np.random.default_rng(0)
    people = np.unique(split.person_of_image)
    centres = draw.normal(size=(len(people), WIDTH))

    def features(of: NDArray[np.int64]) -> NDArray[np.float32]:
        centre = centres[np.searchsorted(people, of)]
        return (centre + 1.2 * draw.normal(size=centre.shape)).astype(np.float32)

    return Dumped(features(split.person_of_caption), features(split.person_of_image))
