"""Names that stand for two things: refused, before one takes the place of the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.data.declaration import Located
from harness.errors import HarnessError
from harness.files import slug
from harness.plan.spec import RunSpec
from harness.results import RunRecord, load_runs, read_record


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


def refuse_collisions(specs: Sequence[RunSpec], results: Path) -> None:
    """Refuse runs that would stand among those of another dataset or suite, or in their place.

    Raises:
        HarnessError: a name is taken; the message says by what, and what to do.
    """
    stored = _by_ground(results, specs)
    for spec in specs:
        for record in stored.get((spec.suite, spec.dataset), ()):
            if told := _other_ground(spec, record):
                raise HarnessError(
                    f"{spec.dataset!r} of suite {spec.suite!r} is taken in {results}: {told}. "
                    "Rename this one, take another folder with --results, or remove what is there "
                    f"with `harness drop --dataset {spec.dataset}`."
                )
    taken: dict[Path, str] = {}
    for spec in specs:
        there = read_record(spec.path(results))
        own = spec.name
        name = taken.setdefault(spec.path(results), there.name if there else own)
        if name != own:
            raise HarnessError(
                f"{own} and {name} would share the folder {spec.path(results)}: run one of them "
                "with another --results."
            )


def _by_ground(
    results: Path, specs: Sequence[RunSpec]
) -> Mapping[tuple[str, str], list[RunRecord]]:
    """Return what is stored in the folders of suites and datasets, by the names that come now."""
    folders = {(slug(s.suite), slug(s.dataset)): (s.suite, s.dataset) for s in specs}
    found: dict[tuple[str, str], list[RunRecord]] = {}
    for run in load_runs(results):
        suite, dataset = run.path.relative_to(results).parts[:2]
        if ground := folders.get((suite, dataset)):
            found.setdefault(ground, []).append(run.record)
    return found


def _other_ground(spec: RunSpec, record: RunRecord) -> str:
    """Say in what the ground of a stored run is another one; empty where it is the same.

    A folder whose content has changed is the same dataset, and so is one that has moved.
    """
    if (record.suite, record.dataset) != (spec.suite, spec.dataset):
        return f"its folder belongs to {record.dataset!r} of suite {record.suite!r}"
    if record.scale != spec.scale:
        return f"runs there are of scale {record.scale}, and these of {spec.scale}"
    same_data = record.data.get("fingerprint") == spec.located.fingerprint
    if same_data or record.dataset_argument in ("", spec.dataset_argument):
        return ""
    return (
        f"runs there are on {record.dataset_argument}, which holds other rows than "
        f"{spec.dataset_argument}"
    )


def once(specs: Iterable[RunSpec]) -> Iterator[RunSpec]:
    """Yield runs of which no earlier one has the key: the same run by another name."""
    keys: set[tuple[str, str]] = set()
    for spec in specs:
        if (spec.suite, spec.key) not in keys:
            keys.add((spec.suite, spec.key))
            yield spec
