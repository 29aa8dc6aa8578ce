"""The audit of a selection: which epoch would have been chosen, had it been chosen on test.

Much code of the field keeps the epoch that does best on the test split. An audit scores every epoch
there beside val, so that what such a choice adds can be told. It chooses nothing that is ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = ("test_r1", "test_map")  # of an epoch, in percent


def find_fault(rows: Sequence[Mapping[str, Any]], epochs: Sequence[Any]) -> str:
    """Return why rows are no audit of these epochs, as a history has them; "" where they are."""
    if [row.get("epoch") for row in rows] != [*epochs]:
        return "does not have one row for each epoch of the history, in order"
    figures = [row.get(name) for row in rows for name in FIGURES]
    if not all(isinstance(figure, float) and 0 <= figure <= 100 for figure in figures):  # nor NaN
        return "holds figures that are no percentages"
    return ""


def best_on_test(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the epoch with the best R1 on test, then mAP, then the earliest; None of no epoch.

    Takes a row an epoch, as `harness.results.SELECTION_AUDIT` has them. The rule is that by which
    val selects.
    """
    if not rows:
        return None
    best = max(rows, key=lambda row: (*(row[name] for name in FIGURES), -row["epoch"]))
    return int(best["epoch"])
