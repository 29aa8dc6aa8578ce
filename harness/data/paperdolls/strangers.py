"""Strangers: people beside those of a drawn test split, each an image drawn on its own.

A stranger is a function of the seed, the look and a number alone, so any part of a crowd can be
drawn without the rest, and a crowd begins with every smaller one. Strangers come from the attribute
sets that test people come from, which no method was trained on; nobody of the test split is one.
That two strangers of a large crowd are alike happens, as it does in a city.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from PIL import Image

from .drawing.person import draw
from .drawing.shots import take_shot
from .looks import Look
from .people.attributes import Person, sample_person
from .people.changes import as_seen
from .people.families import SHARES, people
from .random_streams import pick, stream

SPLIT = "test"  # whose share of all attribute sets strangers are of


def people_of_test(look: Look) -> frozenset[bytes]:
    """Return the digests of the people of a look's test split, none of whom is a stranger."""
    crowd = people(SPLIT, look.seed, look.families)
    return frozenset(person.digest() for person in islice(crowd, look.sizes.people(SPLIT)))


def stranger(number: int, look: Look, known: Collection[bytes], seed: int = 0) -> Person:
    """Return the person who is a crowd's `number`-th from 0; none of those who are known."""
    rng = stream("stranger", seed, look.name, number)
    while True:
        person = sample_person(rng)
        digest = person.digest()
        if digest[0] in SHARES[SPLIT] and digest not in known:
            return person


def draw_stranger(number: int, look: Look, known: Collection[bytes], seed: int = 0) -> Image.Image:
    """Return an image of a stranger by one of the look's cameras, as all its images are drawn."""
    person = stranger(number, look, known, seed)
    rng = stream("image of a stranger", seed, look.name, number)
    shot = take_shot(pick(rng, look.cameras), look, rng)
    now = as_seen(person, look.difficulty.changes, rng)
    return draw(now, shot, look, rng)
