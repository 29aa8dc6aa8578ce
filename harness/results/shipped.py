"""Results that ship with the project: a layer under one's own.

`FOLDER` holds plain results, laid out as any results folder is, and ``about.json``, which says what
made them. `harness export --format shipped` writes it. It may be empty, or absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.printable import printable
from harness.results.record import RunRecord
from harness.results.store import StoredRun, load_runs

FOLDER = Path(__file__).parents[1] / "shipped"
ABOUT = "about.json"
SCHEMA_VERSION = 1
PROJECT = "tbpr-bench"
Place = tuple[str, str, str, str, int]  # of a run: suite, dataset, method, variant, seed


@dataclass(frozen=True)
class About:
    """What made the runs that ship, as their records tell it."""

    version: str  # of the project
    runs: int
    first: str  # the days on which they were started
    last: str
    machines: tuple[str, ...]
    torch: tuple[str, ...]
    commits: tuple[str, ...]
    drawing: Mapping[str, str] = field(default_factory=dict)  # fingerprint -> its code's hash
    schema_version: int = SCHEMA_VERSION

    def __str__(self) -> str:
        when = self.first if self.first == self.last else f"from {self.first} to {self.last}"
        made = (f"made {when}", f"on {' and '.join(self.machines)}" if self.machines else "",
                f"with torch {' and '.join(self.torch)}" if self.torch else "")  # fmt: skip
        return printable(f"{PROJECT} {self.version}, {' '.join(filter(None, made))}", 400)


def read_about(folder: Path | None = None) -> About | None:
    """Return what made the runs of a folder, by default those that ship; None where none tells."""
    import msgspec

    try:
        values = json.loads(((folder or FOLDER) / ABOUT).read_text(encoding="utf-8"))
        about = msgspec.convert(values, About)
    except (OSError, ValueError, RecursionError):  # that of msgspec is a ValueError
        return None
    return about if about.schema_version == SCHEMA_VERSION else None


def is_shipped(run: StoredRun) -> bool:
    """Tell whether a run came with the project."""
    return run.path.is_relative_to(FOLDER)


def find_shipped(own: Iterable[StoredRun], always: bool = False) -> list[StoredRun]:
    """Return the shipped runs that join one's own.

    They are those of the suites in which there are own runs; where there is none at all, or
    `always`, those of every suite. A place that is held by an own run is left to it. A run that
    failed holds its place too, unless it has the key of the one that ships: equal keys mean equal
    results, so that what ships is what it was to give.
    """
    held = {_place(run): run.record for run in own}
    suites = {suite for suite, *_ in held}
    return [
        run
        for run in load_runs(FOLDER)
        if (always or not suites or run.record.suite in suites)
        and _is_free(held.get(_place(run)), run.record)
    ]


def load_layered(results: Path, always: bool = False) -> list[StoredRun]:
    """Return one's own runs with the shipped ones that join them, one a place; see above."""
    own = list(load_runs(results))
    joined = find_shipped(own, always)
    taken = set(map(_place, joined))
    kept = [run for run in own if _place(run) not in taken]
    return sorted((*kept, *joined), key=lambda run: run.path.parts[-5:]) if joined else own


def say_shipped(runs: Sequence[StoredRun]) -> str:
    """Say how many of some runs ship, and what made them; empty where none does."""
    count = sum(map(is_shipped, runs))
    if not count:
        return ""
    verb = "ships" if count == 1 else "ship"
    which = f"All {count:,} runs" if 1 < count == len(runs) else f"Of {len(runs):,} runs, {count:,}"
    return f"{which} {verb} with {read_about() or 'the project'}."


def _is_free(held: RunRecord | None, shipped: RunRecord) -> bool:
    """Tell whether a run that ships may stand in a place, of which the own record is given."""
    return held is None or (held.status != "ok" and held.key == shipped.key)


def _place(run: StoredRun) -> Place:
    record = run.record
    return record.suite, record.dataset, record.method, record.variant, record.seed
