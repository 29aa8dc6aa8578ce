"""A bundle from anyone, unpacked: only files that a submission may hold, to where they belong.

What is refused is refused by its name and its declared size before a byte is written; what is
written is counted, so that a file that is larger than it says stops there. No link is made or
followed, and no name leaves the folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from harness.errors import HarnessError
from harness.files import hash_file
from harness.printable import printable
from harness.submission.layout import MANIFEST, MOST_BYTES, MOST_FILES, limit_of

SWELLS = 200  # times its packed size: more than any file of a run does
SMALL = 1 << 20  # bytes that may swell as they like
BUFFER = 1 << 20
MOST_DIRECTORY = 32 << 20  # bytes of a zip's list of contents
UNZIPPING = (  # what zipfile raises of a file that is no whole zip
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


class Refused(HarnessError):
    """A bundle that is not taken in; the message says why."""


@dataclass(frozen=True)
class Packed:
    """A file of a bundle: what it says of itself, and how it is read."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(source: Path, into: Path) -> str:
    """Write the files of a bundle, a zip or a folder, below an empty folder; return its SHA-256.

    Raises:
        Refused: it is no bundle, or holds what no bundle may.
    """
    if source.is_dir():
        return _copy(_in_folder(source), into)
    try:
        with source.open("rb") as handle:
            _refuse_directory(handle)
            with zipfile.ZipFile(handle) as archive:
                _copy(_in_zip(archive), into)
    except FileNotFoundError as error:
        raise Refused(f"There is no {source}.") from error
    except UnicodeError as error:
        raise Refused("it has names that are no text") from error
    except UNZIPPING as error:
        raise Refused(f"it is no whole zip file: {printable(str(error))}") from error
    return hash_file(source)


def _refuse_directory(handle: BinaryIO) -> None:
    """Refuse a list of contents that would fill the memory before anything is known of it."""
    # The parser's own reading of the end of a zip: another one could be told something else.
    end = zipfile._EndRecData(handle)  # type: ignore[attr-defined]  # not public, and nothing is
    if end is None:
        raise Refused("it is no zip file")
    entries, size = end[4], end[5]
    if entries > MOST_FILES or size > MOST_DIRECTORY:
        raise Refused(f"it says that it holds {entries:,} files; none has more than {MOST_FILES:,}")


def _in_zip(archive: zipfile.ZipFile) -> Iterator[Packed]:
    for entry in archive.infolist():
        name = entry.orig_filename
        told = printable(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"{told} is a link or another thing that is no file")
        if entry.flag_bits & 1:
            raise Refused(f"{told} is encrypted")
        if name.endswith("/") and not entry.file_size:
            continue  # a folder; those that are needed are made
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(f"{told} is packed in a way that is not read; store or deflate it")
        if entry.file_size > SMALL and entry.file_size > SWELLS * entry.compress_size:
            raise Refused(
                f"{told} swells from {entry.compress_size:,} to {entry.file_size:,} bytes"
            )
        yield Packed(name, entry.file_size, partial(archive.open, entry))


def _in_folder(folder: Path) -> Iterator[Packed]:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            found = list(entries)
        for entry in found:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
                continue
            name = path.relative_to(folder).as_posix()
            if not entry.is_file(follow_symlinks=False):
                raise Refused(f"{printable(name)} is a link or another thing that is no file")
            size = entry.stat(follow_symlinks=False).st_size
            yield Packed(name, size, partial(_open, path))


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _copy(packed: Iterator[Packed], into: Path) -> str:
    """Write what is packed; return the SHA-256 of names and contents."""
    files = _acceptable(packed)
    digest = hashlib.sha256()
    for file in files:
        content = _write(file, into / file.name)
        digest.update(f"{content} {file.name}\n".encode())
    return digest.hexdigest()


def _acceptable(packed: Iterator[Packed]) -> Sequence[Packed]:
    """Return the files in the order of their names; refuse a bundle with one that may not be."""
    files: dict[str, Packed] = {}
    total = 0
    for file in packed:
        _refuse_file(file)
        if file.name in files:
            raise Refused(f"{printable(file.name)} is in it twice")
        files[file.name] = file
        total += file.size
        if len(files) > MOST_FILES or total > MOST_BYTES:
            raise Refused(f"it holds more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
    _refuse_clashes(files)
    if MANIFEST not in files:
        raise Refused(f"it has no {MANIFEST}: `harness export` writes bundles")
    return [files[name] for name in sorted(files)]


def _refuse_file(file: Packed) -> None:
    """Refuse a name that leads elsewhere or that no submission has, and a size beyond reason."""
    name = file.name
    told = printable(name)
    if not name.isprintable():
        raise Refused(f"{told} holds control characters")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name:
        raise Refused(f"{told} leads out of the bundle")
    most = limit_of(name)
    if most is None:
        raise Refused(f"{told} is no file of a submission")
    if file.size > most:
        raise Refused(f"{told} has {file.size:,} bytes, more than the {most:,} of such a file")


def _refuse_clashes(names: Sequence[str] | dict[str, Packed]) -> None:
    """Refuse names that differ in case alone: some file systems take them for one."""
    spelled: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        for length in range(1, len(parts) + 1):
            path = "/".join(parts[:length])
            other = spelled.setdefault(path.casefold(), path)
            if other != path:
                raise Refused(f"{printable(path)} and {printable(other)} differ in case alone")


def _write(file: Packed, place: Path) -> str:
    """Write a file, not a byte more than it says, and return its SHA-256."""
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, written = hashlib.sha256(), 0
    with file.open() as source, place.open("xb") as target:
        while block := source.read(BUFFER):
            written += len(block)
            if written > file.size:
                raise Refused(f"{printable(file.name)} is larger than it says")
            digest.update(block)
            target.write(block)
    return digest.hexdigest()
