"""How often a caption could find its person first: the ceiling that ambiguity sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .captions.writing import Caption
from .people.attributes import Person

# What a caption tends to name where there is any of it, so that silence speaks against it.
_TELLING = ("hat", "scarf", "bag", "item", "glasses", "beard", "upper.second")


def rank1_ceiling(queries: Iterable[tuple[Caption, int]], gallery: Sequence[Person]) -> float:
    """Return the expected Rank-1, in percent, of a reader who sees every attribute of everybody.

    A query is a caption and the row of its person in the gallery. People are ranked by how many
    of the facts named are true of them, then by how little the caption leaves out; those who tie
    are in random order.
    """
    columns = _columns([person.facts() for person in gallery])
    chances = []
    for caption, row in queries:
        agreement = sum(
            (columns[name] == value).astype(np.int64) for name, value in caption.facts.items()
        )
        left_out = sum(
            (~np.isin(columns[name], ("", "no"))).astype(np.int64)
            for name in _TELLING
            if name in columns and name not in caption.facts
        )
        score = np.asarray(agreement * (len(_TELLING) + 1) - left_out)  # (people,)
        best = np.flatnonzero(score == score.max())
        chances.append(float(row in best) / len(best))
    return 100 * float(np.mean(chances))


def _columns(rows: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """Return name -> (people,) values of the fact, empty where a person has no such fact."""
    names = {name for row in rows for name in row}
    return {name: np.array([row.get(name, "") for row in rows]) for name in sorted(names)}
