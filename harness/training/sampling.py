"""Which captions make the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.data.schema import Integers, TrainView
from harness.errors import HarnessError
from harness.method import Stage


@dataclass(frozen=True)
class Part:
    """What a batch is of a step of the optimiser."""

    share: float  # of the rows
    is_last: bool


WHOLE = Part(1.0, True)


def parts_of_steps(batches: Sequence[Tensor], stage: Stage) -> Sequence[Part]:
    """Return what each batch of an epoch is of a step; the last step may have fewer batches."""
    found: list[Part] = []
    for first in range(0, len(batches), stage.accumulate):
        sizes = [len(batch) for batch in batches[first : first + stage.accumulate]]
        found += [Part(size / sum(sizes), False) for size in sizes[:-1]]
        found.append(Part(sizes[-1] / sum(sizes), True))
    return found


def count_batches(view: TrainView, stage: Stage) -> int:
    """Return how many batches an epoch of a stage has."""
    rows = len(view.captions)
    if not stage.images_per_person:
        return -(-rows // stage.batch_size)
    return -(-rows // (_people_in_a_batch(stage, _people(view)) * stage.images_per_person))


def batches_of_epoch(order: np.random.Generator, view: TrainView, stage: Stage) -> Iterator[Tensor]:
    """Yield the caption indices of each batch of one epoch.

    Where a stage draws by people, each batch has different ones; else each caption comes once, and
    the last batch may be smaller.

    Raises:
        HarnessError: batches are to be drawn by people, and there are none to see.
    """
    if not stage.images_per_person:
        shuffled = torch.from_numpy(order.permutation(len(view.captions)))
        yield from torch.split(shuffled, stage.batch_size)
        return
    captions, people = _Captions(view), _rounds(order, _people(view), stage)
    for _ in range(count_batches(view, stage)):
        drawn = [captions.draw(order, one, stage.images_per_person) for one in next(people)]
        yield torch.from_numpy(np.concatenate(drawn))


def _people(view: TrainView) -> int:
    if view.person_of_image is None:
        raise HarnessError(
            "images_per_person: batches are drawn by people, and this supervision is shown none: "
            "declare identity, or write 0."
        )
    return 1 + int(view.person_of_image.max())


def _people_in_a_batch(stage: Stage, people: int) -> int:
    return min(stage.batch_size // stage.images_per_person, people)


def _rounds(order: np.random.Generator, people: int, stage: Stage) -> Iterator[Integers]:
    """Yield the people of one batch after the other, without end; each round has each once.

    Those that are left at the end of a round, too few for a batch, are left out of it.

    Hermans, Beyer and Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017,
    section 2: P people, drawn at random, with K images each. https://arxiv.org/abs/1703.07737
    """
    size = _people_in_a_batch(stage, people)
    while True:
        whole = people - people % size
        yield from np.split(order.permutation(people)[:whole], whole // size)


class _Captions:
    """The captions of each person."""

    def __init__(self, view: TrainView) -> None:
        assert view.person_of_image is not None
        self._image = view.image_of_caption.numpy()  # (captions,)
        person = view.person_of_image.numpy()[self._image]  # (captions,)
        counts = np.bincount(person)
        self._own = np.split(np.argsort(person, kind="stable"), np.cumsum(counts)[:-1])

    def draw(self, order: np.random.Generator, person: int, count: int) -> Integers:
        """Return so many captions of a person.

        No image comes again before each has come, and no caption.
        """
        own = order.permutation(self._own[person])
        by_image = np.argsort(self._image[own], kind="stable")
        images = self._image[own][by_image]
        turn = np.empty(len(own), np.int64)  # how many captions of its image are before one
        turn[by_image] = np.arange(len(own)) - np.searchsorted(images, images)
        return np.resize(own[np.argsort(turn, kind="stable")], count)
