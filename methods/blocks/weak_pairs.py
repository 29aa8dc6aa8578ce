"""Weak pairs: an image with a caption that was written of another image of the same person.

Bai et al., "RaSa: Relation and Sensitivity Aware Representation Learning for Text-based Person
Search", IJCAI 2023. https://arxiv.org/abs/2305.13653

Shapes: B pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harness.method import TrainSet


class Paired(NamedTuple):
    """Captions of a batch, some of which were written of another image, or are another of its."""

    captions: list[str]  # B
    weak: Tensor  # (B,) bool, on the processor: not the caption that it was


def with_weak_pairs(
    captions: Sequence[int], train: TrainSet, share: float, generator: torch.Generator
) -> Paired:
    """Give a share of the pairs a caption of their person, any of them with the same odds.

    `captions` numbers those of the batch among all of training. A pair that draws its own text
    stays what it was.
    """
    chances, choices = torch.rand(2, len(captions), generator=generator).tolist()
    drawn = [
        _of_the_same_person(caption, train, choice) if chance < share else caption
        for caption, chance, choice in zip(captions, chances, choices, strict=True)
    ]
    texts = [train.captions[caption] for caption in drawn]
    weak = [text != train.captions[own] for text, own in zip(texts, captions, strict=True)]
    return Paired(texts, torch.tensor(weak))


def _of_the_same_person(caption: int, train: TrainSet, choice: float) -> int:
    """Return a caption of the person that a caption describes; the choice is from 0 to 1."""
    people = train.person_of_image
    assert people is not None  # weak pairs are for methods of IDENTITY
    images = (people == people[train.image_of_caption[caption]]).nonzero()[:, 0].tolist()
    known = [one for image in images for one in train.captions_of_image[image]]
    return int(known[int(choice * len(known))])
