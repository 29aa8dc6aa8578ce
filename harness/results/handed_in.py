"""What a row rests on that was not trained here: files that somebody made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

What = Literal["features", "similarity", "run", "weights"]  # a run as TREC writes one
Similarity = Literal["cosine", "dot", "given"]

SCORES_ONLY, TRAINED_ELSEWHERE = "scores only", "trained elsewhere"


@dataclass(frozen=True)
class HandedFile:
    """A file by its name, without folders, and its content."""

    name: str
    sha256: str


@dataclass(frozen=True)
class HandedIn:
    """Files from which the figures of a row were made, and what is known of their rows."""

    what: What
    files: tuple[HandedFile, ...]
    similarity: Similarity
    matched: str  # by what their rows were told to be those of the dataset, in words
    order_checked: bool  # else the rows are taken in the order of the annotation, unproved
    seeded: bool  # whoever handed them in told their seed
    encoded_by: str = ""  # of weights: the method here whose encoders they are

    @property
    def mark(self) -> str:
        """What such a row is marked as wherever it stands."""
        return TRAINED_ELSEWHERE if self.what == "weights" else SCORES_ONLY

    @property
    def why_unpaired(self) -> str:
        """Why its queries are not tested against those of others; empty where they are."""
        if self.order_checked:
            return ""
        return (
            f"is {self.mark}, order not checked: the file has no ids that prove which row is which "
            "query and image. `harness score` of a file with ids, and --replace, mends it"
        )
