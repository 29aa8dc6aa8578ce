"""How fast a training goes, what is left at that pace, and how long it waits for data.

Times are those of this process alone, by the clock on the wall. On a graphics card work is queued:
single steps tell little there, and many of them as much as on the processor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

# Of the pace so far, with each step: the last ten count most, and the first is forgotten.
KEPT = 0.9


class Pace:
    """What the steps of a training take, while it goes on."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._row_seconds: float | None = None
        self._last = 0.0  # when the last step ended, or its epoch began
        self._waited = 0.0  # since `take_waited`
        self._all_waited = 0.0
        self._stepping = 0.0  # seconds of epochs, what is between them left aside
        self._ended: float | None = None  # when the last epoch did
        self._between: list[float] = []  # seconds from an epoch to the next

    def begin(self) -> None:
        """Say that an epoch begins, or goes on."""
        self._last = self._clock()
        if self._ended is not None:
            self._between.append(self._last - self._ended)

    def end(self) -> None:
        """Say that an epoch has ended: what comes until the next is no training."""
        self._ended = self._clock()

    def waiting(self, batches: Iterator[Item]) -> Iterator[Item]:
        """Yield batches, and add up how long each was waited for."""
        asked = self._clock()
        for batch in batches:
            waited = self._clock() - asked
            self._waited += waited
            self._all_waited += waited
            yield batch
            asked = self._clock()

    def step(self, rows: int) -> None:
        """Count a step on so many rows that has just ended."""
        now = self._clock()
        took, self._last = now - self._last, now
        self._stepping += took
        before = took / rows if self._row_seconds is None else self._row_seconds
        self._row_seconds = KEPT * before + (1 - KEPT) * took / rows

    def take_waited(self) -> float:
        """Return the seconds waited for batches since this was asked last."""
        waited, self._waited = self._waited, 0.0
        return waited

    @property
    def images_per_second(self) -> float | None:
        """Rows a second, of late; None before the first step."""
        return 1 / self._row_seconds if self._row_seconds else None

    @property
    def waiting_share(self) -> float | None:
        """Which share of the epochs so far was spent waiting for batches; None before a step."""
        return self._all_waited / self._stepping if self._stepping else None

    def seconds_left(self, rows: int, epochs: int) -> float | None:
        """Return what so many rows take, with what is between so many epochs; None before a step.

        Before the first epoch has ended nothing is known of what is between, and nothing counted.
        """
        if self._row_seconds is None:
            return None
        between = sum(self._between) / len(self._between) if self._between else 0.0
        return rows * self._row_seconds + epochs * between
