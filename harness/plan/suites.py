"""Suites: datasets, a scale and seeds, by name or from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.data.catalogue import find_declaration, read_declaration
from harness.data.declaration import Declaration
from harness.errors import HarnessError, unknown
from harness.limits import RUN_OPTIONS
from harness.registry.scales import parse_scale

SUITES = Path(__file__).with_name("suites")


@dataclass(frozen=True)
class Suite:
    """Datasets x scale x seeds."""

    name: str
    title: str
    scale: str
    seeds: tuple[int, ...]
    datasets: tuple[str, ...]
    argument: str = ""  # what names it on the command line, where that is not its name
    audit_selection: bool = False  # each epoch is scored on test too, apart from what is ranked
    options: Mapping[str, Any] = field(default_factory=dict)  # of its runs: names in RUN_OPTIONS
    also_on: tuple[str, ...] = ()  # datasets on which `run --all` tests what was trained here
    declared: Mapping[str, Declaration] = field(default_factory=dict)  # datasets of its own

    def find_declaration(self, name: str) -> Declaration:
        """Return a dataset of the suite's own, of the catalogue, or of a folder by its path."""
        return self.declared.get(name) or find_declaration(name)


@dataclass(frozen=True)
class _File:
    """A suite as it is written."""

    scale: str
    seeds: tuple[int, ...]
    datasets: tuple[Any, ...]  # names, or mappings that declare one
    title: str | None = None
    audit_selection: bool = False
    options: Mapping[str, int | str] = field(default_factory=dict)  # as --chunks and its kin
    also_on: tuple[str, ...] = ()


def read_suite(name: str) -> Suite:
    """Return a suite by name, or from a YAML file by path."""
    import msgspec

    from harness.plan.values import read_values

    known = {path.stem: path for path in SUITES.glob("*.yaml")}
    path = known.get(name, Path(name))
    if name not in known and path.suffix not in (".yaml", ".yml"):
        raise unknown("suite", name, known)
    if name not in known and path.stem in known:
        raise HarnessError(
            f"Suite {path} is called like the suite {path.stem!r} that comes with the harness: "
            "rename the file, its runs would stand among the other's."
        )
    try:
        values = read_values(path.read_text(encoding="utf-8"))
        _refuse_unknown(values, path)
        file = msgspec.convert(values, _File)
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"Suite {path}: {error}. A suite is YAML with scale, seeds and datasets."
        ) from error
    for option in file.options:
        if option not in RUN_OPTIONS:
            raise HarnessError(f"Suite {path}: {unknown('option of a run', option, RUN_OPTIONS)}")
    parse_scale(file.scale)
    if not file.seeds or min(file.seeds) < 0 or len({*file.seeds}) < len(file.seeds):
        raise HarnessError(
            f"Suite {path}: seeds is {list(file.seeds)}; write whole numbers from 0, each once, as "
            "in [0, 1, 2]."
        )
    datasets = [
        one if isinstance(one, str) else read_declaration(one, path.parent) for one in file.datasets
    ]
    names = [one if isinstance(one, str) else one.name for one in datasets]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise HarnessError(f"Suite {path}: the dataset {', '.join(twice)} stands twice.")
    return Suite(
        name=path.stem,
        title=file.title or path.stem,
        scale=file.scale,
        seeds=file.seeds,
        datasets=tuple(names),
        argument=name,
        audit_selection=file.audit_selection,
        options=dict(file.options),
        also_on=file.also_on,
        declared={one.name: one for one in datasets if not isinstance(one, str)},
    )


def _refuse_unknown(values: Any, path: Path) -> None:
    """Refuse a key that no suite has, as a misspelt one."""
    known = [one.name for one in fields(_File)]
    for key in values if isinstance(values, Mapping) else ():
        if key not in known:
            raise HarnessError(f"Suite {path}: {unknown('key', str(key), known)}")


def list_suites() -> list[Suite]:
    """Return the suites that come with the harness."""
    return [read_suite(path.stem) for path in sorted(SUITES.glob("*.yaml"))]
