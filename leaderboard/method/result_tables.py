"""The tables of a method's page: rows of runs, and its ablations as the paper lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.results import METRICS
from leaderboard.ablations.components import LOSSES, Components, find_components
from leaderboard.ablations.corrected import COMPARED, NO_PAIR, Corrected, correct
from leaderboard.ablations.section import Ablation, Hrefs, Row
from leaderboard.ablations.views import (
    ColumnGroup,
    Cost,
    DifferenceCell,
    Mark,
    ResultRow,
    ResultTable,
)
from leaderboard.records.estimates import (
    Leaders,
    Summary,
    missing_notes,
    summaries,
    write_table,
)
from leaderboard.records.ledger import Ledger
from leaderboard.records.load import FULL, Run
from leaderboard.reported.figures import Figures, OwnFigures, metric_cells
from leaderboard.typography import listed, plain
from leaderboard.views import MetricColumn, Note

AS_PUBLISHED = "nothing: the method as published"
BEST = "Mean and range over seeds; bold where no other row is better."
FOLLOW = "A figure leads to its runs."


@dataclass(frozen=True)
class Line:
    """A row before it is written: some runs under a label."""

    label: str
    runs: Sequence[Run]
    href: str
    notes: tuple[str, ...] = ()
    evaluation: str | None = None
    absent: str = "not recorded"  # in place of a figure
    is_reference: bool = False
    reported: Figures = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    made_of: str = ""
    differences: tuple[DifferenceCell, ...] = ()
    cost: Cost | None = None
    failures: tuple[Note, ...] = ()


def ablation_table(
    ablation: Ablation, ledger: Ledger, paper: OwnFigures, hrefs: Hrefs, anchor: str
) -> ResultTable:
    """Write an ablation: its components, figures, and differences with their corrected p-values.

    Where the method as published is no row of the table, it stands below as the reference.
    """
    rows = [*ablation.rows, *([ablation.reference] if ablation.reference else [])]
    full = ablation.full.record if ablation.full else None
    components = find_components([row.record for row in rows], full)
    corrected = correct(ledger, ablation.pairs)
    headings = tuple(ablation.comparisons) if corrected else ()
    differences = _differences(ablation, corrected) or ((),) * len(rows)
    lines = [
        Line(
            row.label, row.runs, hrefs[row.entry], is_reference=row is ablation.reference,
            reported=_reported(row, ablation, paper), marks=marks,
            made_of=components.in_words(marks), differences=of_row,
        )
        for row, marks, of_row in zip(rows, components.marks, differences, strict=True)
    ]  # fmt: skip
    leaders = ledger.leading_rows([row.entry for row in rows])
    columns, written = write_rows(lines, leaders)
    return ResultTable(
        anchor, ablation.title, _caption(corrected), "Row", columns, written,
        is_compact=True,
        heads=_heads(components, headings),
        components=components.names,
        difference_columns=corrected.columns * len(headings) if corrected else (),
        changes=tuple((row.label, _changes(row.record.changes)) for row in rows),
        remarks=explain_silence(rows, ledger),
    )  # fmt: skip


def explain_silence(rows: Sequence[Row], ledger: Ledger) -> tuple[str, ...]:
    """Say why some rows are not compared; rows with the same reason in one sentence."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if reason := ledger.silent.get(row.entry):
            by_reason.setdefault(reason, []).append(row.label)
    return tuple(
        f"Not compared: {listed(list(dict.fromkeys(labels)))} ({reason})."
        for reason, labels in by_reason.items()
    )


def _differences(
    ablation: Ablation, corrected: Corrected | None
) -> tuple[tuple[DifferenceCell, ...], ...]:
    """Return the cells of each row, of all that it is compared with, and of the reference."""
    if corrected is None:
        return ()
    cells = [
        [corrected.cells(pair) for pair in of_row]
        for of_row in zip(*ablation.comparisons.values(), strict=True)
    ]
    rows = [tuple(cell for group in of_row for cell in group) for of_row in cells]
    nothing = (NO_PAIR,) * len(COMPARED) * len(ablation.comparisons)
    return (*rows, *([nothing] if ablation.reference else []))


def _reported(row: Row, ablation: Ablation, paper: OwnFigures) -> Figures:
    of_method = paper.of_method() if row.entry[1] == FULL else {}
    return {**of_method, **paper.of_row(ablation.title, row.label)}


def _caption(corrected: Corrected | None) -> str:
    if corrected is None:
        return f"{BEST} No significance is claimed. {FOLLOW}"
    return f"{BEST} {corrected.in_words} {FOLLOW}"


def _heads(components: Components, headings: Sequence[str]) -> tuple[ColumnGroup, ...]:
    """Head the losses and the differences; the columns between them speak for themselves."""
    if not components.losses and not headings:
        return ()
    groups = [
        ColumnGroup(LOSSES, components.losses, is_of_components=True),
        ColumnGroup("", len(components.names) - components.losses, is_of_components=True),
        ColumnGroup("", len(METRICS)),
        *(ColumnGroup(f"Difference {heading}", len(COMPARED)) for heading in headings),
        ColumnGroup("", 1),
    ]
    return tuple(group for group in groups if group.columns)


def write_rows(
    lines: Sequence[Line], leaders: Leaders | None = None
) -> tuple[tuple[MetricColumn, ...], tuple[ResultRow, ...]]:
    """Write lines below one header, those marked by metric than which no other is better."""
    rows = [summaries(line.runs, line.evaluation) for line in lines]
    columns, estimates = write_table(rows, leaders)
    counts = [sum(run.finished for run in line.runs) for line in lines]
    written = tuple(
        ResultRow(
            label=line.label,
            notes=line.notes,
            marks=line.marks,
            cells=metric_cells(of_line, line.reported, line.absent),
            differences=line.differences,
            seeds=str(count),
            seed_notes=tuple(_seed_notes(line, row, count, max(counts))),
            href=line.href,
            made_of=line.made_of,
            is_reference=line.is_reference,
            cost=line.cost,
        )
        for line, row, of_line, count in zip(lines, rows, estimates, counts, strict=True)
    )
    return columns, written


def _seed_notes(line: Line, row: Mapping[str, Summary | None], count: int, most: int) -> list[Note]:
    failed = [run.record for run in line.runs if not run.finished]
    fewer = [Note(f"others have {most}")] if count < most else []
    failures = [Note(f"seed {record.seed}: {record.status}") for record in failed]
    return [*fewer, *failures, *line.failures, *missing_notes(row, count)]


def _changes(changes: Mapping[str, Any]) -> tuple[str, ...]:
    written = tuple(f"{name}: {plain(value)}" for name, value in changes.items())
    return written or (AS_PUBLISHED,)
