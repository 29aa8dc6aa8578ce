"""SHA-256 of the files of a folder, so that a later change shows.

A folder's ``checksums.json`` covers all that is below it, but for folders with checksums of their
own, the log, to which further evaluations add, and what a killed process left. Checksums tell of
damage and of hasty edits: who can write a result can write its checksums too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from harness.files import ALGORITHM, hash_file, list_files

CHECKSUMS = "checksums.json"
LOG = "log.txt"


def sealed_folders(names: Iterable[str]) -> list[str]:
    """Return the folders with checksums of their own, of the files below a folder."""
    marked = (PurePosixPath(name) for name in names)
    return [str(name.parent) for name in marked if name.name == CHECKSUMS and len(name.parts) > 1]


def covered(files: Mapping[str, Path], apart: Iterable[str]) -> dict[str, Path]:
    """Return the files that a folder's checksums cover; the folders `apart` have their own."""
    prefixes = tuple(f"{folder}/" for folder in apart)
    return {
        name: path
        for name, path in files.items()
        if name not in (CHECKSUMS, LOG) and not name.startswith(prefixes)
    }


def hash_folder(folder: Path) -> dict[str, dict[str, str]]:
    """Return what ``checksums.json`` of a folder holds."""
    files = list_files(folder)
    of_it = covered(files, sealed_folders(files))
    return {ALGORITHM: {name: hash_file(path) for name, path in of_it.items()}}
