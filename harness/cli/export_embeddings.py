"""`harness export-embeddings`: what methods make of the test split, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results, parse_seeds
from harness.errors import HarnessError


class Format(StrEnum):
    """What a file is written as."""

    SAFETENSORS = "safetensors"
    NPZ = "npz"
    PARQUET = "parquet"


def export_embeddings(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Methods (irra) or variants (irra:+SDM); none with --all."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("embeddings"),
    every: Annotated[bool, typer.Option("--all", help="Export every method.")] = False,
    suite: Annotated[str, typer.Option(help="The suite of the runs.")] = "demo",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset; may be given again.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Only these seeds: 0,1,2 or 0-4.")] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Export every ablation row too.")
    ] = False,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.SAFETENSORS,
    results: Results = Path("results"),
) -> None:
    """Write the embeddings of the test split of each run, with what every row is.

    A file a run, as results lie: OUT/suite/dataset/method/variant/seed-0.safetensors, with images
    (M, D), texts (N, D), image_ids, image_person_ids, query_ids, text_person_ids, image_of_text
    and, where the dataset's licence lets them be handed on, captions. Nothing is encoded again.

    Example: **harness export-embeddings irra --out embeddings --format npz**
    """
    from harness.cli.display import terminal
    from harness.export.embeddings import export_run
    from harness.results.selection import select_runs

    if every == bool(methods):
        raise HarnessError("Name methods whose runs to export (irra, irra:+SDM), or --all.")
    chosen = parse_seeds(seeds) if seeds else None
    failed = 0
    with terminal.steps() as show:
        for run in select_runs(results, suite, methods or [], dataset, chosen, ablations):
            try:
                print(export_run(run, out, format.value, show))
            except HarnessError as error:
                terminal.fail(str(error))
                failed += 1
    if failed:
        raise typer.Exit(1)
