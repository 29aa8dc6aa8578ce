"""SHA-256 of the files of a folder, so that a later change shows.

A folder's ``checksums.json`` covers all that is below it, but for folders with checksums of their
own, the log, to which further evaluations add, and what a killed process left. Checksums tell of
damage and of hasty edits: who can write a result can write its checksums too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

CHECKSUMS = "checksums.json"
ALGORITHM = "sha256"
LOG = "log.txt"
LEFT_OVERS = (".unfinished", ".retired", ".tmp")  # suffixes of what a killed process leaves


def list_files(folder: Path) -> dict[str, Path]:
    """Return all below a folder that is no folder, by relative name; links are not followed."""
    found: dict[str, Path] = {}
    waiting = [folder]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            path = Path(entry.path)
            if entry.name.endswith(LEFT_OVERS):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


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


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, ALGORITHM).hexdigest()


def hash_folder(folder: Path) -> dict[str, dict[str, str]]:
    """Return what ``checksums.json`` of a folder holds."""
    files = list_files(folder)
    of_it = covered(files, sealed_folders(files))
    return {ALGORITHM: {name: hash_file(path) for name, path in of_it.items()}}
