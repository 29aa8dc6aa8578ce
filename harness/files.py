"""Files that are whole or absent: written beside their place, flushed and renamed."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ALGORITHM = "sha256"
# Suffixes: of a folder that is worked in, of one that steps aside, of a file that is written.
UNFINISHED, RETIRED, TEMPORARY = ".unfinished", ".retired", ".tmp"
LONGEST_NAME, LONGEST_START = 150, 120  # bytes of a file name, of the 255 that there may be
LEFT_OVERS = (UNFINISHED, RETIRED, TEMPORARY)  # what a killed process leaves


def slug(label: str) -> str:
    """Return a file name for a label: "B+LRC" stays, "w/o L_k" becomes "w-o-L_k", "A⁺" "A+".

    Of one that is too long for a file system the start is kept, and a digest of the whole.
    """
    plain = unicodedata.normalize("NFKC", label)
    name = re.sub(r"[^\w+.,=()-]+", "-", plain).strip("-.") or "unnamed"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name.encode()[:LONGEST_START].decode(errors='ignore')}-{digest}"


def process_tag() -> str:
    """Return a name for temporary files that no other process takes."""
    return f"{os.uname().nodename}-{os.getpid()}"


def may_be_alive(tag: str) -> bool:
    """Tell whether another process may be at what carries its tag; of other machines: yes."""
    import psutil

    machine, _, process = tag.rpartition("-")
    if machine != os.uname().nodename or not process.isdecimal():
        return True
    return int(process) != os.getpid() and psutil.pid_exists(int(process))


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Give a folder to fill, which is put in its place at the end, or removed where that fails.

    What killed processes of this machine have left of the same goes too.
    """
    for left in place.parent.glob(f"{glob.escape(place.name)}.*{TEMPORARY}"):
        if not may_be_alive(left.name.removesuffix(TEMPORARY).rpartition(".")[2]):
            shutil.rmtree(left, ignore_errors=True)
    unfinished = place.with_name(f"{place.name}.{process_tag()}{TEMPORARY}")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        put_in_place(unfinished, place)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def put_in_place(unfinished: Path, place: Path) -> None:
    """Rename a finished folder to its place; where another process was first, its folder stays."""
    try:
        unfinished.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(unfinished)


def replace_folder(place: Path, work: Path, retired: Path) -> None:
    """Rename `work` to `place`; what was there goes by the name `retired` and is removed last."""
    shutil.rmtree(retired, ignore_errors=True)
    with suppress(FileNotFoundError):
        place.rename(retired)
    put_in_place(work, place)
    flush(place.parent)
    shutil.rmtree(retired, ignore_errors=True)


def write_json(path: Path, values: Any) -> None:
    """Write JSON through a temporary sibling, so that the file is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{process_tag()}{TEMPORARY}")
    temporary.write_text(json.dumps(values, indent=1, default=_plain) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read a Parquet file as a list of dicts; empty where there is none."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist() if path.is_file() else []


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write named columns as Parquet."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path)


def _plain(value: Any) -> Any:
    """Turn what JSON does not know (paths, tuples of numpy numbers) into what it does."""
    return value.item() if hasattr(value, "item") else str(value)


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


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, ALGORITHM).hexdigest()


def to_json(values: Any) -> bytes:
    """Return JSON as the harness writes it."""
    return (json.dumps(values, indent=1) + "\n").encode()


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Flush a folder, its name and all that is in it to the disk."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        flush(path)
