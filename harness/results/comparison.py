"""Comparing recorded runs: which are read, what is refused, and the statistics of what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, unknown
from harness.results import METRICS, RunRecord, StoredRun
from harness.results.answers import (
    Answers,
    average_datasets,
    check_comparable,
    read_answers,
    restrict,
)
from harness.results.seed_spread import read_spread
from harness.results.shipped import is_shipped, load_layered, say_shipped
from harness.significance import (
    Family,
    Spread,
    VarianceComponents,
    compare_all,
    detectable_difference,
    identities_needed,
    seeds_needed,
    variance_components,
)


@dataclass(frozen=True)
class ComparedFamily:
    """All pairs of some methods on one dataset, or on the mean of several."""

    suite: str
    dataset: str
    metric: str
    seeds: tuple[int, ...]
    family: Family
    shipped: Mapping[str, int]  # by method: runs that came with the project; of one dataset alone
    origin: str  # what made those; empty where there is none
    marks: Mapping[str, str]  # by method, of what was not trained here: what it rests on


@dataclass(frozen=True)
class PowerPlan:
    """What two methods' runs can tell apart on one dataset, and what it would take to see more."""

    dataset: str
    metric: str
    methods: tuple[str, str]
    components: VarianceComponents
    detectable: float  # points, with 80 % power at 5 %
    wanted: float  # points
    identities: int | None  # that show it with the seeds at hand; None: only more seeds could
    seeds: int | None  # that show it on the people at hand; None: only more people could
    shipped: str  # how many of the runs came with the project; empty where none did


@dataclass(frozen=True)
class Cell:
    """What some methods answered on one dataset, and the records of everything that ran on it."""

    answers: Mapping[str, Answers]  # by name
    runs: Mapping[str, Sequence[StoredRun]]  # of these names, finished or not
    board: Sequence[RunRecord]

    def spread(self, metric: str) -> Spread | None:
        """Return how far the seeds of the board spread."""
        return read_spread(self.board, _seeded(self.answers.values()), metric)


def compare_methods(
    results: Path,
    suite: str,
    names: Sequence[str],
    metric: str,
    datasets: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    average: bool = False,
) -> list[ComparedFamily]:
    """Compare methods, or all as published where none is named, on each dataset of a suite.

    Raises:
        HarnessError: a method, dataset or seed is missing, or answers cannot be compared.
    """
    cells = read_cells(results, suite, names, datasets, seeds)
    families = [
        _family(list(cell.answers.values()), metric, cell.spread(metric), [cell])
        for cell in cells.values()
    ]
    if average:
        families.append(_family(_averages(cells), metric, None, list(cells.values())))
    return families


def plan_comparison(
    results: Path,
    suite: str,
    names: Sequence[str],
    metric: str,
    datasets: Sequence[str] | None,
    seeds: Sequence[int] | None,
    wanted: float,
) -> list[PowerPlan]:
    """Plan how to see a difference of `wanted` points between two methods, on each dataset."""
    cells = read_cells(results, suite, names, datasets, seeds)
    return [_plan(cell, metric, wanted) for cell in cells.values()]


