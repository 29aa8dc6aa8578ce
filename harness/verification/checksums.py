"""The files of a run against the checksums that were written with them.

A run that was handed on without its weights and embeddings has their sums all the same, under
`LEFT_OUT`: those files may be missing, but not differ.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.files import ALGORITHM, LEFT_OVERS, hash_file, list_files
from harness.printable import printable
from harness.results import EMBEDDINGS, WEIGHTS
from harness.results.checksums import CHECKSUMS, LOG, covered, sealed_folders
from harness.verification.findings import Finding, Kind, Unreadable
from harness.verification.reading import read_json

LEFT_OUT = "left_out"  # sums of files that were not handed on, beside those of the others
MAY_BE_LEFT_OUT = (f"{WEIGHTS}/", f"{EMBEDDINGS}/")


class Sums(dict[str, str]):
    """Checksums by the names of files, of which some need not be there."""

    left_out: frozenset[str] = frozenset()


def check_seals(run: Path, path: str) -> Iterator[Finding]:
    """Yield every file of a run that is missing, changed or additional, or not covered at all."""
    try:
        files = list_files(run)
        own = _read_sums(run)
    except OSError as error:
        yield Finding(Kind.FILES, path, "", f"cannot be read: {error.strerror}")
        return
    except Unreadable as error:
        yield Finding(Kind.FILES, path, CHECKSUMS, str(error))
        return
    # A folder that the run's own checksums tell of gets no others.
    apart = [f for f in sealed_folders(files) if own is None or not _tells_of(own, f)]
    of_run = covered(files, apart)
    if own is None:
        yield Finding(Kind.NOT_SEALED, path, "", "has no checksums")
    else:
        yield from _compare(own, of_run, path, "")
    for folder in apart:
        yield from _check_apart(run / folder, folder, path)


def find_left_overs(results: Path) -> Iterator[Finding]:
    """Yield the files and folders that killed processes left, at any depth of a results folder."""
    for folder, below, files in os.walk(results):
        for name in sorted(below + files):
            if name.endswith(LEFT_OVERS):
                path = (Path(folder) / name).relative_to(results).as_posix()
                yield Finding(Kind.LEFT_OVER, path, "", "is not finished, or was replaced")
        below[:] = sorted(name for name in below if not name.endswith(LEFT_OVERS))


def read_left_out(checksums: Mapping[str, Any]) -> dict[str, str]:
    """Return the sums of what a run was handed on without, of what its checksums.json holds."""
    told = checksums.get(LEFT_OUT, {})
    if not isinstance(told, dict) or not all(isinstance(one, str) for one in told.values()):
        return {}
    return {name: one for name, one in told.items() if name.startswith(MAY_BE_LEFT_OUT)}


def _check_apart(folder: Path, name: str, path: str) -> Iterator[Finding]:
    """Check a folder of a run that has checksums of its own."""
    try:
        sums = _read_sums(folder)
    except Unreadable as error:
        yield Finding(Kind.FILES, path, f"{name}/{CHECKSUMS}", str(error))
        return
    yield from _compare(sums or Sums(), covered(list_files(folder), ()), path, f"{name}/")


def _compare(sums: Sums, files: Mapping[str, Path], path: str, prefix: str) -> Iterator[Finding]:
    for name in sorted(sums.keys() | files.keys()):
        if name in sums.left_out and name not in files:
            continue
        if message := _difference(sums.get(name), files.get(name)):
            yield Finding(Kind.FILES, path, f"{prefix}{printable(name)}", message)


def _difference(expected: str | None, file: Path | None) -> str:
    """Say how a file differs from what was written; nothing where it does not."""
    if file is None:
        return "is missing"
    if expected is None:
        return "was not there when the folder was written"
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return "is not a plain file"
        return "" if hash_file(file) == expected else "was changed"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _tells_of(sums: Sums, folder: str) -> bool:
    return any(name.startswith(f"{folder}/") for name in sums)


def _read_sums(folder: Path) -> Sums | None:
    """Return the checksums of a folder; None where it has none."""
    if not (folder / CHECKSUMS).exists():
        return None
    values = read_json(folder / CHECKSUMS)
    sums = values.get(ALGORITHM) if isinstance(values, dict) else None
    if not isinstance(sums, dict) or not all(isinstance(one, str) for one in sums.values()):
        raise Unreadable(f"does not hold {ALGORITHM} sums by file")
    left_out = read_left_out(values)
    known = {**left_out, **sums}
    found = Sums({name: one for name, one in known.items() if name not in (CHECKSUMS, LOG)})
    found.left_out = frozenset(left_out)
    return found
