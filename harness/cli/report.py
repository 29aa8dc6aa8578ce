"""`harness report`: the leaderboard from the results."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.options import Results, Shipped, Site
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.results import StoredRun

REPORTS = "harness.reports"


def report(
    results: Results = Path("results"),
    site: Site = Path("site"),
    shipped: Shipped = False,
) -> None:
    """Write the leaderboard, a folder of plain HTML, from the results.

    Where results came with the project, they can be looked at before anything is run here. They
    are marked as what they are. A run of your own stands in the place of the one that ships.
    """
    write_reports(results, site, shipped)


def write_reports(results: Path, out: Path, shipped: bool = False) -> None:
    """Build every report, and say where it is and what of it ships."""
    from harness.cli.display import terminal
    from harness.cli.display.shipped import say_what_ships

    pages, runs = _build(results, out, shipped)
    say_what_ships(runs)
    for page in pages:
        terminal.note(f"Leaderboard: {page}")


def build_reports(results: Path, out: Path, shipped: bool = False) -> list[Path]:
    """Call every installed report and return the pages to open first."""
    return _build(results, out, shipped)[0]


def _build(results: Path, out: Path, shipped: bool) -> tuple[list[Path], list[StoredRun]]:
    """Build every report; return the pages, and the runs that are shown on them."""
    from harness.results.shipped import load_layered

    entries = importlib.metadata.entry_points(group=REPORTS)
    if not entries:
        raise HarnessError("No report is installed: reinstall the package (pip install -e .).")
    runs = load_layered(results, shipped)
    _draw_thumbnails(results, runs)
    builds: list[Callable[..., Path]] = [entry.load() for entry in entries]
    try:
        return [build(results, out, shipped=shipped) for build in builds], runs
    except (ValueError, OSError) as error:
        raise HarnessError(str(error)) from error


def _draw_thumbnails(results: Path, runs: Sequence[StoredRun]) -> None:
    """Draw the images of what ships, once; without a cache to write to, pages do without them."""
    from harness.cli.display import terminal
    from harness.results.shipped import is_shipped

    if not any(map(is_shipped, runs)):
        return
    from harness.data.shipped_digest import find_undrawn

    for undrawn in find_undrawn(results, runs):
        try:
            with terminal.steps() as show:
                undrawn.draw(show)
        except OSError as error:
            terminal.note(f"No images of {undrawn.dataset} are shown: {error}.")
