"""Training as TensorBoard or Weights & Biases show it, through Accelerate's trackers.

They only watch: nothing is read back from them, and one that fails is left out, which the run's log
tells, so that a lost connection ends no run.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

    from harness.plan.spec import RunSpec

TENSORBOARD = ".tensorboard"  # below the results: no suite is called so
PROJECT = "tbpr-bench"


class Tracker(StrEnum):
    """What can show a training while it goes on."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"


def require_trackers(names: Sequence[Tracker]) -> None:
    """Refuse a tracker whose package is not installed, and say what to do."""
    for name in names:
        if importlib.util.find_spec(name.value) is None:
            raise HarnessError(
                f"--track {name.value} needs the package {name.value}: "
                "pip install 'tbpr-bench[trackers]'."
            )


class Tracking:
    """The trackers of one run, as a context; they start with the first figures they are told."""

    def __init__(self, names: Sequence[str], spec: RunSpec, results: Path) -> None:
        self._waiting = [Tracker(name) for name in names]
        self._open: list[GeneralTracker] = []
        self._spec = spec
        self._results = results

    def log(self, figures: Mapping[str, Any], epoch: int) -> None:
        """Show the figures of an epoch; what is no number is left out."""
        numbers = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        self._start()
        for tracker in list(self._open):
            if not _works(tracker.name, lambda: tracker.log(numbers, step=epoch)):  # noqa: B023 (called at once)
                self._open.remove(tracker)

    def __enter__(self) -> Tracking:
        return self

    def __exit__(self, *_: object) -> None:
        # What was shown has to reach its place: the process of a run ends without ado.
        for tracker in self._open:
            _works(tracker.name, tracker.finish)
        self._open.clear()

    def _start(self) -> None:
        while self._waiting:
            name = self._waiting.pop(0)
            tracker = _make(name, self._spec, self._results)
            if _works(name, tracker.start):
                self._open.append(tracker)


def _make(name: Tracker, spec: RunSpec, results: Path) -> GeneralTracker:
    from accelerate.tracking import TensorBoardTracker, WandBTracker

    run = spec.path(results).relative_to(results).as_posix()
    if name is Tracker.TENSORBOARD:
        return TensorBoardTracker(run, results / TENSORBOARD)
    return WandBTracker(
        PROJECT,
        name=run,
        id=spec.key[:32],  # a run that goes on from its checkpoint goes on there too
        resume="allow",
        config={"config": dict(spec.config), "recipe": dict(spec.recipe), "seed": spec.seed},
        dir=str(results),
    )


def _works(name: str, ask: Callable[[], None]) -> bool:
    """Do what a tracker is asked and tell whether it could; why it could not goes to the log."""
    try:
        ask()
    except Exception as error:  # a tracker's own trouble, of any kind
        told = f"{name} failed and is left out: {type(error).__name__}: {error}"
        print(told, file=sys.stderr, flush=True)
        return False
    return True
