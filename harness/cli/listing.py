"""`harness list`: what there is."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.options import AsJson, Plugins, Results

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
def list_runs(as_json: AsJson = False, results: Results = Path("results")) -> None:
    """Show every recorded run."""
    from harness.cli.display import lists
    from harness.results import load_runs

    lists.show_runs(list(load_runs(results)), as_json)
