"""Tables with bars of what `harness run --queries` asked a method as published, in one family.

Each row is the same weights and the same gallery with other questions, held against the row that it
is compared with, query by query: intervals are for other people and seeds, of all rows at once.

Shapes: S seeds, Q queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.results import PRIMARY_EVALUATION
from harness.results.answers import Answers, Floats, read_answers
from harness.significance import Comparison, Family, compare_pairs
from leaderboard.method.views import AskedRow, AskedTable
from leaderboard.records.contest import check_usable
from leaderboard.records.estimates import round_scale
from leaderboard.records.load import Run
from leaderboard.typography import ABSENT, fixed, signed, spread_decimals

WIDTH = 200.0  # of the drawing in a cell
METRIC, ALSO = "r1", ("r10", "map")
RANKED = PRIMARY_EVALUATION
Draw = Callable[[Family], Markup]


@dataclass(frozen=True)
class Asked:
    """A row before it is measured: an evaluation under a label."""

    label: str
    evaluation: str
    against: str = RANKED  # the evaluation that it is compared with


@dataclass
class Measured:
    """The answers of some evaluations of the same finished runs."""

    runs: Sequence[Run]
    answers: dict[str, Answers] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)  # why an evaluation has no figures

    def read(self, evaluation: str) -> bool:
        """Read an evaluation of all the runs; return whether there is one that can be compared."""
        if evaluation not in self.answers and evaluation not in self.silent:
            self._read(evaluation)
        return evaluation in self.answers

    def _read(self, evaluation: str) -> None:
        lacking = [run for run in self.runs if evaluation not in (run.evaluations or {})]
        if evaluation != RANKED and lacking:
            failed = any(evaluation in run.further for run in lacking)
            self.silent[evaluation] = "failed" if failed else "not asked of all seeds"
            return
        try:
            found = read_answers(evaluation, [run.stored for run in self.runs], evaluation)
            check_usable(found)
        except HarnessError:
            self.silent[evaluation] = "cannot be read"
        else:
            self.answers[evaluation] = found


def asked_table(
    runs: Sequence[Run],
    rows: Sequence[Asked],
    anchor: str,
    title: str,
    about: str,
    draw: Draw | None = None,
) -> AskedTable | None:
    """Measure evaluations of the finished runs of a method; None where none can be shown.

    `rows` are in the order of the table; `draw` makes a chart of R1 by evaluation.
    """
    measured = Measured([run for run in runs if run.finished])
    known = [row for row in rows if measured.runs and measured.read(row.evaluation)]
    if not any(row.evaluation != RANKED for row in rows) or not known:
        return None
    pairs = [
        (row.evaluation, row.against)
        for row in known
        if row.against != row.evaluation and measured.read(row.against)
    ]
    families = {m: _family(measured.answers, pairs, m) for m in (METRIC, *ALSO)}
    main = families[METRIC]
    ends = [end for row in known for end in main.intervals[row.evaluation]]
    scale = round_scale([0.0, *ends])
    decimals = spread_decimals([high - low for low, high in main.intervals.values()])
    comparisons = {pair[0]: one for pair, one in main.comparisons.items()}

    def view(row: Asked) -> AskedRow:
        name = row.evaluation
        if name in measured.silent:
            return AskedRow(row.label, ABSENT, "", "", "", measured.silent[name], False, (), "")
        low, high = main.intervals[name]
        return AskedRow(
            label=row.label,
            share=fixed(main.means[name], decimals),
            interval=f"{fixed(low, decimals)} to {fixed(high, decimals)}",
            bar=f"M0 2H{scale.place(main.means[name], WIDTH, 0):.1f}v6H0z",
            span=f"M{scale.place(low, WIDTH, 0):.1f} 5H{scale.place(high, WIDTH, 0):.1f}",
            change=_change(comparisons.get(name), decimals),
            is_real=name in comparisons and comparisons[name].is_real,
            others=tuple(fixed(families[m].means[name], decimals) for m in ALSO),
            unchanged=_unchanged(measured.runs, name),
        )

    chart = draw(main) if draw else None
    return AskedTable(anchor, title, about, tuple(map(view, rows)), f"{scale.high:g}", chart)


def _family(
    answers: Mapping[str, Answers], pairs: Sequence[tuple[str, str]], metric: str
) -> Family:
    values: dict[str, Floats] = {name: one.values[metric] for name, one in answers.items()}
    people: NDArray[Any] = next(iter(answers.values())).people
    return compare_pairs(values, pairs, people)


def _change(found: Comparison | None, decimals: int) -> str:
    if found is None:
        return ""
    ends = (signed(end, decimals) for end in (found.low, found.high))
    return f"{signed(found.difference, decimals)} ({' to '.join(ends)})"


def _unchanged(runs: Sequence[Run], evaluation: str) -> str:
    """Return how many queries stayed as they were; they are the same for all runs."""
    counts = [run.further[evaluation].unchanged for run in runs if evaluation in run.further]
    return f"{counts[-1]:,}" if counts else ""
