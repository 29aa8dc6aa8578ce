"""What is told while runs are executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import RunRecord


@dataclass(frozen=True)
class Watch:
    """What is told while runs are executed; one that another process does is only finished."""

    started: Callable[[RunSpec], None]
    updated: Callable[[RunSpec, Update], None]
    finished: Callable[[RunSpec, RunRecord], None]
    stopping: Callable[[], None] = lambda: None
    queue: Callable[[int, int], None] = lambda queued, running: None  # runs that a cluster has
    told: Callable[[str], None] = lambda text: None  # what else the user should know
