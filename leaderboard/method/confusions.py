"""What kind of mistake a method makes: in what its wrong first images contradict the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from harness.results.answers import Floats
from harness.significance import Spread, compare_pairs
from leaderboard.method.views import ConfusionRow, ConfusionTable
from leaderboard.records.estimates import round_scale
from leaderboard.records.load import FULL
from leaderboard.strips.mistakes import NAMES, MistakeFinder, shares_of
from leaderboard.typography import fixed, spread_decimals

WIDTH = 200.0  # of the drawing in a cell


def confusion_table(finder: MistakeFinder, method: str, anchor: str) -> ConfusionTable | None:
    """Count a method's mistakes by what they contradict.

    None where captions or lists are missing, or where no mistake contradicts anything.
    The share is of all queries: of those whose first image is wrong and, by its captions, has
    another value of that trait. A mistake may contradict several traits, or none that is named.
    """
    found = finder.find((method, FULL))
    if found is None or not found.any():
        return None
    spreads = finder.spreads
    figures = {
        category: _describe(values, finder.people, spreads[category])
        for category, values in shares_of(found).items()
    }
    scale = round_scale([0.0, *(one.high for one in figures.values())])
    decimals = spread_decimals([one.high - one.low for one in figures.values()])
    return ConfusionTable(
        anchor,
        tuple(
            ConfusionRow(
                name=NAMES.get(category, category),
                share=fixed(one.mean, decimals),
                interval=f"{fixed(one.low, decimals)} to {fixed(one.high, decimals)}",
                bar=f"M0 2H{scale.place(one.mean, WIDTH, 0):.1f}v6H0z",
                span=f"M{scale.place(one.low, WIDTH, 0):.1f} 5"
                f"H{scale.place(one.high, WIDTH, 0):.1f}",
            )
            for category, one in sorted(figures.items(), key=lambda item: -item[1].mean)
        ),
        f"{scale.high:g}",
    )


@dataclass(frozen=True)
class _Share:
    """The share of all queries in percent, with its 95 % interval."""

    mean: float
    low: float
    high: float


def _describe(values: Floats, people: NDArray[Any], spread: Spread | None) -> _Share:
    """Describe one category (S, Q) as Compare does, by how far seeds of the board spread."""
    family = compare_pairs({"own": values}, [], people, spread)
    return _Share(family.means["own"], *family.intervals["own"])
