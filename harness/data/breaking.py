"""Training pairs made wrong: captions that stand with images of other people.

Shapes: N captions, M images, c captions that are drawn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.data.noise import Noise, read_index
from harness.data.schema import Integers, Split
from harness.errors import HarnessError
from harness.seeding import derive

ROUNDS = 100  # of swaps; each leaves a fraction of those that are wanted


def break_pairs(split: Split, noise: Noise, seed: int) -> Split:
    """Return a training split of which some captions stand with images of other people.

    All else is as it was: each image has as many captions, and the person of a pair is that of its
    image. By seed, a larger share breaks all pairs that a smaller one does, if not in the same way.

    Raises:
        HarnessError: an index file is made for another number of captions, the share is less than
            one caption, or there are too few people to break so many pairs.
    """
    index = read_index(noise)
    images = _drawn(split, noise.rate, seed) if index is None else _listed(split, index)
    return replace(split, image_of_caption=images)


def _listed(split: Split, index: Integers) -> Integers:
    """Return the image of each caption, (N,), where row i takes the caption `index[i]`."""
    if len(index) != len(split.captions):
        raise HarnessError(
            f"the index file of --noise is made for {len(index)} training captions; here there are "
            f"{len(split.captions)}"
        )
    images = np.empty_like(split.image_of_caption)
    images[index] = split.image_of_caption
    return images


def _drawn(split: Split, rate: float, seed: int) -> Integers:
    """Return the image of each caption, (N,), where a share of them is permuted.

    As RDE does it, but that every pair which is drawn is broken: there, a few keep their image, or
    get another one of the same person.
    """
    generator = np.random.default_rng(derive(seed, "noise"))
    count = round(rate * len(split.captions))
    if not count:
        raise HarnessError(
            f"--noise {rate} of {len(split.captions):,} training captions is less than one of them"
        )
    drawn = generator.permutation(len(split.captions))[:count]  # (c,)
    taken = drawn[_among_others(split.person_of_caption[drawn], generator)]
    images = split.image_of_caption.copy()
    images[drawn] = split.image_of_caption[taken]
    return images


def _among_others(people: Integers, generator: np.random.Generator) -> Integers:
    """Return a permutation, (c,), that gives each place to another person. Raises HarnessError."""
    order = generator.permutation(len(people))
    for _ in range(ROUNDS):
        kept = np.flatnonzero(people[order] == people)
        if not len(kept):
            return order
        for one, other in zip(kept, generator.integers(len(people), size=len(kept)), strict=True):
            order[[one, other]] = order[[other, one]]
    raise HarnessError(
        f"--noise: {len(people)} training captions cannot be given to images of other people: they "
        f"describe {len(np.unique(people))}, of whom one may have more than half of them"
    )
