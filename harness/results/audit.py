"""The audit of a selection: which epoch would have been chosen, had it been chosen on test.

Much code of the field keeps the epoch that does best on the test split. An audit scores every epoch
there beside val, so that what such a choice adds can be told. It chooses nothing that is ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = ("test_r1", "test_map")  # of an epoch, in percent


def best_on_test(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the epoch with the best R1 on test, then mAP, then the earliest; None of no epoch.

    Takes a row an epoch, as `harness.results.SELECTION_AUDIT` has them. The rule is that by which
    val selects.
    """
    if not rows:
        return None
    best = max(rows, key=lambda row: (*(row[name] for name in FIGURES), -row["epoch"]))
    return int(best["epoch"])
