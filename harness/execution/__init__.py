"""Where and how runs are executed."""

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
