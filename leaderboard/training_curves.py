"""What was recorded by epoch, as charts with one line a seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from leaderboard.figures import Line, legend, line_chart
from leaderboard.load import Run, finite

LOSS = "loss"
NAMED_LOSS = "loss/"  # what the history's columns of named losses start with


def training_charts(runs: Sequence[Run], anchor: str) -> tuple[Markup, ...]:
    """Draw val R1, the total loss and each named loss; nothing for what was not recorded."""
    trained = [run for run in runs if run.history]
    if not trained:
        return ()
    columns = {"val_r1": ("val R1", "%"), LOSS: ("total loss", "")}
    columns |= {name: (f"{name.removeprefix(NAMED_LOSS)} loss", "") for name in _losses(trained)}
    stages = _stage_starts(trained[0])
    charts = [
        line_chart(
            f"chart-{anchor}-{number}", title, unit, [_line(run, column) for run in trained], stages
        )
        for number, (column, (title, unit)) in enumerate(columns.items())
    ]
    return tuple(chart for chart in charts if chart)


def seed_legend(runs: Sequence[Run]) -> Markup:
    """Draw the legend that the charts share."""
    return legend([_label(run) for run in runs if run.history])


def _losses(runs: Sequence[Run]) -> list[str]:
    """Return the columns of named losses in the order of their first appearance."""
    columns = {column: None for run in runs for row in run.history for column in row}
    return [column for column in columns if column.startswith(NAMED_LOSS)]


def _stage_starts(run: Run) -> list[int]:
    """Return the epochs at which a further stage began."""
    return [
        int(row["epoch"])
        for before, row in pairwise(run.history)
        if row.get("stage") != before.get("stage") and finite(row.get("epoch")) is not None
    ]


def _line(run: Run, column: str) -> Line:
    points = [(finite(row.get("epoch")), finite(row.get(column))) for row in run.history]
    return Line(
        _label(run),
        tuple((int(epoch), value) for epoch, value in points if epoch is not None),
        run.record.selected_epoch,
    )


def _label(run: Run) -> str:
    return f"seed {run.record.seed}"
