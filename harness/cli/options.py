"""Options that several commands share."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError

# What the options of a command with many of them are about: the headings of its help.
WHAT, HOW, WHERE = "What", "How", "Where"


class Device(StrEnum):
    """Where tensors live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugins",
        help="A file or folder with more methods; may be given again.",
        rich_help_panel=WHERE,
    ),
]
Results = Annotated[
    Path, typer.Option("--results", help="The folder of the results.", rich_help_panel=WHERE)
]

# Of the commands that execute runs.
Methods = Annotated[
    list[str] | None,
    typer.Argument(help="Methods (irra) or variants (irra:+SDM); none with --all."),
]
Every = Annotated[bool, typer.Option("--all", help="Every method there is.", rich_help_panel=WHAT)]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        help="Only this dataset of the suite; may be given again.",
        rich_help_panel=WHAT,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(help="Seeds in place of the suite's: 0,1,2 or 0-4.", rich_help_panel=WHAT),
]
Ablations = Annotated[
    bool,
    typer.Option(
        "--ablations", help="Every ablation row of the methods too.", rich_help_panel=WHAT
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Runs at a time; as many as cores or GPUs.", rich_help_panel=HOW),
]
OnDevice = Annotated[
    Device, typer.Option("--device", help="Where to train and encode.", rich_help_panel=HOW)
]
Site = Annotated[Path, typer.Option(help="Where to write the leaderboard.", rich_help_panel=WHERE)]
Report = Annotated[
    bool, typer.Option(help="Write the leaderboard afterwards.", rich_help_panel=WHERE)
]


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


SEEDS = re.compile(r"(0|[1-9]\d{0,8})(?:-(0|[1-9]\d{0,8}))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read 0,1,2 or 0-4."""
    seeds: list[int] = []
    for part in text.split(","):
        found = SEEDS.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first:
            raise HarnessError(
                f"--seeds {text}: {part.strip() or 'nothing'!r} is no seed and no range of them; "
                "write whole numbers, as in 0,1,2 or 0-4."
            )
        seeds += range(first, last + 1)
    return tuple(dict.fromkeys(seeds))
