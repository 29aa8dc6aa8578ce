"""What `--queries` takes: names of transforms of captions, of groups of them, or of protocols.

A protocol is more than other captions; it has settings, as in `several:people=2,fusion=text`, and
its bare name stands for all that it offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from harness import registry
from harness.errors import HarnessError, unknown
from harness.evaluation.several import FUSIONS, PEOPLE


@dataclass(frozen=True)
class Several:
    """Two or three captions of a person asked together: see `harness.evaluation.several`."""

    name: ClassVar[str] = "several"
    choices: ClassVar[dict[str, Sequence[Any]]] = {"people": PEOPLE, "fusion": FUSIONS}

    people: int
    fusion: str


PROTOCOLS: dict[str, type[Several]] = {one.name: one for one in (Several,)}


def expand_queries(names: Sequence[str]) -> tuple[str, ...]:
    """Return, each once, what names ask for: transforms, and protocols with all their settings.

    Raises:
        HarnessError: one is not known, or a setting of it does not fit.
    """
    return tuple(dict.fromkeys(one for name in names for one in _expand(name)))


def parse_protocol(name: str) -> Several | None:
    """Return the protocol that a name with all its settings stands for; None of a transform.

    Raises:
        HarnessError: a setting does not exist or does not fit, or one is missing.
    """
    kind = name.partition(":")[0]
    if kind not in PROTOCOLS:
        return None
    protocol, found = PROTOCOLS[kind], _settings(name)
    if missing := sorted(protocol.choices.keys() - found.keys()):
        raise HarnessError(f"{name}: {', '.join(missing)} is missing.")
    return protocol(**found)


def write_protocol(protocol: Several) -> str:
    """Return the name by which `parse_protocol` finds a protocol again."""
    settings = (f"{one.name}={getattr(protocol, one.name)}" for one in fields(protocol))
    return f"{protocol.name}:{','.join(settings)}"


def _expand(name: str) -> list[str]:
    kind = name.partition(":")[0]
    if kind in PROTOCOLS:
        return [write_protocol(one) for one in _every(name)]
    if members := registry.queries_among(name):
        return members
    registry.load_queries(name)
    return [name]


def _every(name: str) -> list[Several]:
    """Return a protocol with every setting that its name leaves open."""
    protocol, given = PROTOCOLS[name.partition(":")[0]], _settings(name)
    combinations: list[dict[str, Any]] = [{}]
    for setting, choices in protocol.choices.items():
        values = [given[setting]] if setting in given else choices
        combinations = [{**one, setting: value} for one in combinations for value in values]
    return [protocol(**one) for one in combinations]


def _settings(name: str) -> dict[str, Any]:
    kind, colon, listed = name.partition(":")
    choices = PROTOCOLS[kind].choices
    found: dict[str, Any] = {}
    for part in listed.split(",") if colon else []:
        setting, _, text = part.partition("=")
        if setting not in choices:
            raise unknown(f"setting of {kind}", setting, choices)
        if setting in found:
            raise HarnessError(f"{name}: {setting} is given twice.")
        values = {str(value): value for value in choices[setting]}
        if text not in values:
            raise unknown(setting, text, values)
        found[setting] = values[text]
    return found
