"""`harness drop`: remove recorded runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import WHAT, WHERE, Plugins, Results, Seeds, parse_seeds
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.results import StoredRun


def drop(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Methods with all their variants (irra), or variants (irra:+SDM)."),
    ] = None,
    outdated: Annotated[
        bool,
        typer.Option(
            "--outdated",
            help="Only runs of other code, settings or data than are here.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only runs that failed.", rich_help_panel=WHAT)
    ] = False,
    suite: Annotated[
        str | None, typer.Option(help="Only runs of this suite.", rich_help_panel=WHAT)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Only runs on this dataset.", rich_help_panel=WHAT)
    ] = None,
    seeds: Seeds = None,
    plugins: Plugins = None,
    results: Results = Path("results"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.", rich_help_panel=WHERE)] = False,
) -> None:
    """Remove recorded runs, with their weights, after showing which.

    What is named is narrowed down by every option: **harness drop irra --failed** removes those
    runs of irra that failed. A run that a process is at stays.

    Example: **harness drop --outdated**
    """
    from harness.cli.display import lists, terminal
    from harness.cli.listing import find_outdated
    from harness.results import load_runs

    if not (names or outdated or failed or suite or dataset):
        raise HarnessError(
            "Name methods or variants, or say --outdated, --failed, --suite or --dataset. "
            "`harness list runs` shows what there is."
        )
    chosen = _choose(
        list(load_runs(results)), names or (), suite, dataset, parse_seeds(seeds) if seeds else ()
    )
    chosen = [run for run in chosen if not (failed and run.record.status == "ok")]
    why = find_outdated(chosen, plugins or [])
    if outdated:
        chosen = [run for run in chosen if why.get(run.path)]
    if not chosen:
        terminal.note(f"No such run in {results}.")
        return
    lists.show_runs(chosen, why, as_json=False)
    if not yes and not _agreed():
        return
    keeps_training = outdated or failed  # what goes on from it is newer
    removed = [run for run in chosen if _remove(run, results, keeps_training)]
    terminal.note(f"Removed from {results}: {len(removed)} of {len(chosen)}.")
    if len(removed) < len(chosen):
        terminal.note("The others are no longer what they were, or a process is at them right now.")


def _choose(
    runs: Sequence[StoredRun],
    names: Sequence[str],
    suite: str | None,
    dataset: str | None,
    seeds: Sequence[int],
) -> list[StoredRun]:
    """Return the runs that are named, finished or not.

    Raises:
        HarnessError: there is no run of a name; the message says of which there are.
    """
    from harness.results.selection import require

    named = {run.path: {run.record.method, run.record.name} for run in runs}
    for name in names:
        require("method or variant with runs", name, (n for own in named.values() for n in own))
    if suite:
        require("suite with runs", suite, (run.record.suite for run in runs))
    if dataset:
        require("dataset with runs", dataset, (run.record.dataset for run in runs))
    return [
        run
        for run in runs
        if (not names or named[run.path] & {*names})
        and suite in (None, run.record.suite)
        and dataset in (None, run.record.dataset)
        and (not seeds or run.record.seed in seeds)
    ]


def _agreed() -> bool:
    """Ask, where somebody is there to answer."""
    if not sys.stdin.isatty():
        raise HarnessError("Nothing was removed. --yes removes these runs without asking.")
    return typer.confirm("Remove these runs?")


def _remove(run: StoredRun, results: Path, keeps_training: bool) -> bool:
    """Remove a run unless it has changed or a process is at it; tell whether it was removed."""
    from filelock import Timeout

    from harness.results import read_record
    from harness.results.left_overs import remove_run
    from harness.results.locks import run_lock

    try:
        with run_lock(run.path, results).acquire(blocking=False):
            if read_record(run.path) != run.record:
                return False
            remove_run(run.path, results, keeps_training)
    except Timeout:
        return False
    return True
