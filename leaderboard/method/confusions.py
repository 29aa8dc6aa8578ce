"""What kind of mistake a method makes: in what its wrong first images contradict the description.

Shapes: S seeds, Q queries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.data.auditing.contradictions import CATEGORIES, COLOUR
from harness.significance import compare_pairs
from leaderboard.method.views import ConfusionRow, ConfusionTable
from leaderboard.records.contest import Contest
from leaderboard.records.described import Described
from leaderboard.records.estimates import round_scale
from leaderboard.records.load import FULL
from leaderboard.strips.exhibits import find_exhibits
from leaderboard.strips.retrieved import Retrieved
from leaderboard.strips.section import retrieved_by_seed
from leaderboard.typography import fixed, spread_decimals

WIDTH = 200.0  # of the drawing in a cell
ORDER = (COLOUR, *dict.fromkeys(CATEGORIES.values()))
NAMES = {"sex": "man or woman", COLOUR: "colour of clothes", "garment": "kind of clothes"}

Shares = NDArray[np.float64]


def confusion_table(contest: Contest, method: str, anchor: str) -> ConfusionTable | None:
    """Count a method's mistakes by what they contradict; None where captions or lists are missing.

    The share is of all queries: of those whose first image is wrong and, by its captions, has
    another value of that trait. A mistake may contradict several traits, or none that is named.
    """
    exhibits = find_exhibits(contest)
    by_seed = retrieved_by_seed(contest, (method, FULL), exhibits)
    described = contest.described
    if exhibits is None or described is None or not by_seed:
        return None
    values = mistakes_by_category(by_seed, described)
    family = compare_pairs(values, [], exhibits.people)
    scale = round_scale([0.0, *(end for ends in family.intervals.values() for end in ends)])
    decimals = spread_decimals([high - low for low, high in family.intervals.values()])
    rows = []
    for category in sorted(values, key=lambda name: -family.means[name]):
        low, high = (max(0.0, end) for end in family.intervals[category])
        mean = family.means[category]
        rows.append(
            ConfusionRow(
                name=NAMES.get(category, category),
                share=fixed(mean, decimals),
                interval=f"{fixed(low, decimals)} to {fixed(high, decimals)}",
                bar=f"M0 2H{scale.place(mean, WIDTH, 0):.1f}v6H0z",
                span=f"M{scale.place(low, WIDTH, 0):.1f} 5H{scale.place(high, WIDTH, 0):.1f}",
            )
        )
    return ConfusionTable(anchor, tuple(rows), f"{scale.high:g}")


def mistakes_by_category(by_seed: list[Retrieved], described: Described) -> dict[str, Shares]:
    """Return by category which queries (S, Q) have a contradicting first image, as 0 or 100."""
    shape = len(by_seed), len(described.queries)
    found = {category: np.zeros(shape) for category in ORDER}
    for seed, retrieved in enumerate(by_seed):
        for query in np.flatnonzero(~retrieved.right[:, 0]).tolist():
            row = int(retrieved.rows[query, 0])
            for one in described.contradictions(query, row):
                found[one.trait.category][seed, query] = 100.0
    return found
