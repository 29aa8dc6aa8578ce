"""What wrong first images contradict of the descriptions that were asked for, by category.

Shapes: S seeds, Q queries, M images of the gallery, T traits, C categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.auditing.contradictions import CATEGORIES, COLOUR, Trait, Traits, meanings
from harness.significance import Spread, measure_spread
from leaderboard.records.contest import Contest
from leaderboard.records.described import Described
from leaderboard.records.ledger import Entry
from leaderboard.strips.exhibits import find_exhibits
from leaderboard.strips.retrieved import NOTHING, Retrieved
from leaderboard.strips.section import retrieved_by_seed

ORDER = (COLOUR, *dict.fromkeys(CATEGORIES.values()))  # C
NAMES = {"sex": "man or woman", COLOUR: "colour of clothes", "garment": "kind of clothes"}

Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]


class MistakeFinder:
    """Looks up, for any entry of a contest, what its wrong first images contradict."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        self._exhibits = find_exhibits(contest)
        known = contest.described if self._exhibits and self._exhibits.gallery else None
        self._meant = _Meant(known) if known else None
        self._found: dict[Entry, Flags | None] = {}

    @property
    def people(self) -> NDArray[Any]:
        """Return the person of each query: (Q,)."""
        return self._exhibits.people if self._exhibits else np.empty(0)

    def find(self, entry: Entry) -> Flags | None:
        """Return of which queries the first image is wrong and contradicts them: (C, S, Q).

        Seeds are those that the entry is compared on. None where captions or the lists of first
        images are missing.
        """
        if entry not in self._found:
            self._found[entry] = self._find(entry)
        return self._found[entry]

    @cached_property
    def spreads(self) -> dict[str, Spread | None]:
        """How far the shares of methods as published spread between seeds, by category."""
        told = [
            found
            for entry in self._contest.published
            if not self._contest.answers[entry].is_fixed and (found := self.find(entry)) is not None
        ]
        return {
            name: measure_spread([shares_of(found)[name].mean(1) for found in told])
            for name in ORDER
        }

    def _find(self, entry: Entry) -> Flags | None:
        if self._meant is None:
            return None
        by_seed = retrieved_by_seed(self._contest, entry, self._exhibits)
        found = [_contradict(self._meant, retrieved) for retrieved in by_seed]
        return np.stack(found, axis=1) if found else None


def shares_of(found: Flags) -> Mapping[str, NDArray[np.float64]]:
    """Return mistakes (C, S, Q) by category as percent of a query, 0 or 100: (S, Q)."""
    return {name: 100.0 * flags for name, flags in zip(ORDER, found, strict=True)}


def _contradict(meant: _Meant, retrieved: Retrieved) -> Flags:
    """Return of which queries a wrong first image contradicts a category: (C, Q)."""
    first = retrieved.rows[:, 0]
    wrong = ~retrieved.right[:, 0] & (first != NOTHING)  # (Q,)
    found = meant.contradicted(first)  # (Q, T)
    of_category = [[trait.category == name for trait in meant.traits] for name in ORDER]
    return np.stack([found[:, chosen].any(1) & wrong for chosen in of_category])


class _Meant:
    """What descriptions may mean, as bits: two values of a trait that share none contradict."""

    def __init__(self, described: Described) -> None:
        everything = (*described.queries, *described.images)
        self.traits: Sequence[Trait] = list(dict.fromkeys(t for said in everything for t in said))
        bits: dict[str, int] = {}
        self._queries = self._pack(described.queries, bits)  # (Q, T)
        self._images = self._pack(described.images, bits)  # (M, T)

    def contradicted(self, rows: Integers) -> Flags:
        """Return which traits of each query its image of the gallery contradicts: (Q,) -> (Q, T).

        A trait that one of the two leaves out is contradicted by nothing.
        """
        asked, given = self._queries, self._images[rows]
        found: Flags = (asked != 0) & (given != 0) & (asked & given == 0)
        return found

    def _pack(self, descriptions: Sequence[Traits], bits: dict[str, int]) -> Integers:
        packed = np.zeros((len(descriptions), len(self.traits)), np.int64)
        for row, said in enumerate(descriptions):
            for column, trait in enumerate(self.traits):
                for word in meanings(trait, said.get(trait, frozenset())):
                    packed[row, column] |= 1 << bits.setdefault(word, len(bits))
        return packed
