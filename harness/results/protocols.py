"""Protocols that `--queries` takes beside transforms of captions, by their names with settings.

A name is written as `several:people=2,fusion=text`. What a name leaves open, it stands for all
that there is of it, but for rates, which have a value unless another is given.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, ClassVar

from harness.errors import HarnessError, unknown

TEXT, EMBEDDINGS, SCORES = "text", "embeddings", "scores"
RANDOM, GAIN, GREEDY = "random", "gain", "greedy"
MOST_ROUNDS = 5


class Setting(ABC):
    """What a protocol can be told."""

    values: Sequence[Any]  # that a name stands for which leaves it open

    def read(self, name: str, text: str) -> Any:
        """Return the value that a text gives it. Raises HarnessError: it is none."""
        known = {write_value(value): value for value in self.values}
        if text not in known:
            raise unknown(name, text, known)
        return known[text]


@dataclass(frozen=True)
class Choice(Setting):
    """One of some values."""

    values: Sequence[Any]


class Rate(Setting):
    """A probability."""

    def __init__(self, default: float) -> None:
        self.values = (default,)

    def read(self, name: str, text: str) -> float:
        """Return the rate that a text says."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise HarnessError(f"{name} must be a number from 0 to 1; got {text!r}.")
        return value + 0.0  # -0 is 0


@dataclass(frozen=True)
class Several:
    """Two or three captions of a person asked together."""

    name: ClassVar[str] = "several"
    settings: ClassVar[Mapping[str, Setting]] = {
        "people": Choice((2, 3)),
        "fusion": Choice((EMBEDDINGS, SCORES, TEXT)),
    }

    people: int
    fusion: str

    @property
    def plain(self) -> Several:
        """The same: no two settings come to one."""
        return self


@dataclass(frozen=True)
class Witness:
    """One round of questions to a witness: see `harness.evaluation.dialogues`."""

    name: ClassVar[str] = "witness"
    settings: ClassVar[Mapping[str, Setting]] = {
        "policy": Choice((RANDOM, GAIN, GREEDY)),
        "round": Choice(tuple(range(MOST_ROUNDS + 1))),
        "unknown": Rate(0.1),
        "wrong": Rate(0.05),
    }

    policy: str
    round: int
    unknown: float  # how often the witness says "I don't know" of what the image shows
    wrong: float  # how often an answer is wrong

    @property
    def plain(self) -> Witness:
        """What stands for it: before the first question all policies and rates are one."""
        return self if self.round else Witness(RANDOM, 0, 0.0, 0.0)


@dataclass(frozen=True)
class Dialogue:
    """A dialogue that came with the dataset, up to a round: see `harness.data.given_dialogues`."""

    name: ClassVar[str] = "dialogue"
    settings: ClassVar[Mapping[str, Setting]] = {"round": Choice(tuple(range(MOST_ROUNDS + 1)))}

    round: int

    @property
    def plain(self) -> Dialogue:
        """The same: no two settings come to one."""
        return self


Protocol = Several | Witness | Dialogue
PROTOCOLS: Mapping[str, type[Protocol]] = {one.name: one for one in (Several, Witness, Dialogue)}


def protocol_of(name: str) -> Protocol | None:
    """Return the protocol of a name that leaves nothing open; None of any other text."""
    if name.partition(":")[0] not in PROTOCOLS:
        return None
    try:
        found = every_protocol(name)
    except HarnessError:
        return None
    return found[0] if len(found) == 1 and write_protocol(found[0]) == name else None


def every_protocol(name: str) -> list[Protocol]:
    """Return all that a name stands for, in order, none twice.

    Raises:
        HarnessError: there is no such protocol or setting, or a value does not fit.
    """
    kind, colon, listed = name.partition(":")
    if kind not in PROTOCOLS:
        raise unknown("protocol", kind, PROTOCOLS)
    protocol = PROTOCOLS[kind]
    given: dict[str, Any] = {}
    for part in listed.split(",") if colon else []:
        setting, _, text = part.partition("=")
        if setting not in protocol.settings:
            raise unknown(f"setting of {kind}", setting, protocol.settings)
        if setting in given:
            raise HarnessError(f"{name}: {setting} is given twice.")
        given[setting] = protocol.settings[setting].read(f"{kind}: {setting}", text)
    options = (
        [given[setting]] if setting in given else known.values
        for setting, known in protocol.settings.items()
    )
    return list(dict.fromkeys(protocol(*values).plain for values in product(*options)))


def write_protocol(protocol: Protocol) -> str:
    """Return the name by which `protocol_of` finds a protocol again."""
    values = ((one.name, getattr(protocol, one.name)) for one in fields(protocol))
    settings = ",".join(f"{name}={write_value(value)}" for name, value in values)
    return f"{protocol.name}:{settings}"


def write_value(value: Any) -> str:
    """Write a value as names have it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
