"""Names that stand for two things: refused, before one takes the place of the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.declaration import Located
from harness.errors import HarnessError
from harness.files import slug
from harness.plan.spec import RunSpec
from harness.results import (
    RunRecord,
    evaluation_path,
    load_runs,
    read_evaluation,
    read_record,
)


def refuse_two_of_a_name(located: Iterable[Located]) -> None:
    """Refuse datasets that are called alike and hold other rows.

    Raises:
        HarnessError: there are two; the message names both.
    """
    known: dict[str, Located] = {}
    for one in located:
        other = known.setdefault(slug(one.declaration.name).casefold(), one)
        if other.fingerprint != one.fingerprint:
            raise HarnessError(
                f"Two datasets have the name {one.declaration.name!r}: "
                f"{other.declaration.argument} and {one.declaration.argument}. Results and pages "
                "know a dataset by its name alone: rename a folder, or give it a name in a suite."
            )


def why_taken(spec: RunSpec, results: Path) -> str:
    """Say why a run may not be put in its place; empty where it may.

    Asked right before it starts: other commands may have finished runs since it was planned.
    """
    there = read_record(spec.path(results))
    if there is None:
        return ""
    if there.name != spec.name:
        return f"its folder holds {there.name}"
    return _other_ground(_ground_of(spec), there)


def refuse_collisions(specs: Sequence[RunSpec], results: Path) -> None:
    """Refuse runs that would stand among those of another dataset or suite, or in their place.

    Raises:
        HarnessError: a name is taken; the message says by what, and what to do.
    """
    refuse_taken_grounds([_ground_of(spec) for spec in specs], results)
    taken = {run.path: run.record.name for run in load_runs(results)}
    for spec in specs:
        name = taken.setdefault(spec.path(results), spec.name)
        if name != spec.name:
            raise HarnessError(
                f"{spec.name} and {name} would share the folder {spec.path(results)}: run one of "
                "them with another --results."
            )


@dataclass(frozen=True)
class NamedGround:
    """A suite and a dataset, with what named them."""

    suite: str
    dataset: str
    scale: str
    fingerprint: str
    suite_argument: str
    dataset_argument: str


def refuse_taken_grounds(named: Iterable[NamedGround], results: Path) -> None:
    """Refuse grounds among whose runs there are some of another dataset or suite.

    Raises:
        HarnessError: a name is taken; the message says by what, and what to do.
    """
    grounds = {(slug(ground.suite), slug(ground.dataset)): ground for ground in named}
    for run in load_runs(results):
        suite, dataset, *_ = run.path.relative_to(results).parts
        ground = grounds.get((suite, dataset))
        if ground and (told := _other_ground(ground, run.record)):
            raise HarnessError(
                f"{ground.dataset!r} of suite {ground.suite!r} is taken in {results}: {told}. "
                "Rename this one, take another folder with --results, or remove what is there "
                f"with `harness drop --dataset {ground.dataset}`."
            )


def _ground_of(spec: RunSpec) -> NamedGround:
    arguments = spec.suite_argument, spec.dataset_argument
    return NamedGround(spec.suite, spec.dataset, spec.scale, spec.located.fingerprint, *arguments)


def _other_ground(ground: NamedGround, record: RunRecord) -> str:
    """Say in what the ground of a stored run is another one; empty where it is the same.

    A folder whose content has changed is the same dataset, and so is one that has moved.
    """
    if (record.suite, record.dataset) != (ground.suite, ground.dataset):
        return f"its folder belongs to {record.dataset!r} of suite {record.suite!r}"
    if record.scale != ground.scale:
        return f"runs there are of scale {record.scale}, and these of {ground.scale}"
    if record.data.get("fingerprint") == ground.fingerprint or not record.dataset_argument:
        return ""
    if record.dataset_argument != ground.dataset_argument:
        return (
            f"runs there are on {record.dataset_argument}, which holds other rows than "
            f"{ground.dataset_argument}"
        )
    if _place(record.suite_argument) != _place(ground.suite_argument):
        return (
            f"runs there are of {record.suite_argument}, whose {ground.dataset} holds other rows "
            f"than that of {ground.suite_argument}"
        )
    return ""


def _place(suite: str) -> str:
    """Return a suite's name, or the file that it is, however it is named."""
    return str(Path(suite).resolve()) if suite.endswith((".yaml", ".yml")) else suite


def refuse_other_evaluations(specs: Sequence[RunSpec], results: Path) -> None:
    """Refuse to evaluate on a dataset where another one of its name has been evaluated on.

    Raises:
        HarnessError: there is one; the message names both.
    """
    for spec in specs:
        for evaluation in spec.evaluations:
            there = read_evaluation(evaluation_path(spec.path(results), evaluation.name))
            if evaluation.on is None or there is None or not there.on:
                continue
            same = there.on.get("fingerprint") == evaluation.on.fingerprint
            if not same and _told_on(there.command) != _told_on(evaluation.command):
                raise HarnessError(
                    f"{spec} was evaluated on another dataset called "
                    f"{evaluation.on.declaration.name!r}, by `{there.command}`: rename a folder, "
                    "or give it a name in a suite."
                )


def _told_on(command: str) -> str:
    """Return the dataset that a command of `harness evaluate` names."""
    return command.partition(" --on ")[2]


def once(specs: Iterable[RunSpec]) -> Iterator[RunSpec]:
    """Yield runs of which no earlier one has the key: the same run by another name."""
    keys: set[tuple[str, str]] = set()
    for spec in specs:
        if (spec.suite, spec.key) not in keys:
            keys.add((spec.suite, spec.key))
            yield spec
