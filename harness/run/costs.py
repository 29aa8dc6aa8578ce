"""What a run would take, as a few steps of it tell; written where a probe of it was finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from harness.files import write_json

COSTS = "costs.json"


@dataclass(frozen=True)
class Costs:
    """Seconds, bytes, and MB of memory that a run takes on a device."""

    opening: float  # seconds until its data and method are there
    preparing: float  # until its first step
    stages: Sequence[float]  # of each, with its checkpoints and its figures on val
    auditing: float  # of all epochs on test, where that is asked for
    evaluating: float  # from the last step to its figures
    weights: int  # bytes of those of one epoch
    checkpoint: int  # bytes of what it goes on from, while it trains
    stored: int  # bytes of what it leaves beside weights
    memory: float  # the most that the process holds, MB
    device_memory: float  # and that a graphics card holds of it
    images_per_second: float  # trained, validation left aside

    def seconds(self, stages_done: int = 0) -> float:
        """Return what all of it takes, where some of the first stages are there already."""
        training = self.preparing + sum(self.stages[stages_done:]) + self.auditing
        return self.opening + training + self.evaluating

    def seconds_scored_anew(self) -> float:
        """Return what it takes to score weights that are there."""
        return self.opening + self.evaluating


def write_costs(folder: Path, costs: Costs) -> None:
    """Write costs into the folder of a probe."""
    write_json(folder / COSTS, asdict(costs))


def read_costs(folder: Path) -> Costs | None:
    """Read the costs in the folder of a probe; None where there are none that can be read."""
    try:
        values = json.loads((folder / COSTS).read_text(encoding="utf-8"))
        return msgspec.convert(values, Costs)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
