"""Where and how runs are executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import RunRecord


@dataclass(frozen=True)
class Options:
    """How runs are executed; nothing here changes what a run means."""

    results: Path
    device: str = "cpu"
    pixel_cache: bool = True
    keep: str = "selected"  # none, selected or all
    jobs: int = 1
    force: bool = False  # run again what is complete
    timeout: float | None = None  # seconds for a run
    memory: int | None = None  # bytes that each process of a run may allocate
    nodes: int = 1  # of a Slurm job, that the processes of a run are divided over
    trackers: tuple[str, ...] = ()  # what shows the training while it goes on


@dataclass(frozen=True)
class Watch:
    """What is told while runs are executed; one that another process does is only finished."""

    started: Callable[[RunSpec], None]
    updated: Callable[[RunSpec, Update], None]
    finished: Callable[[RunSpec, RunRecord], None]
    stopping: Callable[[], None] = lambda: None
    queue: Callable[[int, int], None] = lambda queued, running: None  # runs that a cluster has
    told: Callable[[str], None] = lambda text: None  # what else the user should know
