"""One process a run, among all that work on a results folder: locks that end with their process."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from filelock import FileLock, Timeout

from harness.results.left_overs import clear_left_overs, find_left_overs

LOCKS = ".locks"  # below the results: no suite is called so


def run_lock(path: Path, results: Path) -> FileLock:
    """Return the lock of the run whose folder is, or will be, at a path below the results.

    The kernel frees it when its process ends, however that is.
    """
    folder = results / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{run_name(path, results)}.lock")


def run_name(path: Path, results: Path) -> str:
    """Return a file name that no other run of the results has; labels may be too long for one."""
    return hashlib.sha256(path.relative_to(results).as_posix().encode()).hexdigest()[:32]


def is_taken(path: Path, results: Path) -> bool:
    """Tell whether a process is at a run right now."""
    try:
        with run_lock(path, results).acquire(blocking=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a folder that cannot be written is the run's to report


def clear_unless_taken(path: Path, results: Path) -> None:
    """Remove what killed processes left of a run, unless a process is at it right now."""
    if not find_left_overs(path):
        return
    with contextlib.suppress(Timeout, OSError), run_lock(path, results).acquire(blocking=False):
        clear_left_overs(path)
