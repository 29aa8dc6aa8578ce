"""Crowds: people whom nobody asks for, to make a gallery larger. No torch here.

A crowd has an order, so that a smaller one is the beginning of a larger one, and a content: what
decides each of its images, whatever it is called and wherever it lies. Drawn people are drawn by
number; images of one's own stand in the order of their hashes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.declaration import Located

DRAWS = (
    ("harness.data.paperdolls.strangers", "draw_stranger"),
    ("harness.data.paperdolls.strangers", "people_of_test"),
)


@dataclass(frozen=True)
class Crowd:
    """A crowd by what it is: its content stands for every image, in order, but not for how many."""

    name: str  # what evaluations are called by
    title: str  # for a reader
    argument: str  # what names it on the command line
    count: int
    content: str
    look: str = ""  # of drawn people, whose the test people are too
    folder: Path | None = None  # of images of one's own
    located: Located | None = None  # or of a dataset
    files: tuple[str, ...] = ()  # in the order of the crowd: paths, or split/row of a dataset
    left_out: Mapping[str, int] = field(default_factory=dict)  # images that are none of it, by why
    index: str = ""  # that it is searched through, see `harness.indexes`; by a scan of all without

    def told(self) -> dict[str, Any]:
        """Return what records tell of it."""
        told = ("name", "title", "count", "content", "look")
        index = {"index": self.index} if self.index else {}
        left_out = {"left_out": dict(self.left_out)}
        return {**{name: getattr(self, name) for name in told}, **left_out, **index}


def drawn_crowd(look: str, count: int) -> Crowd:
    """Return so many people drawn in the look of a dataset, none of whom its test split has."""
    from harness.data.paperdolls.looks import DATASETS

    content = json.dumps({"code": _code_of_strangers(), "look": repr(DATASETS[look])})
    return Crowd(
        name=f"{count}",
        title=f"{count:,} drawn people",
        argument=f"{count}",
        count=count,
        content=hashlib.sha256(content.encode()).hexdigest(),
        look=look,
    )


def drawn_looks() -> frozenset[str]:
    """Return the looks in which people can be drawn."""
    from harness.data.paperdolls.looks import DATASETS

    return frozenset(DATASETS)


@functools.cache
def _code_of_strangers() -> str:
    """Return a hash of the code that draws strangers, which takes part of a second to read."""
    from harness.sources import Roots, Scope, find_definitions, hash_definitions

    roots = Roots()
    return hash_definitions(find_definitions(DRAWS, roots), Scope(roots))
