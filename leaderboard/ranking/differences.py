"""Differences to a baseline: the default one in the page, and all pairs packed for its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from harness.results import METRICS
from harness.significance import Comparison, Family
from leaderboard.ranking.competitors import Board, Competitor
from leaderboard.ranking.panels import Layout
from leaderboard.ranking.views import DifferenceCell, Ranking, Row
from leaderboard.records.contest import difference
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.load import FULL
from leaderboard.site.scripts_data import pack, pack_flags
from leaderboard.typography import MINUS, fixed, probability, signed, spread_decimals

LEVEL = 0.05  # the largest corrected p of a difference that counts as real
LARGEST = 100  # points; added to packed differences, so that none is negative
P_DECIMALS = 4  # as finely as 10,000 flips tell p-values apart


def difference_cells(board: Board) -> list[DifferenceCell | None]:
    """Return how each ranked method differs from the first of them, which has none."""
    family = board.contest.family(PRIMARY)
    if family is None:
        return [None] * len(board.ranked)
    decimals = difference_decimals(family)
    first, *others = board.ranked
    return [None, *(_cell(_between(family, one, first), decimals) for one in others)]


def difference_decimals(family: Family) -> int:
    """Return the decimals that the intervals of a family's differences support."""
    return spread_decimals([found.high - found.low for found in family.comparisons.values()])


def pack_comparisons(board: Board, ranking: Ranking) -> dict[str, Any]:
    """Return all pairs of ranked methods by every metric, and what else the script shows by it.

    Pairs stand in the order (0, 1), (0, 2) ... (1, 2) ... of the keys. Differences and their ends
    are as printed: in steps of the last decimal, `LARGEST` points added. p-values have
    `P_DECIMALS`.
    """
    return {
        "keys": [board.key(one) for one in board.ranked],
        "largest": LARGEST,
        "pSteps": 10**P_DECIMALS,
        "level": LEVEL,
        "metrics": {
            metric: {
                **_pack_pairs(board, metric),
                "seeds": [_seeds(row, metric) for row in ranking.rows],
                "panels": [_plain(panel.layouts[metric]) for panel in ranking.panels],
            }
            for metric in METRICS
        },
    }


def _pack_pairs(board: Board, metric: str) -> dict[str, Any]:
    family = board.contest.family(metric)
    if family is None:
        return {}
    decimals = difference_decimals(family)
    pairs = [_between(family, a, b) for a, b in combinations(board.ranked, 2)]
    p_values = np.array([found.adjusted for found in pairs])
    return {
        "decimals": decimals,
        "difference": _pack_points([found.difference for found in pairs], decimals),
        "low": _pack_points([found.low for found in pairs], decimals),
        "high": _pack_points([found.high for found in pairs], decimals),
        "p": pack(np.rint(p_values * 10**P_DECIMALS).astype(int), "u2"),
        "wide": pack_flags([found.needs_more_seeds for found in pairs]),
    }


def _pack_points(values: Sequence[float], decimals: int) -> str:
    printed = [float(fixed(value, decimals).replace(MINUS, "-")) for value in values]
    return pack([round((value + LARGEST) * 10**decimals) for value in printed], "u2")


def _seeds(row: Row, metric: str) -> str:
    (cell,) = (cell for cell in row.scores if cell.key == metric)
    return cell.seeds


def _plain(layout: Layout) -> dict[str, Any]:
    return {
        "ticks": layout.ticks,
        "spans": layout.spans,
        "front": layout.front,
        "dots": [{**asdict(dot), "label": dot.label and asdict(dot.label)} for dot in layout.dots],
    }


def _between(family: Family, a: Competitor, b: Competitor) -> Comparison:
    return difference(family, (a.method, FULL), (b.method, FULL))


def _cell(found: Comparison, decimals: int) -> DifferenceCell:
    p_value = round(found.adjusted, P_DECIMALS)
    return DifferenceCell(
        text=signed(found.difference, decimals),
        interval=f"{signed(found.low, decimals)} to {signed(found.high, decimals)}",
        p_value=probability(p_value),
        is_real=p_value <= LEVEL,
        wide=found.needs_more_seeds,
    )
