"""Options that several commands share."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError
from harness.run.tracking import Tracker

# What the options of a command with many of them are about: the headings of its help.
WHAT, HOW, WHERE = "What", "How", "Where"


class Device(StrEnum):
    """Where tensors live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Executor(StrEnum):
    """Where runs are executed."""

    LOCAL = "local"
    SLURM = "slurm"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


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

Shipped = Annotated[
    bool,
    typer.Option(
        "--shipped",
        help="Also the results that came with the project, of every suite; else they stand beside "
        "your own of the same suite, and alone where you have none.",
        rich_help_panel=WHERE,
    ),
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
Site = Annotated[
    Path, typer.Option("--site", help="Where to write the leaderboard.", rich_help_panel=WHERE)
]
Report = Annotated[
    bool, typer.Option(help="Write the leaderboard afterwards.", rich_help_panel=WHERE)
]

# Of those that train.
SuiteName = Annotated[
    str, typer.Option("--suite", help="A suite's name, or a YAML file.", rich_help_panel=WHAT)
]
Force = Annotated[
    bool, typer.Option("--force", help="Run again what is complete.", rich_help_panel=HOW)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run.", rich_help_panel=HOW)
]
ToForecast = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help="Try a few steps of what would run, and show time, memory and disk of it all.",
        rich_help_panel=HOW,
    ),
]
OnExecutor = Annotated[
    Executor,
    typer.Option(
        "--executor",
        help="Run on this machine, or as jobs of a Slurm cluster.",
        rich_help_panel=HOW,
    ),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        help="An option of sbatch, with --executor slurm: partition=gpu, time=08:00:00, "
        "gpus=1, mem=32G, account=name. May be given again.",
        rich_help_panel=HOW,
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        help="Stop a run that takes longer: 45s, 30m, 2h. Its checkpoint stays.",
        rich_help_panel=HOW,
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="What a run may allocate: 500MB, 8GB; more is an error.",
        rich_help_panel=HOW,
    ),
]
Trackers = Annotated[
    list[Tracker] | None,
    typer.Option(
        "--track",
        help="Show the training in TensorBoard (`tensorboard --logdir results/.tensorboard`) "
        "or Weights & Biases. May be given again.",
        rich_help_panel=HOW,
    ),
]
PixelCache = Annotated[
    Switch,
    typer.Option(help="Decode images once, or off: at every access.", rich_help_panel=HOW),
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
