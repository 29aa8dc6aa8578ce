"""Easy data augmentation of captions, by what needs no other words.

Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", EMNLP 2019. https://arxiv.org/abs/1901.11196
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from methods.blocks.wordings import delete, swap

NO_LETTERS = re.compile("[^a-z]+")


def disturbed(captions: Sequence[str], strength: float, generator: torch.Generator) -> list[str]:
    """Change each caption in one of two ways: words change places, or are left out, some of them.

    Only letters stay. NOTE: EDA has four ways; to replace and to insert synonyms of WordNet are
    left out, since that is no part of this project.
    """
    ways = torch.randint(2, (len(captions),), generator=generator).tolist()
    words = [NO_LETTERS.sub(" ", caption.lower()).split() for caption in captions]
    return [
        " ".join((swap, delete)[way](one, strength, generator)) if one else ""
        for one, way in zip(words, ways, strict=True)
    ]
