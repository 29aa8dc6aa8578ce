"""`harness pretrain`: the weights of the tiny encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    encoder: Annotated[str, typer.Argument(help="tiny-clip, tiny-eva, tiny-towers or tiny-albef.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; by default where it ships.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed.")] = 0,
) -> None:
    """Make the weights of a tiny encoder from drawn people, as the shipped ones were made."""
    from harness import registry
    from harness.cli.display import terminal

    with terminal.steps() as progress:
        written = registry.load_pretraining(encoder)(out, seed, progress)
    for path in written:
        print(path)
