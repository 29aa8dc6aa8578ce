"""What choosing the epoch by test would have added: two evaluations of the same runs, set apart.

The epoch that is best on test is compared with the one that val chose, query by query and seed by
seed, as two methods are (`harness.significance`). Of a single run the difference by R1 is never
below zero, unless a method re-scores: the one was chosen by that very figure. That is what it
measures, and its interval says for which people and seeds it would be found again.

Shapes: S seeds, Q queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.results.answers import Answers, check_comparable, read_answers
from harness.results.record import LAST_EVALUATION, TEST_EVALUATION
from harness.results.store import StoredRun
from harness.significance import Comparison, compare


@dataclass(frozen=True)
class Inflation:
    """The figures of one method, in percent: means over the seeds whose selection was audited."""

    name: str
    metric: str
    seeds: tuple[int, ...]
    epochs: tuple[tuple[int, int], ...]  # of each seed: chosen on val, best on test
    selected: float  # of the epochs that val chose
    tested: float  # of those that are best on test
    last: float | None  # None where a run did not keep it
    answers: tuple[Answers, Answers] | None  # by test and by val; None where they cannot be read

    @property
    def gain(self) -> float:
        """What choosing by test would have added, in points."""
        return self.tested - self.selected

    @cached_property
    def comparison(self) -> Comparison | None:
        """The gain with its interval, by itself; None as of `compare_on_average`."""
        return _compare([self])


def measure_inflation(name: str, runs: Sequence[StoredRun], metric: str = "r1") -> Inflation | None:
    """Measure the inflation of a method's runs on one dataset; None where none was audited."""
    found = [
        (run, selected, tested)
        for run in sorted(runs, key=lambda run: run.record.seed)
        if run.record.status == "ok"
        and (selected := _percent(run.record.metrics.get(metric))) is not None
        and (tested := _percent(run.test_selected().get(metric))) is not None
    ]
    if not found:
        return None
    audited = [run for run, _, _ in found]
    last = [_percent(run.evaluations().get(LAST_EVALUATION, {}).get(metric)) for run in audited]
    known = [value for value in last if value is not None]
    return Inflation(
        name=name,
        metric=metric,
        seeds=tuple(run.record.seed for run in audited),
        epochs=tuple(
            (run.record.selected_epoch or 0, run.record.test_selected_epoch or 0) for run in audited
        ),
        selected=fmean(selected for _, selected, _ in found),
        tested=fmean(tested for _, _, tested in found),
        last=fmean(known) if len(known) == len(found) else None,
        answers=_read(name, audited),
    )


def compare_on_average(of_methods: Sequence[Inflation]) -> Comparison | None:
    """Compare the means over methods of one dataset: what choosing by test adds to a board.

    None where they have no seeds and queries in common, and where no answer differs: runs whose
    epochs are all the same tell nothing of what other people and seeds would show.
    """
    return _compare(of_methods) if of_methods else None


def _compare(of_methods: Sequence[Inflation]) -> Comparison | None:
    answers = [one.answers for one in of_methods if one.answers is not None]
    if len(answers) < len(of_methods):
        return None
    metric, first = of_methods[0].metric, answers[0][0]
    tables = [tuple(one.values[metric] for one in both) for both in answers]
    try:
        check_comparable([one for both in answers for one in both])
        tested, selected = (np.mean(side, axis=0) for side in zip(*tables, strict=True))  # (S, Q)
        found = compare(tested, selected, first.people)
    except (HarnessError, ValueError):  # other seeds, one person alone, no numbers
        return None
    return found if found.error else None


def _read(name: str, runs: Sequence[StoredRun]) -> tuple[Answers, Answers] | None:
    try:
        return read_answers(name, runs, TEST_EVALUATION), read_answers(name, runs)
    except HarnessError:
        return None


def _percent(value: Any) -> float | None:
    """Return a figure in percent, or None: a file may hold anything."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 100 else None
