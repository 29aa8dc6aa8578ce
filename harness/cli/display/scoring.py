"""What `harness score` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.cli.display.terminal import note, print_table
from harness.results import METRICS, TIED, RunRecord
from harness.results.handed_in import HandedIn

if TYPE_CHECKING:
    from harness.handed_in.weights import Loaded

NAMED = 5  # weights that are named
Figures = Mapping[str, float]


def show_rows(name: str, ground: str, figures: Mapping[int, Figures], handed: HandedIn) -> None:
    """Show what the files of a method scored, seed by seed, and what is to be known of it."""
    rows = [
        (str(seed) if handed.seeded else "-", *(f"{one[metric]:.2f}" for metric in METRICS))
        for seed, one in figures.items()
    ]
    print_table(("seed", *METRICS.values()), rows, f"{name} on {ground}, {handed.mark}")
    shares = [one[TIED] for one in figures.values() if one[TIED]]
    if shares:
        note(f"Of all queries up to {max(shares):.3g} % hang on how ties break.")
    if not handed.order_checked:
        note(
            f"Order not checked: rows were taken in the order of the annotation file "
            f"({handed.matched}). The row is shown, and not tested against others."
        )


def say_weights(loaded: Loaded) -> None:
    """Say of every weight of a file whether it is used, and what the method has besides."""
    note(f"{loaded.used} weights of {loaded.file.name}, as {loaded.layout} saves them.")
    for name, why in loaded.unused.items():
        note(f"Not used: {name}: {why}.")
    if loaded.missing:
        named = ", ".join(loaded.missing[:NAMED])
        more = f" and {len(loaded.missing) - NAMED} more" if len(loaded.missing) > NAMED else ""
        note(f"Not in the file, and not needed to encode: {named}{more}.")


def show_bounds(depth: int, least: Figures, most: Figures) -> None:
    """Show between which ends the figures of rankings lie that are cut at a depth."""
    rows = [(name, _span(least[key], most[key])) for key, name in METRICS.items()]
    print_table(("figure", "%"), rows, f"Of rankings that are cut after {depth} images")
    note(
        "No row was made: ranks, mAP and mINP need every image of every ranking. Write them whole."
    )


def show_known(records: Sequence[RunRecord]) -> None:
    """Say that rows are there already."""
    names = ", ".join(f"{record.name} seed {record.seed}" for record in records)
    note(f"There already, from the same files and settings: {names}.")


def _span(low: float, high: float) -> str:
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
