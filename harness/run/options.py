"""How runs are executed: nothing here changes what a run means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    strict: bool = True  # what does not repeat its bits is an error, see `harness.run.determinism`
    trackers: tuple[str, ...] = ()  # what shows the training while it goes on
