"""Folders that tests share: made once in a test run, whichever of its processes comes first."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

Make = Callable[[str, Callable[[Path], object]], Path]


def make_once(parent: Path) -> Make:
    """Return a function that makes a folder of `parent`, or waits until another process has.

    Nothing may change what is in it: who has to, copies it.
    """

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = parent / name / name, parent / name / "done"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.parent / "lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of one who has failed
                fill(folder)
                done.touch()
        return folder

    return make


def write_text(file: Path, text: str) -> None:
    """Write a file, and the folder that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
