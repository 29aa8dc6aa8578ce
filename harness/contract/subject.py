"""A method to be checked, and its trainings, each made once for all checks that look at it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from harness import registry
from harness.contract.broken import Broken
from harness.contract.case import BATCH, EPOCHS, FEW, Case, as_it_is
from harness.contract.observation import Handed, Observer, Step, digests
from harness.data.schema import Split
from harness.method import Supervision
from harness.registry.settings import build
from harness.results.paper import ExtraData
from harness.training import Interrupted

STEPS = 2 * FEW // BATCH  # of an epoch
TRAININGS = 4  # as published, again, with other people, and stopped at every step
BUILDINGS = 8  # beside one for every row and for every step that training is stopped at


@dataclass(frozen=True)
class TrainedCase:
    """A case that was trained, with its weights as they were before and after."""

    case: Case
    before: dict[str, Tensor]
    after: dict[str, Tensor]
    steps: Sequence[Step] = ()
    handed: Sequence[Handed] = ()  # to the modules of the method, in its first step


@dataclass(frozen=True)
class Row:
    """What is kept of a variant that was trained: digests of its state, for rows are many."""

    named: set[str]  # losses of its config
    trained: set[str]  # losses that it returned; none where it is not trained
    before: dict[str, str]
    after: dict[str, str]
    not_finite: list[str]  # parameters and buffers that hold NaN or infinity afterwards


class TrainingFailed(Exception):
    """A method raised while it was trained; the cause is what it raised."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__(f"{where}: {type(error).__name__}: {error}")
        self.error = error


@dataclass(frozen=True)
class Subject:
    """A method to be checked, at a scale, on the small drawn dataset."""

    listing: registry.Listing
    scale: str
    dolls: Path
    # Told about how many seconds all checks will take, as soon as two steps have shown it.
    expected: Callable[[float], None] = lambda seconds: None
    _rows: dict[int, Row] = field(default_factory=dict)

    @cached_property
    def trained(self) -> TrainedCase:
        """The method as published, trained once for all checks; they only look at it.

        Raises:
            TrainingFailed: the method raised.
            Broken: its steps keep memory.
        """
        began = time.monotonic()
        case = self.case()
        building = time.monotonic() - began
        _leave_out_what_is_imported()
        before = {name: value.clone() for name, value in case.method.state_dict().items()}
        if not case.recipe.stages:
            return TrainedCase(case, before, before)
        observer = Observer(case.method, partial(self._estimate, building))
        try:
            after = case.train(observer=observer)
        except Broken:
            raise
        except Exception as error:
            raise TrainingFailed(_where(observer), error) from error
        return TrainedCase(case, before, after, observer.steps, observer.handed)

    def _estimate(self, building: float, steps: Sequence[Step]) -> None:
        """Tell after the second step how long everything will take."""
        if len(steps) != 2:
            return
        seconds = steps[1].clock - steps[0].clock
        stages, rows = len(self.case().recipe.stages), len(self.labels) - 1
        whole = stages * EPOCHS * STEPS
        buildings = BUILDINGS + whole + rows
        self.expected(building * buildings + seconds * (TRAININGS * whole + rows * stages * STEPS))

    def row(self, number: int) -> Row:
        """Return a variant by its position, trained on all captions at once in every stage."""
        if number not in self._rows:
            self._rows[number] = self._train_row(number)
        return self._rows[number]

    def _train_row(self, number: int) -> Row:
        case = self.trained.case if number == 0 else self.case(number)
        before = digests(self.trained.before if number == 0 else case.method.state_dict())
        if number and case.recipe.stages:
            case.train(epochs=1, batch_size=STEPS * BATCH)
        after = case.method.state_dict()
        return Row(
            named=set(case.method.config.losses),
            trained=case.trained_losses(),
            before=before,
            after=digests(after),
            not_finite=[name for name, value in after.items() if not torch.isfinite(value).all()],
        )

    def resume_everywhere(self) -> Iterator[Step]:
        """Train as published, stopped after every step and taken up by a method that is built anew.

        Yields each step.
        """
        with TemporaryDirectory() as folder:
            for _ in self.trained.steps:
                case = self.case()
                observer = Observer(case.method)
                with suppress(Interrupted):
                    case.train(Path(folder), observer=observer, asked_to_end=lambda: True)
                yield from observer.steps

    def case(
        self,
        variant: int = 0,
        seed: int = 0,
        change: Callable[[Split], Split] = as_it_is,
        settings: Mapping[str, Any] | None = None,
    ) -> Case:
        """Build a variant by its position, with settings; the method as published is the first."""
        chosen = self.variants[variant]
        changed = {**chosen, "changes": {**chosen["changes"], **(settings or {})}}
        return Case(self.listing, changed, self.scale, self.dolls, seed=seed, change=change)

    @property
    def variants(self) -> Sequence[dict[str, Any]]:
        """The variants at this scale as the listing describes them, the published one first."""
        from harness.plan import variants_at

        assert self.listing.description is not None
        here = variants_at(self.listing.description, self.scale)
        return [v for v in self.listing.description["variants"] if v["label"] in here]

    def supervision(self, variant: int) -> Supervision:
        """Return what a variant, by its position, declares that it may know."""
        assert self.listing.description is not None
        config = self.listing.description["scales"][self.scale]["config"]
        return Supervision({**config, **self.variants[variant]["changes"]}["supervision"])

    @property
    def extra_data(self) -> ExtraData | None:
        """What the method says it was trained on beside the benchmark; None where nothing."""
        assert self.listing.description is not None
        backbone = self.listing.description["scales"][self.scale]["config"]["backbone"]
        told = self.listing.description["extra_data"].get(backbone)
        return told and build(ExtraData, told)

    @property
    def labels(self) -> list[str]:
        """The labels of the variants, in their order."""
        return [str(variant["label"]) for variant in self.variants]


def _leave_out_what_is_imported() -> None:
    """Leave what is in memory out of searches for cycles: each stage of a training makes one."""
    gc.collect()
    gc.freeze()


def _where(observer: Observer) -> str:
    return f"after {observer.steps[-1]}" if observer.steps else "in the first step or before it"
