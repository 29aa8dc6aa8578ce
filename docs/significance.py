"""Simulate boards whose truth is known, and write how often the statistics are right.

Writes significance.csv, the table of significance.md: false alarms, coverage and power by numbers
of people and seeds and by how far seeds spread, beside sign flips of people at the seeds at hand,
which know nothing of other seeds. Takes some minutes; a test computes rows of it again.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.significance import Comparison, Family, compare_all, measure_spread

OUT = Path(__file__).parent / "significance.csv"
PEOPLE, SEEDS, SPREADS = (200, 1000), (3, 5), (0.0, 0.3, 0.7, 1.0, 1.5)
UNLIKE = (0.3, 1.5)  # points, of the first and the last method; those between lie between
ROUNDS = {200: 5000, 1000: 2500}  # simulated boards, by the number of people
METHODS, FEW = 7, 3  # of a board; all are equal but the last
LEADS = {200: 6.0, 1000: 3.0}  # points by which the last is better
QUERIES = (1, 6)  # of a person, at least and at most
FLIPS, DRAWS = 999, 999
HEADER = (
    "people", "methods", "seeds", "spread between seeds, points", "false alarms, %", "coverage, %",
    "family-wise false alarms, %", "power, %", "false alarms of sign flips, %",
    "power of sign flips, %",
)  # fmt: skip

# Standard deviations of what makes a query hard, on a normal scale, and of the latent mean.
PERSON, QUERY = 0.5, 0.55  # for all methods
PERSON_METHOD, QUERY_METHOD = 0.35, 0.5  # for one
PERSON_RUN, QUERY_RUN = 0.25, 0.45  # for one under one seed
SHIFT = 0.5  # points that a seed gives to all methods
MEAN = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    people: int
    methods: int
    seeds: int
    spread: float | tuple[float, float]  # standard deviation of R1 between seeds, points

    @property
    def spreads(self) -> Floats:
        """Return the spread of each method: (K,)."""
        ends = (self.spread,) * 2 if isinstance(self.spread, float) else self.spread
        return np.linspace(*ends, self.methods)

    @property
    def in_words(self) -> str:
        """Return the spread as the table says it."""
        if isinstance(self.spread, float):
            return f"{self.spread:g}"
        return f"{self.spread[0]:g} to {self.spread[1]:g}"

    @property
    def equal_pairs(self) -> list[tuple[int, int]]:
        """Return pairs of equal methods, none of them twice."""
        return [(first, first + 1) for first in range(0, self.methods - 1, 2)]


@dataclass(frozen=True)
class Board:
    """R1 of methods that are simulated (K, S, Q), the person of each query, and the truth (K,)."""

    hits: Floats
    people: NDArray[np.int64]
    truth: Floats


def main() -> None:
    """Write the table."""
    settings = find_settings()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each process; there are as many as cores
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as executor:
        rows = executor.map(simulate, settings[::-1])  # the longest first
        table = [HEADER, *reversed(list(rows))]
    with OUT.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


def find_settings() -> list[Setting]:
    """Return the rows: first those that must be right, then what the procedure is not sure of."""
    like = [Setting(n, METHODS, *of) for n in PEOPLE for of in product(SEEDS, SPREADS)]
    unlike = [Setting(n, METHODS, seeds, UNLIKE) for n, seeds in product(PEOPLE, SEEDS)]
    few = [Setting(n, FEW, *of) for n in PEOPLE for of in product((2, 3), (0.7, 1.5))]
    return [*like, *unlike, *few]


def simulate(setting: Setting, rounds: int = 0) -> tuple[str, ...]:
    """Return the row of a setting, from its number of rounds or a smaller one."""
    tallies = [tally(board, setting) for board in boards(setting, rounds or ROUNDS[setting.people])]
    shares = 100 * np.array(tallies).mean(0)
    return (
        str(setting.people), str(setting.methods), str(setting.seeds), setting.in_words,
        *(f"{share:.1f}" for share in shares),
    )  # fmt: skip


def boards(setting: Setting, rounds: int) -> Iterator[Board]:
    """Yield so many boards; the same ones whenever it is asked."""
    source = [setting.people, setting.methods, setting.seeds, *np.rint(100 * setting.spreads)]
    rng = np.random.default_rng(np.array(source, np.int64))
    for _ in range(rounds):
        yield draw_board(setting, rng)


def draw_board(setting: Setting, rng: np.random.Generator) -> Board:
    """Draw what each method makes of each query under each seed."""
    sizes = rng.integers(QUERIES[0], QUERIES[1] + 1, setting.people)
    people = np.repeat(np.arange(setting.people), sizes)  # (Q,)
    methods, shape = setting.methods, (setting.methods, setting.seeds)

    def normal(deviation: float, *axes: int) -> NDArray[np.float32]:
        return np.float32(deviation) * rng.standard_normal(axes, dtype=np.float32)

    hard = normal(PERSON, setting.people)[people] + normal(QUERY, len(people))
    hard = hard + normal(PERSON_METHOD, methods, setting.people)[:, people]
    hard = hard + normal(QUERY_METHOD, methods, len(people))  # (K, Q)
    latent = hard[:, None] + normal(PERSON_RUN, *shape, setting.people)[:, :, people]
    latent = latent + normal(QUERY_RUN, *shape, len(people))  # (K, S, Q)

    deviations = (PERSON, QUERY, PERSON_METHOD, QUERY_METHOD, PERSON_RUN, QUERY_RUN)
    variance = sum(one**2 for one in deviations)
    slope = 100 * stats.norm.pdf(MEAN / variance**0.5) / variance**0.5  # points a latent unit
    means = np.full(methods, MEAN)
    means[-1] += LEADS[setting.people] / slope
    by_seed = means[:, None] + setting.spreads[:, None] / slope * normal(1.0, *shape)
    by_seed = by_seed + normal(SHIFT / slope, setting.seeds)
    spread = (setting.spreads**2 + SHIFT**2) / slope**2
    truth = 100 * stats.norm.cdf(means / (variance + spread) ** 0.5)
    return Board(100.0 * (latent + by_seed[:, :, None] > 0), people, truth)


def tally(board: Board, setting: Setting) -> tuple[float, ...]:
    """Return what the columns count, for one board: shares between 0 and 1."""
    names = [str(number) for number in range(setting.methods)]
    values = dict(zip(names, board.hits, strict=True))
    spread = measure_spread(board.hits.mean(2))
    family = compare_all(values, board.people, spread, DRAWS)
    equal = compare_all({n: values[n] for n in names[:-1]}, board.people, spread, DRAWS)
    better = (setting.methods - 1, 0)
    return (
        float(np.mean([alone(family, pair).p_value < 0.05 for pair in setting.equal_pairs])),
        float(covers(alone(family, better), board.truth[-1] - board.truth[0])),
        float(any(one.is_real for one in equal.comparisons.values())),
        float(alone(family, better).p_value < 0.05),
        float(np.mean([flip(board, pair) < 0.05 for pair in setting.equal_pairs])),
        float(flip(board, better) < 0.05),
    )


def alone(family: Family, pair: tuple[int, int]) -> Comparison:
    """Return how two methods compare."""
    return family.between(*map(str, pair))


def covers(found: Comparison, truth: float) -> bool:
    """Say whether the 95 % interval of a pair, corrected for nothing, holds the truth."""
    reach = stats.t.ppf(0.975, found.degrees) * found.error
    return bool(abs(found.difference - truth) <= reach)


def flip(board: Board, pair: tuple[int, int]) -> float:
    """Return the p-value of sign flips of whole people, at the seeds at hand."""
    by_query = (board.hits[pair[0]] - board.hits[pair[1]]).mean(0)
    sums = np.bincount(board.people, by_query)  # (C,)
    reached = np.abs(draw_signs(len(sums)) @ sums) >= abs(sums.sum()) - 1e-9
    return float((reached.sum() + 1) / (FLIPS + 1))


@cache
def draw_signs(people: int) -> Floats:
    """Return the signs of people in each flip: (FLIPS, C)."""
    return np.random.default_rng(0).choice([-1.0, 1.0], (FLIPS, people))


if __name__ == "__main__":
    main()
