"""Captions with words left out or exchanged, before they are tokenised.

Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", EMNLP 2019. https://arxiv.org/abs/1901.11196
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import torch

SIGNS = re.compile(r'[.!"()*#:;~]')


def plain_words(caption: str) -> str:
    """Return a caption in lower case, words one blank apart, without most signs; commas stay."""
    return " ".join(SIGNS.sub(" ", caption.lower()).split())


def reworded(
    captions: Sequence[str], changes: Mapping[str, float], generator: torch.Generator
) -> list[str]:
    """Return captions changed by each of `CHANGES` that is named, in that order, by its strength.

    Raises:
        KeyError: a change is not known; the message lists those that are.
    """
    if unknown := changes.keys() - CHANGES.keys():
        raise KeyError(f"no change of captions {sorted(unknown)}; there are: {sorted(CHANGES)}")
    words = [caption.split() for caption in captions]
    for name in (name for name in CHANGES if name in changes):
        words = [CHANGES[name](one, changes[name], generator) for one in words]
    return [" ".join(one) for one in words]


def delete(words: Sequence[str], probability: float, generator: torch.Generator) -> list[str]:
    """Leave each word out with a probability; where none would stay, one that is drawn does."""
    draws = torch.rand(len(words) + 1, generator=generator).tolist()
    kept = [word for word, draw in zip(words, draws, strict=False) if draw >= probability]
    return kept or [*words[(one := int(draws[-1] * len(words))) : one + 1]]


def swap(words: Sequence[str], share: float, generator: torch.Generator) -> list[str]:
    """Let two words change places, as often as a share of the words is, at least once."""
    words = list(words)
    if len(words) < 2:
        return words
    for _ in range(max(1, int(share * len(words)))):
        one, other = torch.randperm(len(words), generator=generator)[:2].tolist()
        words[one], words[other] = words[other], words[one]
    return words


CHANGES: Mapping[str, Callable[[Sequence[str], float, torch.Generator], list[str]]] = {
    "delete": delete,
    "swap": swap,
}
