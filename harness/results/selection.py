"""Stored runs by name: of methods or variants, datasets and seeds, whether or not they are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.errors import HarnessError, unknown
from harness.results import FULL, StoredRun, load_runs


def select_runs(
    results: Path,
    suite: str,
    names: Sequence[str] = (),
    datasets: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    ablations: bool = False,
) -> list[StoredRun]:
    """Return finished runs of a suite: of the methods or variants that are named, or of all.

    Without `ablations`, a method stands for itself as published.

    Raises:
        HarnessError: there is no such run; the message says what there is.
    """
    runs = [run for run in load_runs(results) if run.record.suite == suite]
    finished = [run for run in runs if run.record.status == "ok"]
    if not finished:
        raise HarnessError(f"There is no finished run of suite {suite!r} in {results}.")
    for dataset in datasets or ():
        require("dataset with runs", dataset, (run.record.dataset for run in finished))
    finished = [run for run in finished if not datasets or run.record.dataset in datasets]
    for name in names:
        require("method with finished runs", name, (run.record.name for run in finished))
    chosen = [run for run in finished if _is_chosen(run, names, ablations)]
    found = [run for run in chosen if seeds is None or run.record.seed in seeds]
    _require_seeds(chosen, seeds)
    return found


def _is_chosen(run: StoredRun, names: Sequence[str], ablations: bool) -> bool:
    method, variant = run.record.method, run.record.variant
    if names and method not in names:
        return run.record.name in names
    return ablations or variant == FULL


def require(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that nothing has. Raises HarnessError: what there is, what was meant."""
    names = set(known)
    if name not in names:
        raise unknown(kind, name, names)


def _require_seeds(runs: Sequence[StoredRun], seeds: Sequence[int] | None) -> None:
    """Refuse seeds that a method or variant was not run with."""
    made: dict[str, set[int]] = {}
    for run in runs:
        made.setdefault(f"{run.record.name} on {run.record.dataset}", set()).add(run.record.seed)
    for name, has in made.items():
        if missing := sorted(set(seeds or ()) - has):
            raise HarnessError(
                f"{name} has no finished run with seed {', '.join(map(str, missing))}; there are "
                f"{', '.join(map(str, sorted(has)))}."
            )
    if not runs:
        raise HarnessError("No method as published is finished there; --ablations takes variants.")
