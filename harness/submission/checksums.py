"""Checksums of runs that are handed on without their heavy parts, and flushing what is placed.

``checksums.json`` then holds, beside the sums of what is there, those of what was left out under
`LEFT_OUT`: whoever gets the weights later can tell whether they are the ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files import ALGORITHM, hash_file, to_json
from harness.results.checksums import CHECKSUMS
from harness.submission.layout import HEAVY
from harness.verification.checksums import LEFT_OUT, read_left_out

Content = bytes | Path  # of a file: as it is, or where it lies


def hash_content(content: Content) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    if isinstance(content, Path):
        return hash_file(content)
    return hashlib.new(ALGORITHM, content).hexdigest()


def seal(files: Mapping[str, Content], left_out: Mapping[str, str]) -> bytes:
    """Return the checksums.json of files by name."""
    sums: dict[str, Any] = {ALGORITHM: {name: hash_content(files[name]) for name in sorted(files)}}
    if left_out:
        sums[LEFT_OUT] = dict(sorted(left_out.items()))
    return to_json(sums)


def sums_left_out(run: Path, kept: Mapping[str, Content]) -> dict[str, str]:
    """Return the sums of the heavy parts of a stored run that are not among the files kept."""
    try:
        stored = json.loads((run / CHECKSUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = {**stored.get(ALGORITHM, {}), **read_left_out(stored)}
    return {n: s for n, s in known.items() if n.startswith(HEAVY) and n not in kept}
