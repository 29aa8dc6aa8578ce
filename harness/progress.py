"""What is said of long work while it goes on; no torch, because the command line reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Show = Callable[[str, int, int], None]  # what is being done, done, in all


@dataclass(frozen=True)
class Progress:
    """Where training stands."""

    epoch: int  # from 1, over all stages
    epochs: int
    step: int  # from 1, within the epoch
    steps: int
    loss: float
    val_r1: float | None  # of the best epoch so far
    images_per_second: float | None = None
    seconds_left: float | None = None  # of training
    waiting_share: float | None = None  # of the time, for data


@dataclass(frozen=True)
class Update:
    """What a run is doing, and how far training is."""

    doing: str
    progress: Progress | None = None
    doubt: str = ""  # what lies far outside earlier runs, once
