"""What is said of results that came with the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.display.terminal import note
from harness.results.shipped import is_shipped, say_shipped

if TYPE_CHECKING:
    from harness.results import StoredRun


def say_what_ships(runs: Sequence[StoredRun]) -> None:
    """Say how many of some runs ship, what made them, and how many of them are outdated."""
    if said := say_shipped(runs):
        note(said)
        say_outdated(runs)


def say_outdated(runs: Sequence[StoredRun]) -> None:
    """Say how many of the runs that ship other code than is here has made."""
    from harness.verification.shipped import find_outdated

    shipped = [run for run in runs if is_shipped(run)]
    if outdated := find_outdated(shipped):
        methods = ", ".join(dict.fromkeys(run.record.method for run in outdated))
        note(
            f"Of the {len(shipped):,} runs that ship, {len(outdated):,} were made by other code or "
            f"on other data than are here ({methods}); `harness run` makes them anew."
        )
