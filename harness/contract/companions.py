"""Companions that are made up, for methods that train with some to be tried on drawn people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.data.companions import By, Companion, find_anywhere
from harness.data.schema import Split
from harness.errors import HarnessError


@dataclass(frozen=True)
class MadeUp(Companion):
    """A companion that lies nowhere."""

    column: Any = None  # of Arrow

    @cached_property
    def lists(self) -> Any:
        """They, which no file holds."""
        return self.column


def make_up(name: str, split: Split) -> MadeUp:
    """Return a companion of a split: like one of that name that some dataset has, else texts.

    Texts are captions, two for each but the last, which has none.
    """
    like = find_anywhere(name)
    try:
        column = like and like.lists
    except HarnessError:  # damaged: whoever trains with it says so
        like = column = None
    by: By = like.by if like else "caption"
    count = len(split.captions if by == "caption" else split.image_ids)
    return MadeUp(
        name=name,
        made_by="harness check",
        by=by,
        kind=like.kind if like else "texts",
        counts={},
        fingerprint="",
        dataset="",
        column=_repeated(column, count) if column is not None else _texts(split),
    )


def _repeated(column: Any, count: int) -> Any:
    """Return so many of the lists, from the start again where there are fewer."""
    import pyarrow

    rows = pyarrow.array([number % len(column) for number in range(count)])
    return column.take(rows)


def _texts(split: Split) -> Any:
    import pyarrow

    others = (*split.captions[1:], split.captions[0])
    lists = [[one, other] for one, other in zip(split.captions, others, strict=True)]
    return pyarrow.chunked_array([[*lists[:-1], []]])
