"""What `harness tune` shows: the points of a grid by their figures on val, and the best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from harness.cli.display.running import spread
from harness.cli.display.terminal import console, escape, fail, note, print_table
from harness.results import RECORD, RunRecord, read_record

if TYPE_CHECKING:
    from harness.plan import Point
    from harness.plan.spec import Trial


@dataclass(frozen=True)
class _Tried:
    """A point of a grid with the records of its trials that are complete."""

    point: Point
    records: Sequence[RunRecord]

    @property
    def is_whole(self) -> bool:
        return len(self.records) == len(self.point.trials)

    @property
    def merit(self) -> tuple[bool, float, float]:
        """What puts it before others: every seed, then mean val R1, then mAP, as epochs are."""
        return self.is_whole, self.mean("val_r1"), self.mean("val_map")

    def figures(self, name: str) -> list[float]:
        return [record.metrics[name] for record in self.records]

    def mean(self, name: str) -> float:
        return mean(self.figures(name)) if self.records else 0.0


def show_tuning(points: Sequence[Point], results: Path) -> None:
    """Show the points of a grid, dataset by dataset, best mean val R1 first, and test the best."""
    groups: dict[str, list[_Tried]] = {}
    for point in points:
        tried = _Tried(point, [record for t in point.trials if (record := _complete(t, results))])
        groups.setdefault(point.trials[0].dataset, []).append(tried)
    for dataset, group in groups.items():
        group.sort(key=lambda tried: tried.merit, reverse=True)
        _print_points(dataset, group)
        _print_best(group[0])
        _note_ends(group)


def _complete(trial: Trial, results: Path) -> RunRecord | None:
    return read_record(trial.path(results)) if trial.is_complete(results) else None


def _print_points(dataset: str, group: Sequence[_Tried]) -> None:
    from harness.plan.values import write_value

    trial = group[0].point.trials[0]
    names = list(group[0].point.settings)
    rows = []
    for rank, tried in enumerate(group, 1):
        values = [write_value(tried.point.settings[name]) for name in names]
        rows.append((str(rank), *values, *_cells(tried)))
    drawn = ": drawn people" if trial.located.declaration.drawn else ""
    title = f"{dataset} ({trial.suite}), {trial.method}, val, mean over seeds{drawn}"
    print_table(("", *names, "val R1", "R1 range", "val mAP", "seeds"), rows, title)


def _cells(tried: _Tried) -> tuple[str, ...]:
    seeds = f"{len(tried.records)}"
    if not tried.is_whole:
        seeds += f" of {len(tried.point.trials)}"
    if not tried.records:
        return "", "", "", seeds
    r1 = tried.figures("val_r1")
    return f"{mean(r1):.2f}", spread(r1), f"{tried.mean('val_map'):.2f}", seeds


def _print_best(best: _Tried) -> None:
    """Print the command that tests the best point, if one has all its seeds."""
    if best.is_whole:
        told = f"The best on val. What it does on test:\n{best.point.command}"
        console.print(escape(told), highlight=False, soft_wrap=True)


def _note_ends(group: Sequence[_Tried]) -> None:
    """Say of which settings the best value is the largest or smallest that was tried."""
    best = group[0].point.settings if group[0].is_whole else {}
    for name, value in best.items():
        tried = {one.point.settings[name] for one in group}
        if len(tried) > 1 and all(map(_is_number, tried)) and value in (min(tried), max(tried)):
            end = "smallest" if value == min(tried) else "largest"
            note(f"{name} {value} is the {end} that was tried: one further on may be better.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def show_failed_trials(trials: Sequence[Trial], results: Path) -> int:
    """List the trials that are not complete, and return how many there are."""
    failed = [trial for trial in trials if not trial.is_complete(results)]
    for trial in failed:
        record = read_record(trial.path(results))
        error = (record and record.error) or {"kind": "Unfinished", "message": "its process died"}
        file = trial.path(results) / RECORD
        fail(f"{trial}: {error['kind']}: {error['message']} (in {file})")
    return len(failed)
