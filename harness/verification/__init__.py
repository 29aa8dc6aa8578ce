"""Trust in stored results: every figure recomputed, every file compared with its checksum.

Neither torch nor any method is needed, and nothing that is stored is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.declaration import Located
from harness.errors import HarnessError
from harness.progress import Show
from harness.registry import Listing
from harness.verification.checksums import find_left_overs
from harness.verification.findings import Finding, Kind, Report
from harness.verification.grounds import find_apart, find_mixed
from harness.verification.relevance import Library
from harness.verification.runs import VerifiedRun, verify_run
from harness.verification.staleness import find_stale

__all__ = ["Finding", "Kind", "Report", "verify"]


def verify(
    results: Path,
    listings: Sequence[Listing],
    datasets: Sequence[Located],
    show: Show = lambda what, done, total: None,
    beside: Path | None = None,
    promised: Sequence[Located] = (),
) -> Report:
    """Verify every run below a results folder.

    Args:
        listings: the methods that are here, whose code is compared with what made the runs.
        datasets: those that are here; of others the digests among the results are believed.
        beside: the results folder that these are to be taken into, whose digests they must fit.
        promised: datasets that would be drawn here as they are told of, and have no files yet.

    Raises:
        HarnessError: there is no such folder, or no run in it.
    """
    folders = _find_runs(results)
    names = {one.declaration.name for one in datasets}
    known = [*datasets, *(one for one in promised if one.declaration.name not in names)]
    library = Library.open(results, datasets, beside)
    runs: list[VerifiedRun] = []
    for folder in folders:
        runs.append(verify_run(results, folder, library))
        show("verifying runs", len(runs), len(folders))
    return Report(
        runs=len(runs),
        figures=sum(run.figures for run in runs),
        findings=[
            *library.findings,
            *(finding for run in runs for finding in run.findings),
            *find_mixed(runs),
            *find_apart(runs),
            *find_stale(runs, listings, known),
            *find_left_overs(results),
        ],
    )


def _find_runs(results: Path) -> list[Path]:
    """Return the folders that carry the name of a finished run, whatever is in them."""
    if not results.is_dir():
        raise HarnessError(f"There is no folder {results}. `harness run` writes one.")
    found = sorted(results.glob("*/*/*/*/seed-*"))
    runs = [path for path in found if path.name.removeprefix("seed-").isdecimal()]
    if not runs:
        raise HarnessError(
            f"No run below {results}: it has to be the folder that holds "
            "suite/dataset/method/variant/seed-0."
        )
    return [path for path in runs if path.is_dir()]
