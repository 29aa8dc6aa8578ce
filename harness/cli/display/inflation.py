"""How what choosing by test would have added is shown in the terminal: never as a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.display.comparisons import write_span
from harness.cli.display.terminal import note, print_table
from harness.plan.spec import RunSpec
from harness.results import METRICS, StoredRun, read_record

if TYPE_CHECKING:
    from harness.results.inflation import Inflation

TITLE = "R1 by what chose the epoch, means over seeds: an audit, never ranked"
HEADERS = ("method", "val", "last epoch", "test", "inflation", "95 %", "epochs, val > test")


def show_inflation(specs: Sequence[RunSpec], results: Path) -> None:
    """Show of the runs whose audit was asked for what choosing the epoch by test would have added.

    A method of which nothing was audited is left out.
    """
    from harness.results.inflation import measure_inflation

    groups: dict[str, list[StoredRun]] = {}
    for spec in specs:
        path = spec.path(results)
        record = read_record(path) if spec.is_audited else None
        if record and record.status == "ok":
            groups.setdefault(f"{spec.dataset} {spec.name}", []).append(StoredRun(record, path))
    found = [measure_inflation(name, runs) for name, runs in groups.items()]
    rows = [_row(one) for one in found if one]
    if rows:
        print_table(HEADERS, rows, TITLE)
        note(
            f"Chosen by test, {METRICS['r1']} of a run can hardly be less than chosen by val: what "
            "it gains so is no merit of the method. Each interval stands by itself."
        )


def _row(one: Inflation) -> tuple[str, ...]:
    found = one.comparison
    return (
        one.name,
        f"{one.selected:.2f}",
        "-" if one.last is None else f"{one.last:.2f}",
        f"{one.tested:.2f}",
        f"{one.gain:+z.2f}",
        write_span(found.low, found.high, 2) if found else "-",
        ", ".join(f"{by_val} > {by_test}" for by_val, by_test in one.epochs),
    )
