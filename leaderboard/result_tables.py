"""The tables of a method's page: its evaluations, and its ablations as the paper lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.results import PRIMARY_EVALUATION
from leaderboard.estimates import Summary, missing_notes, summaries, write_table
from leaderboard.load import FULL, Run, Variants
from leaderboard.reported_figures import Figures, OwnFigures, metric_cells
from leaderboard.typography import plain
from leaderboard.views import Note, ResultRow, ResultTable

OTHER = "Other variants"
AS_PUBLISHED = "nothing: the method as published"


@dataclass(frozen=True)
class Line:
    """A row before it is written: some runs under a label."""

    label: str
    runs: Sequence[Run]
    changes: tuple[str, ...] = ()
    evaluation: str | None = None
    reference: bool = False
    position: int = 0  # in the method's own table
    reported: Figures = field(default_factory=dict)


def evaluation_table(variants: Variants, paper: OwnFigures) -> ResultTable | None:
    """Return every evaluation of the method as published, the ranked one first."""
    runs = [run for run in variants.get(FULL, []) if run.finished]
    if not runs:
        return None
    others = {name: None for run in runs for name in run.evaluations or {}}
    lines = [Line(PRIMARY_EVALUATION, runs, ("ranked",), reported=paper.of_method())] + [
        Line(name, runs, evaluation=name) for name in others if name != PRIMARY_EVALUATION
    ]
    caption = "Evaluations of the same trained weights: mean and range over seeds."
    return _write("Results", caption, "Evaluation", lines, shows_changes=False)


def ablation_tables(variants: Variants, paper: OwnFigures) -> tuple[ResultTable, ...]:
    """Return a table for each ablation table of which a row was run, and one for other variants.

    Where the method as published is no row of a table, it stands below as the reference.
    """
    tables: dict[str, list[Line]] = {}
    for label, runs in variants.items():
        latest = runs[-1].record
        of_method = paper.of_method() if label == FULL else {}
        places = latest.tables or (() if label == FULL else ((OTHER, label, 0),))
        for table, row, position in places:
            reported = {**of_method, **paper.of_row(table, row)}
            line = Line(row, runs, _changes(latest.changes), position=position, reported=reported)
            tables.setdefault(table, []).append(line)
    full = Line(
        "as published", variants.get(FULL, []), (AS_PUBLISHED,), reference=True,
        reported=paper.of_method(),
    )  # fmt: skip
    caption = "Mean and range over seeds. Best in bold, second underlined; no significance claimed."
    return tuple(
        _write(title, caption, "Row", _with_reference(_in_order(lines), full), shows_changes=True)
        for title, lines in tables.items()
        if any(line.runs is not full.runs for line in lines)
    )


def _in_order(lines: Sequence[Line]) -> list[Line]:
    """Return the rows as the method declares them, which is how its paper prints them."""
    return sorted(lines, key=lambda line: line.position)


def _with_reference(lines: Sequence[Line], full: Line) -> list[Line]:
    has_full = any(line.runs is full.runs for line in lines)
    return [*lines] if has_full or not full.runs else [*lines, full]


def _write(
    title: str, caption: str, label_header: str, lines: Sequence[Line], *, shows_changes: bool
) -> ResultTable:
    rows = [summaries(line.runs, line.evaluation) for line in lines]
    columns, estimates = write_table(rows, rivals=shows_changes)
    counts = [sum(run.finished for run in line.runs) for line in lines]
    most = max(counts)
    return ResultTable(
        title=title,
        caption=caption,
        label_header=label_header,
        columns=columns,
        rows=tuple(
            ResultRow(
                line.label, line.changes, metric_cells(of_line, line.reported), str(count),
                tuple(_notes(line, row, count, most)), line.reference,
            )
            for line, row, of_line, count in zip(lines, rows, estimates, counts, strict=True)
        ),
        shows_changes=shows_changes,
    )  # fmt: skip


def _notes(line: Line, row: Mapping[str, Summary | None], count: int, most: int) -> list[Note]:
    failed = [run.record for run in line.runs if not run.finished]
    fewer = [Note(f"others have {most}")] if count < most else []
    failures = [Note(f"seed {record.seed}: {record.status}") for record in failed]
    return [*fewer, *failures, *missing_notes(row, count)]


def _changes(changes: Mapping[str, Any]) -> tuple[str, ...]:
    written = tuple(f"{name}: {plain(value)}" for name, value in changes.items())
    return written or (AS_PUBLISHED,)
