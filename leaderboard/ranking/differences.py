"""Differences to a baseline: the default one in the page, and all pairs packed for its script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

import numpy as np

from harness.results import METRICS
from harness.significance import Comparison, Family
from leaderboard.drawing.whiskers import (
    Interval,
    draw_dot,
    draw_middle,
    draw_span,
    is_cut,
    scale_ticks,
    shared_scale,
)
from leaderboard.ranking.competitors import Board, Competitor
from leaderboard.ranking.panels import Layout
from leaderboard.ranking.views import DifferenceCell, Ranking, Row
from leaderboard.records.contest import difference
from leaderboard.records.estimates import PRIMARY, Scale
from leaderboard.records.load import FULL
from leaderboard.site.scripts_data import pack, pack_flags
from leaderboard.strips.names import entry_names
from leaderboard.typography import (
    MINUS,
    fixed,
    interval_end,
    probability,
    signed,
    spread_decimals,
)

LARGEST = 200  # points; added to packed differences and their ends, so that none is negative
P_STEPS = np.iinfo("u4").max  # of a packed p-value from 0 to 1


@dataclass(frozen=True)
class DifferenceColumn:
    """How each ranked method differs from the first of them, drawn on one scale."""

    cells: tuple[DifferenceCell | None, ...]  # None for the first
    ticks: tuple[tuple[str, str], ...]  # of its scale; none where nothing is drawn
    zero: str  # the path of no difference
    is_cut: bool  # whether an interval goes on beyond the scale


def difference_column(board: Board) -> DifferenceColumn:
    """Write the column of differences to the baseline that a page opens with."""
    family = board.contest.family(PRIMARY)
    if family is None:
        return DifferenceColumn((None,) * len(board.ranked), (), "", is_cut=False)
    decimals = difference_decimals(family)
    first, *others = board.ranked
    found = [_between(family, one, first) for one in others]
    intervals = [_printed(one, decimals) for one in found]
    scale = shared_scale([Interval(0.0, 0.0, 0.0), *intervals])
    cells = (
        _cell(one, interval, scale, decimals, compare_address(board, other, first))
        for other, one, interval in zip(others, found, intervals, strict=True)
    )
    return DifferenceColumn(
        (None, *cells),
        scale_ticks(scale),
        draw_middle(Interval(0.0, 0.0, 0.0), scale),
        is_cut=any(is_cut(one, scale) for one in intervals),
    )


def difference_decimals(family: Family) -> int:
    """Return the decimals that the intervals of a family's differences support."""
    return spread_decimals([found.high - found.low for found in family.comparisons.values()])


def pack_comparisons(board: Board, ranking: Ranking) -> dict[str, Any]:
    """Return all pairs of ranked methods by every metric, and what else the script shows by it.

    Pairs stand in the order (0, 1), (0, 2) ... (1, 2) ... of the keys. Differences and their ends
    are as printed: in steps of the last decimal, `LARGEST` points added.
    """
    files = entry_names(board.contest)
    return {
        "keys": [board.key(one) for one in board.ranked],
        "entries": [files[one.method, FULL] for one in board.ranked],  # for Compare
        "largest": LARGEST,
        "pSteps": P_STEPS,
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
        "low": _pack_ends([found.low for found in pairs], decimals),
        "high": _pack_ends([found.high for found in pairs], decimals),
        "p": pack(np.rint(p_values * P_STEPS).astype(np.int64), "u4"),
        "real": pack_flags([found.is_real for found in pairs]),
    }


def _pack_points(values: Sequence[float], decimals: int) -> str:
    printed = [_as_printed(value, decimals) for value in values]
    return pack([round((value + LARGEST) * 10**decimals) for value in printed], "u2")


def _pack_ends(values: Sequence[float], decimals: int) -> str:
    return _pack_points([_end_as_printed(value, decimals) for value in values], decimals)


def _end_as_printed(value: float, decimals: int) -> float:
    return float(interval_end(value, decimals).replace(MINUS, "-"))


def _as_printed(value: float, decimals: int) -> float:
    return float(fixed(value, decimals).replace(MINUS, "-"))


def _printed(found: Comparison, decimals: int) -> Interval:
    """Return a difference as printed, from which the page's script draws too."""
    low, high = (_end_as_printed(end, decimals) for end in (found.low, found.high))
    return Interval(low, _as_printed(found.difference, decimals), high)


def _seeds(row: Row, metric: str) -> str:
    (cell,) = (cell for cell in row.scores if cell.key == metric)
    return cell.seeds


def _plain(layout: Layout) -> dict[str, Any]:
    return {
        "ticks": layout.ticks,
        "front": layout.front,
        "dots": [{**asdict(dot), "label": dot.label and asdict(dot.label)} for dot in layout.dots],
    }


def _between(family: Family, a: Competitor, b: Competitor) -> Comparison:
    return difference(family, (a.method, FULL), (b.method, FULL))


def compare_address(board: Board, a: Competitor, b: Competitor) -> str:
    """Return where a pair is compared query by query."""
    files = entry_names(board.contest)
    pair = {"ground": board.anchor, "a": files[a.method, FULL], "b": files[b.method, FULL]}
    return f"compare.html#{urlencode(pair)}"


def _cell(
    found: Comparison, interval: Interval, scale: Scale, decimals: int, href: str
) -> DifferenceCell:
    return DifferenceCell(
        href=href,
        text=signed(found.difference, decimals),
        interval=f"{interval_end(found.low, decimals)} to {interval_end(found.high, decimals)}",
        p_value=probability(found.adjusted),
        is_real=found.is_real,
        span=draw_span(interval, scale),
        dot=draw_dot(interval, scale),
    )
