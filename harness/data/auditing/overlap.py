"""Which images of a training split stand in a split of another dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from harness import paths
from harness.data.columns import stored_image
from harness.data.declaration import Located
from harness.data.digest import read_batches
from harness.files import write_json
from harness.progress import Show

VERSION = 1  # of what is compared: what was remembered of another one is not taken


def shared_images(
    training: Located,
    other: Located,
    show: Show = lambda what, done, total: None,
    split: Literal["test", "train"] = "test",
) -> list[str]:
    """Return the ids of the training images of one dataset whose files are in another's split.

    Files are compared byte by byte; what was found is remembered by the contents of both.
    """
    both = f"{training.fingerprint} {other.fingerprint}"
    names = hashlib.sha256(f"{VERSION} {both} {split}".encode())
    memory = paths.cache_folder() / "overlaps" / f"{names.hexdigest()[:24]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return list(map(str, json.loads(memory.read_text(encoding="utf-8"))["images"]))
    what = f"holding {training.declaration.name} against the {split} images"
    found = _compare(training, other.files[split], show, what)
    with suppress(OSError):  # without a cache it is only slower
        write_json(memory, {"images": found})
    return found


def _compare(training: Located, files: tuple[Path, ...], show: Show, what: str) -> list[str]:
    import pyarrow.parquet

    others = {digest for _, digest in _hashes(files)} - {None}
    total = sum(pyarrow.parquet.read_metadata(file).num_rows for file in training.files["train"])
    found = []
    for done, (image, digest) in enumerate(_hashes(training.files["train"]), start=1):
        if digest in others:
            found.append(image)
        if done % 1000 == 0:
            show(what, done, total)
    return found


def _hashes(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes | None]]:
    """Yield the id of each image, and the hash of its file; None where there is none to read."""
    for batch in read_batches(files):
        for row in batch:
            yield str(row["image_id"]), _hash(row["image"])


def _hash(stored: Any) -> bytes | None:
    encoded, file = stored_image(stored)
    try:
        if encoded is None:
            encoded = Path(str(file)).read_bytes()
    except OSError:  # whoever decodes it says so
        return None
    return hashlib.sha256(encoded).digest()
