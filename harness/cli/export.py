"""`harness export`: results for other people and other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Plugins, Results, parse_seeds
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.results import StoredRun
    from harness.submission.bundle import Bundle

NAMED = 5  # things left out that are named
PLACES = {
    "bundle": "submission.zip",
    "trec": "trec",
    "model-card": "model-card",
    "shipped": "shipped",
}


class Format(StrEnum):
    """What is written."""

    BUNDLE = "bundle"
    TREC = "trec"
    MODEL_CARD = "model-card"
    SHIPPED = "shipped"


def export(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Methods (irra) or variants (irra:+SDM); all by default."),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            help="bundle: a zip for `harness import-results`. trec: qrels and run files for "
            "trec_eval. model-card: weights and a card for the Hugging Face hub. shipped: the "
            "folder of results that ships with the project (--out harness/shipped), as small as "
            "ranks allow."
        ),
    ] = Format.BUNDLE,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file or folder to write; submission.zip, trec, model-card or shipped."
        ),
    ] = None,
    suite: Annotated[str, typer.Option(help="The suite whose runs are exported.")] = "demo",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only runs on it; may be given again.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Only these seeds: 0,1,2 or 0-4.")] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Ablation rows and other variants too.")
    ] = False,
    by: Annotated[
        str, typer.Option(help='bundle: who sends it, as in "Lab, contact"; pages show it.')
    ] = "",
    weights: Annotated[
        bool, typer.Option("--weights", help="bundle: weights and embeddings too.")
    ] = False,
    times: Annotated[
        bool,
        typer.Option(
            "--times/--no-times",
            help="shipped: how long runs took; not where their machine did other things too.",
        ),
    ] = True,
    depth: Annotated[
        int | None, typer.Option(min=1, help="trec: only the first places of each ranking.")
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="model-card: DATASET=ORG/NAME:TASK, a benchmark of the hub that gathers figures "
            "on a dataset; may be given again."
        ),
    ] = None,
    plugins: Plugins = None,
    results: Results = Path("results"),
) -> None:
    """Write finished runs for others: to be ranked beside theirs, scored by other tools, or used.

    A bundle is one file, the same bytes each time, without weights, logs and what names this
    machine. TREC rankings keep the harness's own order, ties too.

    Example: **harness export --by "Our lab, us@example.org"**
    """
    from harness.results.selection import select_runs

    if benchmark and format is not Format.MODEL_CARD:
        raise HarnessError("--benchmark is for --format model-card.")
    chosen = parse_seeds(seeds) if seeds else None
    runs = select_runs(results, suite, methods or [], dataset, chosen, ablations)
    place = out or Path(PLACES[format])
    if format is Format.BUNDLE:
        _write_bundle(results, runs, place, by, weights)
    elif format is Format.SHIPPED:
        _write_shipped(results, runs, place, times)
    elif format is Format.TREC:
        _write_trec(runs, place, plugins or [], depth)
    else:
        _write_card(runs, place, bool(methods), benchmark or [])


def _write_bundle(
    results: Path, runs: Sequence[StoredRun], out: Path, by: str, weights: bool
) -> None:
    from harness.cli.display import terminal
    from harness.cli.verify import locate_datasets
    from harness.submission.bundle import make_bundle, write_bundle

    with terminal.steps() as show:
        bundle = make_bundle(results, runs, locate_datasets([], show), by, weights, show)
        write_bundle(bundle.files, out)
    _tell_left_out(bundle)
    if not by:
        terminal.note('Nobody is named: --by "Lab, contact" says who sends it.')
    print(f"{out}: {len(bundle.runs)} runs, {out.stat().st_size / 1e6:.1f} MB.")


def _write_shipped(results: Path, runs: Sequence[StoredRun], out: Path, times: bool) -> None:
    from harness.cli.display import terminal
    from harness.cli.verify import locate_datasets
    from harness.submission.shipping import make_shipped, write_shipped

    with terminal.steps() as show:
        located = locate_datasets([], show, results)
        shipped = make_shipped(results, runs, located, show, times)
        write_shipped(shipped.files, out, located)
    _tell_left_out(shipped)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{out}: {len(shipped.runs)} runs, {size / 1e6:.1f} MB.")


def _tell_left_out(bundle: Bundle) -> None:
    """Say what was not taken into a bundle."""
    from harness.cli.display import terminal

    for told in bundle.left_out[:NAMED]:
        terminal.note(f"Left out: {told}.")
    if (more := len(bundle.left_out) - NAMED) > 0:
        terminal.note(f"{more} more things were left out.")


def _write_trec(
    runs: Sequence[StoredRun], out: Path, plugins: Sequence[Path], depth: int | None
) -> None:
    from harness import registry
    from harness.cli.display import terminal
    from harness.compatibility import mend_torchvision

    mend_torchvision()
    from harness.export.trec import export_trec

    with terminal.steps() as show:
        written = export_trec(runs, out, registry.list_methods(plugins), depth, show)
    for one in written:
        print(f"{one.file}: {one.lines:,} lines")
        if one.otherwise:
            terminal.note(
                f"{one.file.name}: {one.otherwise} queries rank a right image elsewhere than when "
                "the run was scored: another processor or device moves the last bit of a score."
            )
    if depth:
        terminal.note(
            f"Cut after {depth} places: AP and INP over these files are lower than the harness's."
        )


def _write_card(
    runs: Sequence[StoredRun], out: Path, is_named: bool, benchmarks: Sequence[str]
) -> None:
    from harness.cli.display import terminal
    from harness.export.eval_results import parse_benchmark
    from harness.export.model_card import write_model_card

    if not is_named:
        raise HarnessError("Name the method whose card to write: harness export irra --format ...")
    card = write_model_card(runs, out, [parse_benchmark(text) for text in benchmarks])
    print(card)
    terminal.note(f"Look it over, then: hf upload ORG/NAME {out}")
