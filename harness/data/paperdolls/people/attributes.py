"""Who can be drawn: the attributes of a person, what can be said of them, and random people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from numpy.random import Generator

from ..random_streams import pick, pick_weighted
from .wardrobe import (
    CLOTH_COLOURS,
    COVERED_BY_COAT,
    GLASSES,
    HAIR_COLOURS,
    OPEN_UPPERS,
    OPTIONAL,
    PATTERNS,
    SKINS,
    WARDROBES,
    WEIGHT_OF_KIND,
    colours_of,
)


@dataclass(frozen=True)
class Thing:
    """Something worn or carried; hair too, whose kind is its style."""

    kind: str
    colour: str


@dataclass(frozen=True)
class Upper(Thing):
    """What covers the upper body."""

    pattern: str = "plain"
    second: str | None = None  # the colour of the pattern; None where it is plain
    inner: str | None = None  # the colour worn below; None where nothing of it shows


@dataclass(frozen=True)
class Person:
    """An identity. All but the skin can be named by a caption."""

    kind: str
    skin: str
    hair: Thing
    beard: bool
    glasses: str  # "none", "glasses" or "sunglasses"
    hat: Thing | None
    scarf: Thing | None
    upper: Upper
    lower: Thing | None  # None below a dress
    shoes: Thing
    bag: Thing | None
    item: Thing | None

    def facts(self) -> dict[str, str]:
        """Return what is true of the person, as "attribute" or "attribute.part" -> value."""
        facts = {
            "kind": self.kind,
            "beard": "yes" if self.beard else "no",
            "glasses": "no" if self.glasses == "none" else "yes",
            "glasses.kind": self.glasses,
        }
        for attribute in (
            "hair", "hat", "scarf", "upper", "lower", "shoes", "bag", "item"
        ):  # fmt: skip
            facts |= _facts_of(attribute, getattr(self, attribute))
        return facts

    def digest(self) -> bytes:
        """Return 8 bytes that stand for all that can be named of the person."""
        text = "|".join(f"{name}={value}" for name, value in sorted(self.facts().items()))
        return hashlib.blake2b(text.encode(), digest_size=8).digest()


def sample_person(rng: Generator, kind: str | None = None) -> Person:
    """Return a random person, of the kind asked for."""
    kind = kind or pick_weighted(rng, WEIGHT_OF_KIND)
    wardrobe = WARDROBES[kind]
    upper = _sample_upper(rng, wardrobe.uppers)
    hair = pick_weighted(rng, wardrobe.hair)
    hair_colour = pick_weighted(rng, HAIR_COLOURS["older" if "older" in kind else "young"])
    return Person(
        kind=kind,
        skin=pick(rng, SKINS),
        hair=Thing(hair, "none" if hair == "bald" else hair_colour),
        beard=rng.random() < wardrobe.beard,
        glasses=pick_weighted(rng, GLASSES),
        hat=_maybe(rng, "hat", wardrobe.hats),
        scarf=_maybe(rng, "scarf", {"scarf": 1}),
        upper=upper,
        lower=_sample_lower(rng, upper.kind, wardrobe.lowers),
        shoes=_sample_thing(rng, wardrobe.shoes),
        bag=_maybe(rng, "bag", wardrobe.bags),
        item=_maybe(rng, "item", wardrobe.items),
    )


def is_coherent(person: Person) -> bool:
    """Whether the attributes go together: a pattern has a colour, jeans are not pink."""
    upper, lower, hair = person.upper, person.lower, person.hair
    things = [thing for thing in (upper, lower, person.shoes, person.bag, person.item) if thing]
    return (
        (upper.kind == "dress") == (lower is None)
        and not (upper.kind == "coat" and lower and lower.kind in COVERED_BY_COAT)
        and upper.pattern in PATTERNS[upper.kind]
        and (upper.second is None) == (upper.pattern == "plain")
        and (upper.inner is None) == (upper.kind not in OPEN_UPPERS)
        and upper.colour not in (upper.second, upper.inner)
        and (hair.kind == "bald") == (hair.colour == "none")
        and all(thing.colour in colours_of(thing.kind) for thing in things)
    )


def _facts_of(attribute: str, thing: Thing | None) -> dict[str, str]:
    if thing is None:
        return {attribute: "no"}
    parts: dict[str, Any] = {part.name: getattr(thing, part.name) for part in fields(thing)}
    return {attribute: "yes"} | {
        f"{attribute}.{name}": value for name, value in parts.items() if value is not None
    }


def _sample_upper(rng: Generator, weights: Mapping[str, float]) -> Upper:
    kind = pick_weighted(rng, weights)
    colour = pick_weighted(rng, CLOTH_COLOURS)
    pattern = pick_weighted(rng, PATTERNS[kind])
    return Upper(
        kind=kind,
        colour=colour,
        pattern=pattern,
        second=None if pattern == "plain" else _another(rng, colour),
        inner=_another(rng, colour) if kind in OPEN_UPPERS else None,
    )


def _sample_lower(rng: Generator, upper: str, weights: Mapping[str, float]) -> Thing | None:
    if upper == "dress":
        return None
    covered = COVERED_BY_COAT if upper == "coat" else frozenset()
    return _sample_thing(rng, {kind: w for kind, w in weights.items() if kind not in covered})


def _another(rng: Generator, colour: str) -> str:
    return pick_weighted(rng, {name: w for name, w in CLOTH_COLOURS.items() if name != colour})


def _sample_thing(rng: Generator, weights: Mapping[str, float]) -> Thing:
    kind = pick_weighted(rng, weights)
    return Thing(kind, pick_weighted(rng, colours_of(kind)))


def _maybe(rng: Generator, attribute: str, weights: Mapping[str, float]) -> Thing | None:
    return _sample_thing(rng, weights) if rng.random() < OPTIONAL[attribute] else None
