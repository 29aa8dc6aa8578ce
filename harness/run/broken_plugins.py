"""Plugins that do not import, as records: a failure that is only printed is soon forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness import results
from harness.plan.spec import RunSpec
from harness.registry import Listing
from harness.results import RunRecord

VARIANT = "does not import"  # no method's label, so it never takes the place of a run
NO_KEY = ""  # there is no content to stand for


def record_broken(broken: Sequence[Listing], specs: Sequence[RunSpec], folder: Path) -> None:
    """Record each broken plugin once for each suite and dataset of a plan.

    The record of a plugin that imports by now is removed.
    """
    places: dict[tuple[str, str], RunSpec] = {}
    for spec in specs:
        places.setdefault((spec.suite, spec.dataset), spec)
    names = {listing.name for listing in broken}
    for run in list(results.load_runs(folder)):
        place = run.record.suite, run.record.dataset
        if run.record.key == NO_KEY and place in places and run.record.method not in names:
            _remove(run.path)
    for listing in broken:
        for spec in places.values():
            record = _record(listing, spec)
            where = (record.suite, record.dataset, record.method, record.variant, record.seed)
            results.finish_run(record, results.run_path(folder, *where))


def _remove(run: Path) -> None:
    """Remove a run's folder, and those of its variant and method where nothing else is in them."""
    shutil.rmtree(run)
    for folder in (run.parent, run.parent.parent):
        if not any(folder.iterdir()):
            folder.rmdir()


def _record(listing: Listing, spec: RunSpec) -> RunRecord:
    """Return the failure of a plugin in the place of a planned run."""
    planned = spec.record()
    return RunRecord(
        status="error",
        key=NO_KEY,
        suite=planned.suite,
        dataset=planned.dataset,
        method=listing.name,
        variant=VARIANT,
        seed=planned.seed,
        scale=planned.scale,
        title=listing.name,
        summary=f"The plugin {listing.plugin.module.path.name} does not import.",
        protocol=planned.protocol,
        data=planned.data,
        environment=planned.environment,
        command="harness list methods",
        started=planned.started,
        error=listing.error,
    )
