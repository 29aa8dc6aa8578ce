"""A split as the harness holds it, and the part of the training split that a method may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.method import Supervision, TrainSummary
from harness.seeding import derive

if TYPE_CHECKING:
    from harness.data.companions import Companion

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """One split: M images and N captions in the dataset's order. Pixels are opened apart."""

    name: str
    encoded: Callable[[int], bytes]  # the image file of a row
    image_ids: tuple[str, ...]  # M
    captions: tuple[str, ...]  # N
    image_of_caption: Integers  # (N,)
    person_of_image: Integers  # (M,) as the dataset numbers people
    cameras: tuple[str | None, ...] | None = None  # M; None where nothing is known
    fingerprint: str = ""  # of the dataset: decides the order of what scores the same

    @cached_property
    def person_of_caption(self) -> Integers:
        """(N,) the person each caption describes."""
        return self.person_of_image[self.image_of_caption]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Identities, images and captions."""
        people = len(np.unique(self.person_of_image))
        return {"identities": people, "images": len(self.image_ids), "captions": len(self.captions)}


def split_of_nobody(name: str) -> Split:
    """Return a split without images: what a method is built from where nothing is to train on."""
    nothing = np.empty(0, np.int64)
    return Split(name, lambda row: b"", (), (), nothing, nothing)


class TrainView:
    """The training split as one method of one supervision sees it (see `harness.method.TrainSet`).

    Images, captions and people are renumbered by a seeded shuffle: in the dataset's order,
    index // 4 would be the person. Only an IDENTITY method is given people.
    """

    def __init__(
        self,
        split: Split,
        pixels: Callable[[Integers], Tensor],
        supervision: Supervision,
        seed: int,
        companions: Sequence[Companion] = (),
    ) -> None:
        images = _permutation(len(split.image_ids), seed, "images")  # new index -> row
        captions = _permutation(len(split.captions), seed, "captions")
        new_image = np.argsort(images)
        self._pixels = pixels
        self._images = images
        self._captions = captions
        self._companions = companions
        self.captions: Sequence[str] = [split.captions[row] for row in captions]
        self.image_of_caption = torch.from_numpy(new_image[split.image_of_caption[captions]])
        self.captions_of_image: Sequence[Sequence[int]] = _group(
            self.image_of_caption.numpy(), len(images)
        )
        self.person_of_image: Tensor | None = None
        if supervision is Supervision.IDENTITY:
            self.person_of_image = torch.from_numpy(_relabel(split.person_of_image[images], seed))

    def pixels(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return images as (B, 3, H, W) uint8."""
        return self._pixels(self._images[np.asarray(indices, dtype=np.int64)])  # (B, 3, H, W)

    def companion(
        self, name: str, by: Literal["caption", "image"] = "caption"
    ) -> Sequence[Sequence[Any]]:
        """Return further texts, or labels, of each caption or image.

        Raises:
            HarnessError: it is none of those that the config names and this set has.
        """
        from harness.data.companions import read_companion

        rows = self._images, self._captions
        pairs = self.image_of_caption.numpy(), self.captions_of_image
        return read_companion(self._companions, name, by, *rows, *pairs)

    def rows(self, images: Tensor, captions: Tensor) -> tuple[Integers, Integers]:
        """Return the dataset's rows of image and caption indices, for scoring what is reported."""
        return self._images[images.cpu().numpy()], self._captions[captions.cpu().numpy()]

    def summary(self) -> TrainSummary:
        """Return the counts that heads are built from."""
        people = None
        if self.person_of_image is not None:
            people = len(np.unique(self.person_of_image.numpy()))
        return TrainSummary(len(self._images), self.captions, people)


@dataclass(frozen=True)
class StageSet:
    """What a stage trains on, with who counts which of its reported pairs are of one person."""

    view: TrainView
    judge_pairs: Callable[[Tensor, Tensor], int] | None = None

    @classmethod
    def of(cls, view: TrainView, split: Split) -> StageSet:
        """Return a set to train on: what methods see of a split, judged by all that it holds."""

        def judge(images: Tensor, captions: Tensor) -> int:
            image_rows, caption_rows = view.rows(images, captions)
            same = split.person_of_image[image_rows] == split.person_of_caption[caption_rows]
            return int(np.sum(same))

        return cls(view, judge)


def _permutation(count: int, seed: int, purpose: str) -> Integers:
    return np.random.default_rng(derive(seed, "numbering", purpose)).permutation(count)


def _relabel(people: Integers, seed: int) -> Integers:
    """Number people from 0 in a shuffled order."""
    names, labels = np.unique(people, return_inverse=True)
    return _permutation(len(names), seed, "people")[labels]


def _group(image_of_caption: Integers, images: int) -> list[list[int]]:
    captions: list[list[int]] = [[] for _ in range(images)]
    for caption, image in enumerate(image_of_caption):
        captions[image].append(caption)
    return captions
