"""Where a run that was not made here comes from: ``origin.json`` beside its record.

The run's checksums cover it, so that changing it shows as any other change does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.printable import printable
from harness.results.store import StoredRun

ORIGIN = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Who submitted a run, in which bundle, and when it was imported."""

    by: str  # empty where the bundle does not say
    bundle: str  # its SHA-256
    imported: str  # ISO 8601, UTC

    def __str__(self) -> str:
        who = f"by {printable(self.by)}" if self.by else "without a name"
        return f"submitted {who} (bundle {printable(self.bundle, 12)})"


def read_origin(run: Path) -> Origin | None:
    """Return where the run of a folder comes from; None where it was made here.

    A file that cannot be read still tells that the run was not made here.
    """
    file = run / ORIGIN
    if not file.exists():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        values = None
    told = values if isinstance(values, dict) else {}
    return Origin(*(str(told.get(name, "")) for name in ("by", "bundle", "imported")))


def folders_of(runs: Iterable[StoredRun]) -> Iterator[str]:
    """Yield what runs that were made here tell of their datasets: others may name any folder."""
    return (run.record.dataset_argument for run in runs if read_origin(run.path) is None)
