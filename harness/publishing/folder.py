"""A page in a folder: built beside its place, then swapped with the one before."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.publishing.changes import Published, compare
from harness.publishing.page import (
    MANIFEST,
    Page,
    blob_name,
    list_files,
    read_manifest,
    write_manifest,
)

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux: paths are as usual; two names change places


def publish(page: Page, out: Path, dry_run: bool = False) -> Published:
    """Make a folder show a page, if it does not.

    Raises:
        HarnessError: the folder beside which it is built cannot be written.
        FileExistsError: it holds files and is no page of ours, or one is in the way of a page.
    """
    _restore(out.resolve())
    there = _read_folder(out)
    ours = _ours(out)
    blobs = {name: _blob_of(out / name) if name in page.blobs else "" for name in there}
    changes = compare(page.blobs, blobs, ours)
    if changes and not dry_run:
        try:
            write_folder({name: page.read(name) for name in page.blobs}, out)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS):
                raise
            raise HarnessError(
                f"{out} is replaced at once by a folder that is built beside it, which cannot be: "
                f"{error}. Name a folder within one that you can write."
            ) from error
    return Published(str(out), changes, address=(out / "index.html").resolve().as_uri())


def write_folder(files: Mapping[str, bytes], out: Path) -> None:
    """Put files, by their path within the folder, into `out`; files of others in it are kept.

    Files whose bytes are the same stay the files that they are. A kill at any moment leaves the
    old folder or the new one. Where the system cannot swap two folders at once, it may leave the
    old one under its `.previous` name, from which the next call restores it.

    Raises:
        FileExistsError: `out` holds files and is no page of ours, or a file of ours would replace
            one that is not.
    """
    out = out.resolve()
    _restore(out)
    _remove_left_overs(out)
    others = _read_folder(out) - _ours(out)
    compare(
        {name: blob_name(content) for name, content in files.items()},
        {name: _blob_of(out / name) if name in files else "" for name in others},
        ours=(),
    )
    work = out.with_name(f".{out.name}.{os.getpid()}.building")
    try:
        for name, content in {**files, MANIFEST: write_manifest(files)}.items():
            _put(work / name, content, out / name)
        for name in others - files.keys():
            _link(out / name, work / name)
        _swap(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _previous(out: Path) -> Path:
    return out.with_name(f".{out.name}.previous")


def _restore(out: Path) -> None:
    """Put back what a kill between two renames has left aside."""
    if _previous(out).exists() and not out.exists():
        _previous(out).rename(out)


def _remove_left_overs(out: Path) -> None:
    """Remove what processes that were killed have half built."""
    for path in out.parent.glob(f".{glob.escape(out.name)}.*.building"):
        process = path.name.split(".")[-2]
        if process.isdecimal() and not _is_running(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _read_folder(out: Path) -> set[str]:
    """Return the files below a folder; refuse one that is no page of ours."""
    if out.is_file():
        raise FileExistsError(f"{out} is a file, not a folder")
    if not out.exists() or not any(out.iterdir()):
        return set()
    if not (out / MANIFEST).is_file():
        raise FileExistsError(
            f"{out} holds files and is no site of ours (it has no {MANIFEST}); name another folder"
        )
    return {path.relative_to(out).as_posix() for path in list_files(out)}


def _ours(out: Path) -> set[str]:
    manifest = out / MANIFEST
    return read_manifest(manifest.read_bytes()) if manifest.is_file() else set()


def _blob_of(path: Path) -> str:
    """Return what names the content of a file; nothing for a link, which is no page."""
    return "" if path.is_symlink() else blob_name(path.read_bytes())


def _put(path: Path, content: bytes, before: Path) -> None:
    """Make a file with a content, which is the file from before where that has it."""
    if before.is_file() and not before.is_symlink() and before.read_bytes() == content:
        _link(before, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _link(source: Path, path: Path) -> None:
    """Give a file a second name; where the file system cannot, a copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, path, follow_symlinks=False)


def _swap(work: Path, out: Path) -> None:
    """Put a folder into the place of another, which is then gone or where the first was."""
    previous = _previous(out)
    shutil.rmtree(previous, ignore_errors=True)
    if out.exists():
        shutil.copymode(out, work)
        if _exchange(work, out):
            return
        out.rename(previous)
    work.rename(out)
    shutil.rmtree(previous, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places at once; tell whether the system could."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):  # no such library, or an older one
        rename = ctypes.CDLL(None).renameat2
        names = os.fsencode(one), os.fsencode(other)
        return bool(rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
    return False
