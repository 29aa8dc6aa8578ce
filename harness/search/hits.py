"""What a search tells; no torch, because pages are made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Hit:
    """An image that was found."""

    rank: int  # from 1
    row: int  # of the gallery, from 0
    image: str  # its path within the gallery's folder, or its id
    cosine: float
    rescored: bool  # whether its rank comes from a second look at text and image together


@dataclass(frozen=True)
class Answer:
    """A text and the images found for it, best first."""

    text: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Asked:
    """Who was asked, and where it looked."""

    run: str  # as on the command line: "irra:+SDM seed 1"
    title: str  # of the method
    trained_on: str  # title of a dataset
    drawn: bool  # whether that dataset is
    mean_average_precision: float  # percent, on its test split
    gallery: str  # for a reader: "photos", or "the test split of PaperDolls"
    folder: Path | None  # of the images; None where the gallery is no folder
    images: int
    index: str = ""  # of `harness.indexes.KINDS`, that finds them; empty where all are compared


# (who, what it answered, the thumbnail of a gallery row as JPEG, the file) -> the file
PageWriter = Callable[[Asked, Sequence[Answer], Callable[[int], bytes | None], Path], Path]
