"""One process a run, among all that work on a results folder: locks that end with their process."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from filelock import FileLock, Timeout

from harness.plan.spec import RunSpec
from harness.results.left_overs import clear_left_overs, find_left_overs

LOCKS = ".locks"  # below the results: no suite is called so


def run_lock(spec: RunSpec, results: Path) -> FileLock:
    """Return the lock of a run. The kernel frees it when its process ends, however that is."""
    return place_lock(spec.path(results), results)


def place_lock(place: Path, results: Path) -> FileLock:
    """Return the lock of the run whose folder is, or will be, at a place below the results."""
    folder = results / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{_place_name(place, results)}.lock")


def run_name(spec: RunSpec, results: Path) -> str:
    """Return a file name that no other run of the results has; labels may be too long for one."""
    return _place_name(spec.path(results), results)


def _place_name(place: Path, results: Path) -> str:
    return hashlib.sha256(place.relative_to(results).as_posix().encode()).hexdigest()[:32]


def is_taken(spec: RunSpec, results: Path) -> bool:
    """Tell whether a process is at a run right now."""
    try:
        with run_lock(spec, results).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a folder that cannot be written is the run's to report


def clear_unless_taken(spec: RunSpec, results: Path) -> None:
    """Remove what killed processes left of a run, unless a process is at it right now."""
    path = spec.path(results)
    if not find_left_overs(path):
        return
    with contextlib.suppress(Timeout, OSError), run_lock(spec, results).acquire(blocking=False):
        clear_left_overs(path)
