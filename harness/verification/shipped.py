"""What ships with the project against the code that is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.data.catalogue import code_of_drawing, read_catalogue
from harness.data.declaration import Located
from harness.registry import find_plugins
from harness.results import StoredRun, shipped
from harness.verification.findings import Finding, Kind
from harness.verification.staleness import find_of_other_code


def find_outdated(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return the shipped runs that other code, or other drawn people, gave than are here.

    Methods are not imported, and data is neither drawn nor read.
    """
    moved = {run.path for run in find_of_other_code(runs, find_plugins())}
    elsewhere = {one.declaration.name for one in promised(runs) if not one.fingerprint}
    return [run for run in runs if run.path in moved or run.record.dataset in elsewhere]


def promised(runs: Iterable[StoredRun]) -> list[Located]:
    """Return the drawn datasets of shipped runs as they would be drawn here, without files.

    One that the code here draws otherwise has no content that a run could have been made on.
    """
    about = shipped.read_about()
    records = [run.record for run in runs if shipped.is_shipped(run)]
    known = {(one.dataset, str(one.data.get("fingerprint"))) for one in records}
    catalogue = read_catalogue()
    return [
        Located(catalogue[dataset], {}, fingerprint if drawing == code_of_drawing() else "")
        for dataset, fingerprint in sorted(known)
        if dataset in catalogue and (drawing := about and about.drawing.get(fingerprint))
    ]


def check_about() -> Iterator[Finding]:
    """Yield what is wrong with the account of what made the runs that ship."""
    if shipped.read_about() is None:
        told = "does not tell what made these runs: export them again"
        yield Finding(Kind.RECORD, shipped.ABOUT, "", told)