def read_cells(
    results: Path,
    suite: str,
    names: Sequence[str],
    datasets: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> dict[str, Cell]:
    """Return the answers by dataset: of the methods named, or of all as published.

    Raises:
        HarnessError: as `compare_methods`; a method that lacks a dataset which another has is
            refused where it was named, and left out there otherwise.
    """
    runs = load_layered(results, always=True)
    groups = _grouped(run for run in runs if run.record.suite == suite)
    if not groups:
        raise HarnessError(f"There is no run of suite {suite!r} in {results}.")
    chosen = datasets or list(groups)
    for dataset in chosen:
        if dataset not in groups:
            raise unknown("dataset with runs", dataset, groups)
    cells = {dataset: _cell(groups[dataset], dataset, names, seeds) for dataset in chosen}
    for dataset, cell in cells.items():
        if len(cell.answers) < 2:
            raise HarnessError(f"{dataset} has runs of {len(cell.answers)} method; two are needed.")
        check_comparable(list(cell.answers.values()))
    return cells


Group = Mapping[str, Sequence[StoredRun]]  # name -> the runs of one dataset


def _grouped(runs: Iterable[StoredRun]) -> dict[str, dict[str, list[StoredRun]]]:
    groups: dict[str, dict[str, list[StoredRun]]] = {}
    for run in runs:
        group = groups.setdefault(run.record.dataset, {})
        group.setdefault(run.record.name, []).append(run)
    return groups


def _cell(group: Group, dataset: str, names: Sequence[str], seeds: Sequence[int] | None) -> Cell:
    wanted = names or [name for name in group if ":" not in name and _can_be_compared(group[name])]
    for name in wanted:
        if name not in group:
            missing = unknown(f"method with runs on {dataset}", name, group)
            raise HarnessError(f"{missing} A method is compared once it has run: harness run NAME.")
    answers = {name: read_answers(name, group[name]) for name in wanted}
    if seeds is not None:
        answers = {name: restrict(found, seeds) for name, found in answers.items()}
    board = [run.record for runs in group.values() for run in runs]
    return Cell(answers, {name: group[name] for name in wanted}, board)


def _can_be_compared(runs: Sequence[StoredRun]) -> bool:
    """Tell whether a method is asked where none is named: it finished, with queries in order."""
    finished = [run.record for run in runs if run.record.status == "ok"]
    handed = [record.handed_in for record in finished if record.handed_in]
    return bool(finished) and all(one.order_checked for one in handed)


def _averages(cells: Mapping[str, Cell]) -> list[Answers]:
    """Return each method's mean over the datasets; refused while a cell is missing."""
    answers = {dataset: cell.answers for dataset, cell in cells.items()}
    names = {name: None for found in answers.values() for name in found}
    missing = [
        f"{name} on {dataset}" for dataset, had in answers.items() for name in names - had.keys()
    ]
    if missing:
        raise HarnessError(
            f"There is no mean over {', '.join(cells)} while cells are missing: "
            f"{', '.join(sorted(missing))}. Run them, or name the methods that have all."
        )
    all_answers = [one for of_dataset in answers.values() for one in of_dataset.values()]
    seeds = {one.seeds for one in all_answers if not one.is_fixed}
    if len(seeds) > 1:
        raise HarnessError("The datasets were run with different seeds: name some with --seeds.")
    return [average_datasets([of_all[name] for of_all in answers.values()]) for name in names]


def _family(
    answers: Sequence[Answers], metric: str, spread: Spread | None, cells: Sequence[Cell]
) -> ComparedFamily:
    first = _seeded(answers)
    values = {found.name: found.values[metric] for found in answers}
    _check_people(first)
    family = compare_all(values, first.people, spread)
    alone = len(cells) == 1
    compared = {name: [run for cell in cells for run in _compared(cell, name)] for name in values}
    return ComparedFamily(
        suite=first.suite,
        dataset=first.dataset,
        metric=METRICS[metric],
        seeds=first.seeds,
        family=family,
        shipped={name: sum(map(is_shipped, of)) for name, of in compared.items() if alone},
        origin=say_shipped([run for of in compared.values() for run in of]),
        marks={name: of[0].record.mark for name, of in compared.items() if of[0].record.mark},
    )


def _compared(cell: Cell, name: str) -> list[StoredRun]:
    """Return the runs of a name whose answers are compared."""
    seeds = cell.answers[name].seeds
    runs = cell.runs[name]
    return [run for run in runs if run.record.status == "ok" and run.record.seed in seeds]


def _check_people(answers: Answers) -> None:
    """Refuse what no statistic can be made of."""
    if len(set(answers.people.tolist())) < 2:
        raise HarnessError(
            f"All queries of {answers.place} are of one person: two people are the least that can "
            "tell what would hold for others."
        )


def _seeded(answers: Iterable[Answers]) -> Answers:
    """Return answers that have the seeds of the comparison; what is fixed has but one."""
    return max(answers, key=lambda one: len(one.seeds))


def _plan(cell: Cell, metric: str, wanted: float) -> PowerPlan:
    a, b = cell.answers.values()
    _check_people(a)
    spread = cell.spread(metric)
    components = variance_components(a.values[metric], b.values[metric], a.people, spread)
    several = components.seeds > 1
    return PowerPlan(
        dataset=a.dataset,
        metric=METRICS[metric],
        methods=(a.name, b.name),
        components=components,
        detectable=detectable_difference(components),
        wanted=wanted,
        identities=identities_needed(components, wanted),
        seeds=seeds_needed(components, wanted) if several else None,
        shipped=say_shipped([run for name in cell.answers for run in _compared(cell, name)]),
    )
