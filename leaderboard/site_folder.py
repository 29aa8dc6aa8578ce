"""Writes a site as a whole: built beside its place, then swapped with the one before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from leaderboard.site import File

MARKER = ".leaderboard-files"  # lists what we wrote, so that a rebuild replaces nothing else


def write_site(files: Mapping[str, File], out: Path) -> None:
    """Put files, by their path within the site, into `out`; files of others in it are kept.

    A kill at any moment leaves the old site or the new one, or in between the old one under
    its `.previous` name, from which the next call restores it.

    Raises FileExistsError where `out` is not a site of ours, or a page would replace a file
    that is not.
    """
    out = out.resolve()
    previous = out.with_name(f".{out.name}.previous")
    if previous.exists() and not out.exists():
        previous.rename(out)
    others = _files_of_others(out)
    if taken := sorted(others & files.keys()):
        raise FileExistsError(f"{out / taken[0]} is not a page of ours; move it away")
    work = out.with_name(f".{out.name}.{os.getpid()}.building")
    try:
        _write(files, work)
        for name in others:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(out / name, work / name, follow_symlinks=False)
        _swap(work, out, previous)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _files_of_others(out: Path) -> set[str]:
    """Return the files below `out` that no build wrote; refuse a folder that is no site."""
    if out.is_file():
        raise FileExistsError(f"{out} is a file, not a folder")
    if not out.exists() or not any(out.iterdir()):
        return set()
    marker = out / MARKER
    if not marker.is_file():
        raise FileExistsError(
            f"{out} holds files and is no site of ours (it has no {MARKER}); name another folder"
        )
    ours = {MARKER, *marker.read_text(encoding="utf-8").splitlines()}
    files = (path for path in out.rglob("*") if path.is_symlink() or path.is_file())
    return {str(path.relative_to(out)) for path in files} - ours


def _write(files: Mapping[str, File], folder: Path) -> None:
    for name, content in {**files, MARKER: "".join(f"{name}\n" for name in sorted(files))}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def _swap(work: Path, out: Path, previous: Path) -> None:
    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        out.rename(previous)
    work.rename(out)
    shutil.rmtree(previous, ignore_errors=True)
