"""How a person differs from themselves: between images, and in what is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.random import Generator

from .attributes import Person, sample_person
from .families import vary

_CARRIED = ("bag", "item")


def as_seen(person: Person, probability: float, rng: Generator) -> Person:
    """Return the person of one image: what they carry is put down, or something is taken up."""
    for attribute in _CARRIED:
        if rng.random() < probability:
            person = replace(person, **{attribute: _put_down_or_taken_up(person, attribute, rng)})
    return person


def as_told(person: Person, probability: float, rng: Generator) -> Person:
    """Return whom a caption tells of: the person, or with a probability one thing is wrong."""
    return vary(person, rng) if rng.random() < probability else person


def _put_down_or_taken_up(person: Person, attribute: str, rng: Generator) -> Any:
    if getattr(person, attribute) is not None:
        return None
    while True:
        taken = getattr(sample_person(rng, person.kind), attribute)
        if taken is not None:
            return taken
