"""What killed processes left beside a run and in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.files import LEFT_OVERS, RETIRED, UNFINISHED
from harness.results import WEIGHTS
from harness.results.checksums import LOG

KEY = "key"  # of the content that a working folder is for
STAYS = (KEY, LOG, WEIGHTS)  # what a run goes on from; it makes all else again


def clear_left_overs(path: Path) -> None:
    """Remove what is left of a killed process beside a run and in it, but not its working folder.

    A run that had stepped aside for one that never came goes back to its place.
    """
    retired = path.with_name(path.name + RETIRED)
    if retired.is_dir() and not path.exists():
        retired.rename(path)
    for one in find_left_overs(path):
        _remove(one)


def remove_run(path: Path, results: Path, keeps_training: bool = False) -> None:
    """Remove a run with all that is left beside it, and the folders that it leaves empty.

    It steps aside first, so that a kill at any moment leaves it whole or not at all. A training
    that was interrupted, and goes on from its checkpoint, may stay.
    """
    retired = path.with_name(path.name + RETIRED)
    shutil.rmtree(retired, ignore_errors=True)
    path.rename(retired)
    training = path.with_name(path.name + UNFINISHED)
    for one in (retired, *find_left_overs(path), *([] if keeps_training else [training])):
        _remove(one)
    for folder in path.parents:
        if folder == results or any(folder.iterdir()):
            return
        folder.rmdir()


def find_left_overs(path: Path) -> list[Path]:
    """Return what is left beside a run and in it, or being made there right now."""
    beside = [path.with_name(path.name + end) for end in (RETIRED, f".dead{UNFINISHED}")]
    left = [one for one in beside if one.exists()]
    return left + [file for suffix in LEFT_OVERS for file in path.glob(f"*{suffix}")]


def clear_work(work: Path) -> None:
    """Remove from a working folder all but what a run goes on from."""
    for file in work.iterdir():
        if file.name not in STAYS:
            _remove(file)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
