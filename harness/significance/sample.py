"""Per-query values of methods that answered the same queries, checked and grouped by person.

Shapes: K methods, S seeds, Q queries, C clusters; a cluster holds the queries of one person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-9  # of the largest value: what differs by less differs by rounding
CELLS = 2**21  # of one chunk (16 MB) at most
# Multiplications up to which OpenBLAS uses one thread. On a busy machine, threads that share a
# product wait 8 ms at its end: products are this small, or so large that it does not matter.
ONE_THREAD = 2**18
LEAST_ROWS = 8  # of a small product; fewer are slow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Values of K methods, with the queries of each person side by side."""

    names: tuple[str, ...]  # K
    values: Floats  # (K, S, Q)
    means: Floats  # (K, Q) over seeds
    seed_means: Floats  # (K, S) over queries
    largest: Floats  # (K,) size of the largest value
    starts: NDArray[np.intp]  # (C,) the first query of each cluster
    sizes: Floats  # (C,) the queries of each cluster

    def sum_clusters(self, values: Floats) -> Floats:
        """Sum values (..., Q) over the queries of each cluster: (..., C)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def difference(self, first: int, second: int) -> Floats:
        """Return the difference of two methods by query, averaged over seeds: (Q,).

        What is left of rounding is exactly zero, so that ties are ties.
        """
        largest = max(self.largest[first], self.largest[second])
        return without_rounding(self.means[first] - self.means[second], float(largest))


def random_stream(seed: int, purpose: str) -> np.random.SeedSequence:
    """Return a source of random numbers: equal for equal seeds, unrelated between purposes."""
    return np.random.SeedSequence([seed, *purpose.encode()])


def without_rounding(values: Floats, largest: float) -> Floats:
    """Set to zero what is rounding beside values as large as `largest`."""
    return np.where(np.abs(values) <= ROUNDING * largest, 0.0, values)


def split(rows: int, width: int, columns: int) -> Iterator[int]:
    """Yield how many rows to take at a time in a product (rows, width) @ (width, columns)."""
    most = ONE_THREAD // (width * columns)
    if most < LEAST_ROWS:
        most = max(1, CELLS // max(width, columns))
    for start in range(0, rows, most):
        yield min(most, rows - start)


def group(values: Mapping[str, ArrayLike], clusters: ArrayLike) -> Sample:
    """Check the values by method, each (S, Q) or (Q,), and sort the queries by cluster (Q,).

    Raises ValueError for shapes that differ, values that are not finite, clusters of another
    length, no query, and fewer than two people.
    """
    tables = {name: _table(name, table) for name, table in values.items()}
    names = tuple(tables)
    for name in names[1:]:
        _check_shapes(names[0], tables[names[0]].shape, name, tables[name].shape)
    stacked = np.stack(list(tables.values()))
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
    return Sample(
        names,
        ordered,
        means=ordered.mean(1),
        seed_means=ordered.mean(2),
        largest=np.abs(ordered).max((1, 2)),
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


def _check_shapes(first: str, expected: tuple[int, ...], name: str, got: tuple[int, ...]) -> None:
    for axis, what in enumerate(("seeds", "queries")):
        if got[axis] != expected[axis]:
            raise ValueError(
                f"{first!r} has {expected[axis]} {what}, {name!r} has {got[axis]}: "
                "comparisons are paired, so both need the same"
            )
