"""All that `harness data audit` tells of a dataset."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.data.auditing.audit import Rows, audit
from harness.data.auditing.verdict import judge
from harness.data.declaration import Located
from harness.data.decoding import check_image
from harness.data.digest import Row, gather_rows, read_batches
from harness.errors import HarnessError
from harness.progress import Show

THREADS = 4  # Pillow lets go of the interpreter while it decodes
REQUIRED = ("image", "captions", "person_id", "image_id")


@dataclass(frozen=True)
class _Image:
    """An image file, decoded once."""

    hash: bytes | None  # None for a file that is not there
    kind: str
    flaw: str | None
    conversions: tuple[str, ...] = ()


def examine(located: Located, progress: Show = lambda what, done, total: None) -> dict[str, Any]:
    """Read a dataset whole and return its audit, its verdict and what its images are, for JSON."""
    import pyarrow.parquet

    groups = located.files.items()
    every = [file for _, files in groups for file in files]
    for file in every:
        _refuse_missing(located, file.name, pyarrow.parquet.read_schema(file).names)
    total = sum(pyarrow.parquet.read_metadata(file).num_rows for file in every)
    splits: dict[str, Rows] = {}
    kinds: dict[str, dict[str, int]] = {}
    broken: list[dict[str, str]] = []
    converted: list[dict[str, Any]] = []
    done = 0
    for name, files in groups:
        rows: list[Row] = []
        images: list[_Image] = []
        with ThreadPoolExecutor(THREADS) as pool:
            for batch in read_batches(files):
                images += list(pool.map(_look_at, [row.pop("image") for row in batch]))
                rows += batch
                done += len(batch)
                progress("reading images", done, total)
        splits[name] = gather_rows(rows, [image.hash for image in images])
        kinds[name] = dict(Counter(image.kind for image in images))
        for row, image in zip(rows, images, strict=True):
            place = {"split": name, "image_id": str(row["image_id"])}
            broken += [{**place, "flaw": image.flaw}] if image.flaw else []
            converted += [{**place, "by": list(image.conversions)}] if image.conversions else []
    empty = [name for name, rows in splits.items() if not len(rows.captions)]
    if empty:
        raise HarnessError(f"Split {' and '.join(empty)} has no caption.")
    verdict = judge(located.declaration.name, splits)
    return {
        "dataset": located.declaration.name,
        "fingerprint": located.fingerprint,
        "verdict": asdict(verdict),
        **audit(splits),
        "image_files": kinds,
        "broken_images": broken,
        "converted_images": converted,
    }


def _refuse_missing(located: Located, file: str, there: Sequence[str]) -> None:
    if missing := [name for name in REQUIRED if name not in there]:
        raise HarnessError(
            f"Dataset {located.declaration.name!r}: no column {', '.join(missing)} in {file}; "
            f"there are {', '.join(there)}."
        )


def _look_at(stored: Any) -> _Image:
    try:
        encoded = _read(stored)
    except (TypeError, KeyError, OSError) as error:
        return _Image(None, "none", f"there is no image: {error}")
    digest = hashlib.sha256(encoded).digest()
    try:
        checked = check_image(encoded)
    except ValueError as error:
        return _Image(digest, "broken", f"it {error}")
    return _Image(digest, checked.kind, None, checked.conversions)


def _read(stored: Any) -> bytes:
    """Return an image file, of the forms in which `datasets` stores one."""
    if isinstance(stored, bytes):
        return stored
    if not isinstance(stored, Mapping):
        return Path(stored).read_bytes()
    held = stored.get("bytes")
    return held if isinstance(held, bytes) else Path(stored["path"]).read_bytes()
