"""One hash for what the files of a dataset hold.

The same rows have the same fingerprint wherever they were written: the bytes of a Parquet file
also tell which version of Arrow wrote it, how it is compressed and where its shards are cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import paths
from harness.files import write_json

VERSION = 1  # of the hash: what was remembered of another one is not taken
BATCH = 256  # rows held at once, with their images


def fingerprint(files: Mapping[str, tuple[Path, ...]]) -> str:
    """Hash the rows of each split; remembered by path, size and times, because they are large."""
    stats = [
        (split, str(path.resolve()), *_stand(path))
        for split, group in files.items()
        for path in group
    ]
    seen = hashlib.sha256(repr((VERSION, stats)).encode()).hexdigest()[:24]
    memory = paths.cache_folder() / "fingerprints" / f"{seen}.json"
    try:
        return str(json.loads(memory.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError):
        pass
    digest = hashlib.sha256()
    for split, group in files.items():
        digest.update(f"{split} {hash_rows(group)}\n".encode())
    value = {"fingerprint": digest.hexdigest()}
    with contextlib.suppress(OSError):  # without a cache it is only slower
        write_json(memory, value)
    return value["fingerprint"]


def _stand(path: Path) -> tuple[int, ...]:
    """Return what changes with a file's content, also where its size and time are set back."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def hash_rows(files: Sequence[Path]) -> str:
    """Return a hash of the rows of these files, in order, with the names of their columns.

    A file that is no Parquet counts as its bytes: whoever reads it says what is wrong with it.
    """
    import pyarrow

    digest = hashlib.sha256()
    for file in files:
        try:
            _add_rows(digest, file)
        except (pyarrow.ArrowException, OSError):
            with file.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def _add_rows(digest: Any, file: Path) -> None:
    import pyarrow.parquet

    # By default a whole column of images would be taken into memory.
    with pyarrow.parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as parquet:
        for batch in parquet.iter_batches(BATCH):
            for row in batch.to_pylist():
                # ASCII, so that no version of Python writes a letter in another way.
                digest.update(json.dumps(row, sort_keys=True, default=_in_json).encode() + b"\n")


def _in_json(value: Any) -> str:
    """Return bytes as their hash, and what else JSON does not know as its text."""
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
