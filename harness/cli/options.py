"""Options that several commands share."""

from __future__ import annotations

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
