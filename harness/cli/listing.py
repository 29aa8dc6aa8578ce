"""`harness list`: what there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.options import AsJson, Plugins, Results, Shipped

if TYPE_CHECKING:
    from harness.results import StoredRun

app = typer.Typer(no_args_is_help=True, help="Show what there is: methods, datasets, suites, runs.")


@app.command("methods")
def list_methods(as_json: AsJson = False, plugins: Plugins = None) -> None:
    """Show every method, and every plugin that fails to import."""
    from harness import registry
    from harness.cli.display import lists

    lists.show_methods(registry.list_methods(plugins or []), as_json)


@app.command("datasets")
def list_datasets(as_json: AsJson = False) -> None:
    """Show the datasets that a suite can name."""
    from harness.cli.display import lists
    from harness.data.catalogue import read_catalogue

    lists.show_datasets(list(read_catalogue().values()), as_json)


@app.command("suites")
def list_suites(as_json: AsJson = False) -> None:
    """Show the suites: datasets, scale and seeds."""
    from harness import plan
    from harness.cli.display import lists

    lists.show_suites(plan.list_suites(), as_json)


@app.command("runs")
def list_runs(
    as_json: AsJson = False,
    plugins: Plugins = None,
    results: Results = Path("results"),
    shipped: Shipped = False,
) -> None:
    """Show every recorded run, and which of them the code and data that are here would repeat."""
    from harness.cli.display import lists
    from harness.results import load_runs
    from harness.results.shipped import find_shipped

    own = list(load_runs(results))
    runs = [*own, *find_shipped(own, shipped)]
    lists.show_runs(runs, find_outdated(runs, plugins or []), as_json)


def find_outdated(runs: Sequence[StoredRun], plugins: Sequence[Path]) -> dict[Path, str | None]:
    """Return, by the folders of runs that would be made again, why; None where nobody can tell."""
    from harness import registry
    from harness.data.catalogue import find_all_here
    from harness.results.origin import folders_of
    from harness.verification import staleness
    from harness.verification.shipped import promised

    if not runs:
        return {}
    here = find_all_here(folders_of(runs))
    named = {one.declaration.name for one in here}
    located = [*here, *(one for one in promised(runs) if one.declaration.name not in named)]
    return staleness.find_outdated(runs, registry.list_methods(plugins), located)
