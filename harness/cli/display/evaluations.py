"""How further evaluations of trained runs are shown in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from harness.cli.display.terminal import fail, print_table
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.results import (
    FULL,
    METRICS,
    PRIMARY_EVALUATION,
    EvaluationRecord,
    StoredRun,
    evaluation_path,
    read_evaluation,
    read_record,
)

SHOWN = ("r1", "map")


class Scored(NamedTuple):
    """A further evaluation beside the run's own ranking."""

    record: EvaluationRecord
    figures: Mapping[str, float]
    ranked: Mapping[str, float]


def show_evaluations(specs: Sequence[RunSpec], results: Path) -> None:
    """Show what re-ranking or other queries changed and cost: means over seeds."""
    groups: dict[tuple[str, str], list[Scored]] = {}
    for spec in specs:
        for evaluation in spec.evaluations:
            if scored := _read(spec, evaluation, results):
                label = spec.method if spec.variant == FULL else f"{spec.method}:{spec.variant}"
                name = f"{spec.dataset} {label}", evaluation.name
                groups.setdefault(name, []).append(scored)
    rows = [(*name, *_cells(group)) for name, group in groups.items()]
    if rows:
        shown = [cell for metric in SHOWN for cell in (METRICS[metric], "change")]
        title = "Scored again, and what that changes"
        print_table(("method", "scored with", *shown, "ms a query"), rows, title)


def show_failed_evaluations(specs: Sequence[RunSpec], results: Path) -> int:
    """List the evaluations that finished runs still lack; return how many there are."""
    lacking = [
        (spec, evaluation)
        for spec in specs
        if spec.is_trained(results)
        for evaluation in spec.missing(spec.path(results))
    ]
    for spec, evaluation in lacking:
        record = read_evaluation(evaluation_path(spec.path(results), evaluation.name))
        error = (record and record.error) or {"kind": "Unfinished", "message": "its process died"}
        fail(f"{spec}, {evaluation.name}: {error['kind']}: {error['message']}")
    return len(lacking)


def _read(spec: RunSpec, evaluation: FurtherEvaluation, results: Path) -> Scored | None:
    path = spec.path(results)
    run, record = read_record(path), read_evaluation(evaluation_path(path, evaluation.name))
    if run is None or record is None or record.error or record.key != evaluation.key:
        return None
    figures = StoredRun(run, path).evaluations()
    after = figures.get(evaluation_path(path, evaluation.name).name)
    before = figures.get(PRIMARY_EVALUATION)
    return Scored(record, after, before) if after and before else None


def _cells(group: Sequence[Scored]) -> Iterator[str]:
    for metric in SHOWN:
        after = mean(scored.figures[metric] for scored in group)
        before = mean(scored.ranked[metric] for scored in group)
        yield from (f"{after:.2f}", f"{after - before:+.2f}")
    cost = mean(scored.record.query_milliseconds for scored in group)
    plain = mean(scored.record.cosine_milliseconds for scored in group)
    yield f"{plain:.2f} -> {cost:.2f}" if cost else "as before"
