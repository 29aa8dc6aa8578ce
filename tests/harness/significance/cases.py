"""Values that the tests of this folder compare, and how they are drawn."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.significance import Comparison

NORMAL = NormalDist()

Floats = NDArray[np.float64]


def uneven(rng: np.random.Generator, people: int, queries: int) -> NDArray[np.int64]:
    """Return the person of each query, in no order: some have one query, some have many."""
    others = rng.choice(people, queries - people, p=rng.dirichlet(np.ones(people)))
    return rng.permutation(np.concatenate([np.arange(people), others]))


def small_case(seeds: int = 3) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return values of two methods and the person of each query."""
    rng = np.random.default_rng(3)
    people = uneven(rng, 30, 120)
    a, b = rng.uniform(0, 100, (2, seeds, 120)) + 10 * rng.normal(size=(2, 1, 30))[:, :, people]
    return a + 4, b, people


def family_case() -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Return values of four methods, and people."""
    a, b, people = small_case()
    c, d, _ = small_case(6)
    return {"first": a, "second": b, "third": c[3:] - 1, "fourth": d[3:] - 20}, people


def some_family(number: int) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Return a family of two to six methods, of the kind that the number draws, and people.

    Methods may be alike at most queries, alike at all, apart by the same at every query, or of one
    run; values are hits, percents or small whole numbers, which tie.
    """
    rng = np.random.default_rng(number)
    count, seeds, people = (int(rng.integers(2, high)) for high in (7, 5, 60))
    seeds -= number % 2  # single runs too
    clusters = uneven(rng, people, people + int(rng.integers(0, 200)))
    kind = rng.choice(["hits", "percents", "whole numbers", "sparse"])
    shape = (count, seeds, len(clusters))
    values: NDArray[Any] = rng.uniform(0, 100, shape) + rng.uniform(0, 30, (count, 1, 1))
    if kind == "hits":
        values = 100.0 * (values > 50)
    elif kind == "whole numbers":
        values = np.round(values / 40)
    elif kind == "sparse":
        values = np.where(rng.uniform(size=shape) < 0.05, values, values[:1, :1])
    by_name = {f"method {place}": table for place, table in enumerate(values)}
    if rng.uniform() < 0.3:
        by_name["fixed"] = values[0, :1] + rng.normal()
    if rng.uniform() < 0.2:
        by_name["the same"] = values[-1] * (1 + 1e-15)
    if rng.uniform() < 0.2:
        by_name["apart everywhere"] = values[-1] + 1
    return by_name, clusters


def draw_hits(
    rng: np.random.Generator,
    shape: tuple[int, int, int, int],
    own: float = 0.7,
    lead: float = 0.0,
    spread: float = 0.0,
) -> Floats:
    """Return hits, 0 or 100, of K methods: (K, S, C, M) for M queries of each of C people.

    A query is as hard for all methods, but for what each makes of a person (`own`) and of a query.
    Method 0 is `lead` points better; the difference of two methods varies by `spread` points
    between seeds.
    """
    methods, seeds, people, queries = shape
    deviation = np.sqrt(3 + own**2)
    slope = 100 * NORMAL.pdf(0.5) / deviation  # points by which a shift of 1 moves the hits
    latent = 0.5 * deviation + rng.normal(size=(people, 1)) + rng.normal(size=(people, queries))
    latent = latent + own * rng.normal(size=(methods, 1, people, 1))
    latent = latent + np.sqrt(0.5) * rng.normal(size=(methods, 1, people, queries))
    latent = latent + np.sqrt(0.5) * rng.normal(size=shape)
    latent += spread / np.sqrt(2) / slope * rng.normal(size=(methods, seeds, 1, 1))
    latent[0] += lead / slope
    hits: Floats = 100.0 * (latent > 0)
    return hits


def figures(comparison: Comparison) -> list[float]:
    """Return the numbers of a comparison."""
    found: list[float] = []
    for value in vars(comparison).values():
        found += value if isinstance(value, tuple) else [np.nan if value is None else value]
    return [float(value) for value in found]


def check_close(p: float, expected: float, draws: int) -> None:
    """Compare two p-values, of which one or both come from random draws."""
    error = np.sqrt(2 * max(expected * (1 - expected), 1 / draws) / draws)
    assert abs(p - expected) < 4 * error
