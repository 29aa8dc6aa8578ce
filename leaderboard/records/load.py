"""Run records grouped by where they compete: (suite, dataset), then method, then variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow

from harness.files import UNFINISHED, slug
from harness.results import EvaluationRecord, RunRecord, StoredRun, shipped

FULL = "full"  # the variant that is the method as published
LARGEST = 1e100  # beyond it the arithmetic of an axis may overflow


@dataclass(frozen=True)
class Run:
    """A record with the tables beside it; empty where they are absent or cannot be read."""

    record: RunRecord
    stored: StoredRun
    history: tuple[Mapping[str, Any], ...] = ()
    evaluations: Mapping[str, Mapping[str, Any]] | None = None
    further: Mapping[str, EvaluationRecord] = field(default_factory=dict)  # failed ones too

    @property
    def finished(self) -> bool:
        return self.record.status == "ok"

    @property
    def is_shipped(self) -> bool:
        """Whether it came with the project."""
        return shipped.is_shipped(self.stored)

    def metric(self, name: str, evaluation: str | None = None) -> float | None:
        """Return a percentage of the primary evaluation, or of a named one; None without any."""
        by_name = self.evaluations or {}
        found = by_name.get(evaluation, {}) if evaluation else self.record.metrics
        value = finite(found.get(name))
        return value if value is not None and 0 <= value <= 100 else None


Variants = dict[str, list[Run]]  # label -> runs by seed


@dataclass(frozen=True)
class Ground:
    """The runs that compete with one another."""

    suite: str
    dataset: str
    methods: dict[str, Variants]
    unread: tuple[str, ...] = ()  # folders of methods that hold no run that ended and can be read

    @property
    def is_drawn(self) -> bool:
        """Whether a program drew the people of its dataset."""
        return any(bool(run.record.data.get("drawn")) for run in self.runs)

    @property
    def label(self) -> str:
        return f"{self.suite}/{self.dataset}"

    @property
    def runs(self) -> list[Run]:
        return [run for method in self.methods for run in self.runs_of(method)]

    def runs_of(self, method: str) -> list[Run]:
        return [run for runs in self.methods.get(method, {}).values() for run in runs]

    def without_noise(self, method: str) -> Variants:
        """Return the variants of a method but for those whose training pairs were made wrong."""
        found = self.methods.get(method, {})
        return {label: runs for label, runs in found.items() if not runs[-1].record.noise}

    def full(self, method: str) -> list[Run]:
        return self.methods.get(method, {}).get(FULL, [])


def load_grounds(results: Path, always: bool = False) -> list[Ground]:
    """Read a results folder, with the shipped runs that join its own, or always all of them.

    Variants stand in the order in which they were first started.

    Raises ValueError where there is no run.
    """
    runs = [_with_tables(stored) for stored in shipped.load_layered(results, always)]
    if not runs:
        raise ValueError(
            f'there is no run below {results} to report; make some with "harness run --all"'
        )
    grounds = _grouped(sorted(runs, key=lambda run: run.record.started))
    return [replace(ground, unread=_unread(ground, results)) for ground in grounds]


def _unread(ground: Ground, results: Path) -> tuple[str, ...]:
    """Return the folders of methods that began a run here, of which there is no record."""
    began = (results / slug(ground.suite) / slug(ground.dataset)).glob("*/*/seed-*")
    known = set(map(slug, ground.methods))
    return tuple(sorted({run.parent.parent.name for run in began} - known))


def as_seen_from(results: Path, text: str) -> str:
    """Return a text in which files are named from the folder of results, or of what ships, on."""
    return text.replace(f"{results}/", "").replace(f"{shipped.FOLDER}/", "")


def finite(value: Any) -> float | None:
    """Return a number that can be drawn, or None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < LARGEST else None


def _grouped(runs: Iterable[Run]) -> list[Ground]:
    grounds: dict[tuple[str, str], Ground] = {}
    seen: dict[tuple[str, str, str, str, int], Run] = {}
    for run in runs:
        record = run.record
        place = (record.suite, record.dataset, record.method, record.variant, record.seed)
        seen[place] = run  # of two copies of one seed the later counts, once
    for run in seen.values():
        record = run.record
        key = (record.suite, record.dataset)
        ground = grounds.setdefault(key, Ground(*key, methods={}))
        ground.methods.setdefault(record.method, {}).setdefault(record.variant, []).append(run)
    for ground in grounds.values():
        for variants in ground.methods.values():
            for same in variants.values():
                same.sort(key=lambda run: run.record.seed)
    return [grounds[key] for key in sorted(grounds)]


def _with_tables(stored: StoredRun) -> Run:
    further = _further(stored)
    return Run(
        stored.record, stored, tuple(_history(stored)), _evaluations(stored, further), further
    )


def _history(stored: StoredRun) -> list[dict[str, Any]]:
    try:
        return stored.history()
    except (OSError, pyarrow.ArrowInvalid):
        return []


def _further(stored: StoredRun) -> dict[str, EvaluationRecord]:
    found = stored.further_evaluations()
    return {name: one for name, one in found.items() if _is_whole(name)}


def _evaluations(
    stored: StoredRun, further: Mapping[str, EvaluationRecord]
) -> dict[str, dict[str, Any]]:
    """Return the metrics by evaluation; where one failed, those beside its error are older."""
    failed = {name for name, one in further.items() if one.error is not None}
    return {
        name: metrics
        for name, metrics in stored.evaluations().items()
        if _is_whole(name) and name not in failed
    }


def _is_whole(evaluation: str) -> bool:
    """Say whether a folder of an evaluation is not one that a killed process left half-made."""
    return not evaluation.endswith(UNFINISHED)
