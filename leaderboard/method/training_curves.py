"""What was recorded by epoch, as charts with one line a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from leaderboard.drawing.figures import Line, legend, line_chart
from leaderboard.records.load import Run, finite

LOSS = "loss"
NAMED_LOSS = "loss/"  # what the history's columns of named losses start with
PAIRS = "pairs/"  # what its columns on reported pairs start with; they end in one of these:
RIGHT, COUNT = "/right", "/count"
CLEAN = "clean/count"  # what a method called clean where no pair was made wrong


@dataclass(frozen=True)
class Curve:
    """A column of the history, and how it is shown."""

    column: str
    title: str
    unit: str = ""
    factor: float = 1.0


def training_charts(runs: Sequence[Run], anchor: str) -> tuple[Markup, ...]:
    """Draw val R1, the total loss and each named loss; nothing for what was not recorded."""
    losses = [
        Curve(column, f"{column.removeprefix(NAMED_LOSS)} loss")
        for column in _columns(runs, NAMED_LOSS)
    ]
    clean = Curve(CLEAN, "pairs taken for clean", "count per epoch")
    curves = [Curve("val_r1", "val R1", "%"), Curve(LOSS, "total loss"), *losses, clean]
    return _charts(runs, curves, f"chart-{anchor}")


def pair_charts(runs: Sequence[Run], anchor: str) -> tuple[Markup, ...]:
    """Draw how many of the pairs that a method reported are right, and how many it reported."""
    columns = [column.removeprefix(PAIRS) for column in _columns(runs, PAIRS)]
    names = dict.fromkeys(column.removesuffix(RIGHT).removesuffix(COUNT) for column in columns)
    curves = [
        curve
        for name in names
        for curve in (
            Curve(f"{PAIRS}{name}{RIGHT}", f"{name} pairs that are right", "%", factor=100),
            Curve(f"{PAIRS}{name}{COUNT}", f"{name} pairs", "count per epoch"),
        )
    ]
    return _charts(runs, curves, f"pairs-{anchor}")


def _charts(runs: Sequence[Run], curves: Sequence[Curve], prefix: str) -> tuple[Markup, ...]:
    trained = [run for run in runs if run.history]
    if not trained:
        return ()
    stages = _stage_starts(trained[0])
    charts = [
        line_chart(
            f"{prefix}-{number}", curve.title, curve.unit,
            [_line(run, curve) for run in trained], stages,
        )
        for number, curve in enumerate(curves)
    ]  # fmt: skip
    return tuple(chart for chart in charts if chart)


def seed_legend(runs: Sequence[Run]) -> Markup:
    """Draw the legend that the charts share."""
    return legend([_label(run) for run in runs if run.history])


def _columns(runs: Sequence[Run], start: str) -> list[str]:
    """Return the columns whose names start so, in the order of their first appearance."""
    columns = {column: None for run in runs for row in run.history for column in row}
    return [column for column in columns if column.startswith(start)]


def _stage_starts(run: Run) -> list[int]:
    """Return the epochs at which a further stage began."""
    return [
        int(row["epoch"])
        for before, row in pairwise(run.history)
        if row.get("stage") != before.get("stage") and finite(row.get("epoch")) is not None
    ]


def _line(run: Run, curve: Curve) -> Line:
    points = [
        (finite(row.get("epoch")), _value(row.get(curve.column), curve)) for row in run.history
    ]
    return Line(
        _label(run),
        tuple((int(epoch), value) for epoch, value in points if epoch is not None),
        run.record.selected_epoch,
    )


def _value(recorded: object, curve: Curve) -> float | None:
    value = finite(recorded)
    return None if value is None else value * curve.factor


def _label(run: Run) -> str:
    return f"seed {run.record.seed}"
