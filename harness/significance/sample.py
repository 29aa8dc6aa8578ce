"""Per-query values of methods that answered the same queries, checked and grouped by person.

Shapes: K methods, S seeds, Q queries, C clusters; a cluster holds the queries of one person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-9  # of the largest value: what differs by less differs by rounding
PERCENT = 100.0
CELLS = 2**21  # of one chunk (16 MB) at most

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Values of K methods, with the queries of each person side by side."""

    names: tuple[str, ...]  # K
    values: Floats  # (K, S, Q)
    means: Floats  # (K, Q) over seeds
    seed_means: Floats  # (K, S) over queries
    largest: Floats  # (K,) size of the largest value
    runs: tuple[int, ...]  # K, of each method: 1 where one run stands for every seed
    is_seeded: NDArray[np.bool_]  # (K,) whether seeds made a difference
    starts: NDArray[np.intp]  # (C,) the first query of each cluster
    sizes: Floats  # (C,) the queries of each cluster

    @cached_property
    def ends(self) -> tuple[float, float]:
        """What no mean lies beyond: 0 and 100 where all values are percent, else nothing."""
        is_percent = self.values.min() >= 0 and self.largest.max() <= PERCENT
        return (0.0, PERCENT) if is_percent else (-np.inf, np.inf)

    @cached_property
    def influences(self) -> Floats:
        """What each person adds to a method's mean under each seed: (K, S, C).

        People differ in how many queries they have, so that a mean is a ratio of two sums, and
        this its linear part; over people the influences add up to zero.
        """
        sums = self.sum_clusters(self.values)  # (K, S, C)
        centred = sums - self.seed_means[:, :, None] * self.sizes
        influences: Floats = centred / self.values.shape[2]
        return influences

    def sum_clusters(self, values: Floats) -> Floats:
        """Sum values (..., Q) over the queries of each cluster: (..., C)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def difference(self, first: int, second: int) -> Floats:
        """Return the difference of two methods by query, averaged over seeds: (Q,).

        What is left of rounding is exactly zero, so that ties are ties.
        """
        largest = max(self.largest[first], self.largest[second])
        return without_rounding(self.means[first] - self.means[second], float(largest))


def without_rounding(values: Floats, largest: float | Floats) -> Floats:
    """Set to zero what is rounding beside values as large as `largest`."""
    return np.where(np.abs(values) <= ROUNDING * np.asarray(largest), 0.0, values)


def group(values: Mapping[str, ArrayLike], clusters: ArrayLike) -> Sample:
    """Check the values by method, each (S, Q) or (Q,), and sort the queries by cluster (Q,).

    Beside methods of S seeds, one of a single run stands for a run under every seed.

    Raises ValueError for shapes that differ, values that are not finite, clusters of another
    length, no query, and fewer than two people.
    """
    tables = {name: _table(name, table) for name, table in values.items()}
    stacked = np.stack(_paired(tables))  # (K, S, Q)
    people = np.asarray(clusters)
    if people.shape != stacked.shape[2:]:
        raise ValueError(
            f"clusters must name the person of each of {stacked.shape[2]} queries; "
            f"their shape is {people.shape}"
        )
    order = np.argsort(people, kind="stable")
    _, starts, sizes = np.unique(people[order], return_index=True, return_counts=True)
    if len(starts) < 2:
        raise ValueError("all queries are of one person; two are the least that can be compared")
    ordered = stacked[:, :, order]
    largest = np.abs(ordered).max((1, 2))
    return Sample(
        tuple(tables),
        ordered,
        means=ordered.mean(1),
        seed_means=ordered.mean(2),
        largest=largest,
        runs=tuple(len(table) for table in tables.values()),
        is_seeded=np.abs(ordered - ordered[:, :1]).max((1, 2)) > ROUNDING * largest,
        starts=starts,
        sizes=sizes.astype(np.float64),
    )


def _table(name: str, values: ArrayLike) -> Floats:
    table = np.atleast_2d(np.asarray(values, np.float64))
    if table.ndim != 2:
        raise ValueError(f"values of {name!r} must be (seeds, queries); got {table.shape}")
    if table.size == 0:
        raise ValueError(f"values of {name!r} hold no query: their shape is {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError(f"values of {name!r} hold NaN or infinity")
    return table


def _paired(tables: Mapping[str, Floats]) -> Sequence[Floats]:
    """Return tables of one shape (S, Q), single runs repeated; refuse what cannot be paired."""
    first = max(tables, key=lambda name: len(tables[name]))
    expected = tables[first].shape
    for name, table in tables.items():
        if table.shape[1] != expected[1]:
            raise _unpaired("queries", first, expected[1], name, table.shape[1])
        if table.shape[0] not in (1, expected[0]):
            raise _unpaired("seeds", first, expected[0], name, table.shape[0])
    return [np.broadcast_to(table, expected) for table in tables.values()]


def _unpaired(what: str, first: str, expected: int, name: str, got: int) -> ValueError:
    return ValueError(
        f"{first!r} has {expected} {what}, {name!r} has {got}: comparisons are paired, so both "
        "need the same"
    )
