"""The audit of a selection: whether the epoch that stands there is the one that is best on test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow

from harness.results import EVALUATIONS, HISTORY, SELECTION_AUDIT, TEST_EVALUATION, RunRecord
from harness.results.audit import FIGURES, best_on_test, find_fault
from harness.results.query_table import Columns
from harness.verification.findings import Unreadable
from harness.verification.reading import read_table

EPOCHS: Columns = {"epoch": (pyarrow.int64(),)}
COLUMNS: Columns = {**EPOCHS, **dict.fromkeys(FIGURES, (pyarrow.float64(),))}


def check_audit(record: RunRecord, folder: Path) -> Iterator[str]:
    """Yield what is wrong with the audit of a finished run, or with there being one."""
    told = record.test_selected_epoch
    is_evaluated = (folder / EVALUATIONS / TEST_EVALUATION).is_dir()
    if told is None:
        if is_evaluated or (folder / SELECTION_AUDIT).exists():
            yield "is there, though the record tells of no epoch that is best on test"
        return
    if not is_evaluated:
        yield f"tells of epoch {told}, of which there is no evaluation {TEST_EVALUATION}"
    try:
        rows = read_table(folder / SELECTION_AUDIT, COLUMNS).select(list(COLUMNS)).to_pylist()
        trained = read_table(folder / HISTORY, EPOCHS).column("epoch").to_pylist()
    except Unreadable as error:
        yield str(error)
        return
    yield from _check_rows(rows, trained, told)


def _check_rows(
    rows: Sequence[Mapping[str, Any]], trained: Sequence[int], told: int
) -> Iterator[str]:
    if fault := find_fault(rows, trained):
        yield fault
    elif (best := best_on_test(rows)) != told:
        yield f"says that epoch {best} is best on test, the record says {told}"
