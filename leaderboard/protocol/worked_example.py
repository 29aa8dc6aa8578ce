"""A query small enough to be scored by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from leaderboard.protocol.views import Example, RankedRow
from leaderboard.typography import listed

WANTED = "A"
GALLERY = (("D", 0.31), ("C", 0.55), ("B", 0.61), ("A", 0.31), ("A", 0.58))  # person, score by row


def worked_example() -> Example:
    """Return the example, scored by the definitions that the page gives."""
    order = rank([score for _, score in GALLERY])
    hits = [place for place, row in enumerate(order, start=1) if GALLERY[row][0] == WANTED]
    precisions = {place: number / place for number, place in enumerate(hits, start=1)}
    rows = tuple(
        RankedRow(
            rank=str(place),
            gallery_row=str(row + 1),
            score=f"{GALLERY[row][1]:.2f}",
            person=GALLERY[row][0],
            precision=f"{hits.index(place) + 1}/{place}" if place in precisions else "",
        )
        for place, row in enumerate(order, start=1)
    )
    fractions = " + ".join(row.precision for row in rows if row.precision)
    return Example(
        person=WANTED,
        rows=rows,
        metrics=(
            ("R1", f"the first hit is at rank {hits[0]}", f"{float(hits[0] <= 1):.2f}"),
            ("R5", f"rank {hits[0]} is among the first five", f"{float(hits[0] <= 5):.2f}"),
            ("AP", f"({fractions}) / {len(hits)}", f"{average_precision(hits):.2f}"),
            ("INP", f"{len(hits)} / {hits[-1]}", f"{inverse_negative_penalty(hits):.2f}"),
        ),
        tied=_tied_ranks([GALLERY[row][1] for row in order]),
    )


def rank(scores: Sequence[float]) -> list[int]:
    """Return gallery rows, from 0, in rank order: by score, then by row."""
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))


def average_precision(hits: Sequence[int]) -> float:
    """Return the mean of the precision at each hit; hits are ranks from 1, ascending."""
    return sum(number / place for number, place in enumerate(hits, start=1)) / len(hits)


def inverse_negative_penalty(hits: Sequence[int]) -> float:
    """Return the number of hits over the rank of the last."""
    return len(hits) / hits[-1]


def _tied_ranks(scores: Sequence[float]) -> str:
    ranks = iter(range(1, len(scores) + 1))
    groups = [[next(ranks) for _ in same] for _, same in groupby(scores)]
    return listed([str(place) for group in groups if len(group) > 1 for place in group])
