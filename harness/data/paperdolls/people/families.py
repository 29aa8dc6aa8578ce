"""Families of look-alikes, and the people of a split.

Each split owns a share of all attribute sets, given by a digest of the set, so no person of one
split can appear in another, whatever the seeds or the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from numpy.random import Generator

from ..random_streams import pick, pick_weighted, stream
from .attributes import Person, Thing, Upper, is_coherent, sample_person

# The share of all attribute sets that a split owns, in 256ths.
SHARES: Mapping[str, range] = {
    "pretraining": range(128),
    "train": range(128, 192),
    "val": range(192, 224),
    "test": range(224, 256),
}

# What may tell look-alikes apart, and how often it does.
_VARIED: Mapping[str, float] = {
    "upper": 5,
    "lower": 3,
    "shoes": 3,
    "bag": 3,
    "hair": 2,
    "hat": 1.5,
    "item": 1.5,
    "glasses": 1,
    "scarf": 0.7,
}
# What changes together where two look-alikes differ in a garment.
_PARTS = (("colour",), ("colour",), ("kind",))
_PARTS_OF_UPPER = (*_PARTS, ("pattern", "second"), ("second",), ("inner",))


@dataclass(frozen=True)
class Families:
    """How look-alikes come about."""

    size: int = 3  # people in a family
    share: float = 0.35  # of the draws that start a family; the others give a single person


def families(split: str, seed: int, settings: Families) -> Iterator[list[Person]]:
    """Yield families without end, base first; all people are distinct, and the split's own."""
    seen: set[bytes] = set()
    number = 0
    while True:
        rng = stream("family", seed, split, number)
        yield _family(rng, split, settings, seen)
        number += 1


def people(split: str, seed: int, settings: Families) -> Iterator[Person]:
    """Yield the people of a split without end; a longer listing starts with a shorter one."""
    for family in families(split, seed, settings):
        yield from family


def vary(person: Person, rng: Generator) -> Person:
    """Return a look-alike: another person who differs in exactly one attribute."""
    while True:
        attribute = pick_weighted(rng, _VARIED)
        own, other = (
            getattr(person, attribute),
            getattr(sample_person(rng, person.kind), attribute),
        )
        if isinstance(own, Thing) and isinstance(other, Thing):
            parts = pick(rng, _PARTS_OF_UPPER if isinstance(own, Upper) else _PARTS)
            other = replace(own, **{part: getattr(other, part) for part in parts})
        candidate = replace(person, **{attribute: other})
        if other != own and is_coherent(candidate):
            return candidate


def _family(rng: Generator, split: str, settings: Families, seen: set[bytes]) -> list[Person]:
    size = settings.size if rng.random() < settings.share else 1
    base = sample_person(rng)
    while not _is_new(base, split, seen):
        base = sample_person(rng)
    family = [base]
    while len(family) < size:
        candidate = vary(base, rng)
        if _is_new(candidate, split, seen):
            family.append(candidate)
    return family


def _is_new(person: Person, split: str, seen: set[bytes]) -> bool:
    """Whether the split owns the person and has not had them; if so, it has had them now."""
    digest = person.digest()
    if digest[0] not in SHARES[split] or digest in seen:
        return False
    seen.add(digest)
    return True
