"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", help="A file or folder with more methods; may be given again."),
]
Results = Annotated[Path, typer.Option("--results", help="The folder of the results.")]


UNITS = {
    "duration": {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400},
    "size": {
        "": 1,
        "kb": 10**3,
        "mb": 10**6,
        "gb": 10**9,
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
    },
}


def parse_amount(option: str, kind: str, text: str) -> float:
    """Read a duration (90, 45s, 30m, 2h) in seconds, or a size (500MB, 8GB) in bytes."""
    units = UNITS[kind]
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not found or found[2] not in units or not float(found[1]):
        known = ", ".join(filter(None, units))
        raise HarnessError(f"{option} {text}: write a number and one of {known}.")
    return float(found[1]) * units[found[2]]


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read 0,1,2 or 0-4."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += range(int(first), int(last if dash else first) + 1)
    except ValueError as error:
        raise HarnessError(f"--seeds {text}: write numbers, as in 0,1,2 or 0-4.") from error
    return tuple(dict.fromkeys(seeds))
