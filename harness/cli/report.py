"""`harness report`: the leaderboard from the results."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.errors import HarnessError

REPORTS = "harness.reports"


def report(
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("site"),
) -> None:
    """Write the leaderboard, a folder of plain HTML, from the results."""
    write_reports(results, out)


def write_reports(results: Path, out: Path) -> None:
    """Build every report and say where it is."""
    from harness.cli.display import terminal

    for page in build_reports(results, out):
        terminal.note(f"Leaderboard: {page}")


def build_reports(results: Path, out: Path) -> list[Path]:
    """Call every installed report and return the pages to open first."""
    entries = importlib.metadata.entry_points(group=REPORTS)
    if not entries:
        raise HarnessError("No report is installed: reinstall the package (pip install -e .).")
    builds: list[Callable[[Path, Path], Path]] = [entry.load() for entry in entries]
    try:
        return [build(results, out) for build in builds]
    except (ValueError, OSError) as error:
        raise HarnessError(str(error)) from error
