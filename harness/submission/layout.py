"""What a submission holds: which files, where, how large, and the manifest that lists them.

A bundle is laid out as a results folder is, with ``submission.json`` beside the suites:
``suite/dataset/dataset-<fingerprint>/`` and ``suite/dataset/method/variant/seed-n/``. Any file
that is not named here is refused.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.files import slug
from harness.results import WEIGHTS

MANIFEST = "submission.json"
SCHEMA_VERSION = 1
LONGEST_NAME = 200  # characters of who submits

MEBIBYTE = 1 << 20
MOST_FILES = 50_000
MOST_BYTES = 64 << 30  # of all files of a bundle, unpacked
MOST_TEXT = 4 * MEBIBYTE  # of a JSON file
MOST_TABLE = 256 * MEBIBYTE  # of a Parquet file
MOST_WEIGHTS = 16 << 30
LONGEST_PART = 200  # bytes of a folder's name, of the 255 that file systems take

RUN = r"(?P<run>(?:[^/]+/){4}seed-(?:0|[1-9][0-9]{0,8}))"
DIGEST = r"(?P<digest>[^/]+/[^/]+/dataset-[0-9a-f]{12})"
# What a bundle may hold, and how many bytes of it.
FILES: Mapping[str, int] = {
    re.escape(MANIFEST): MOST_TEXT,
    rf"{DIGEST}/about\.json": MOST_TEXT,
    rf"{DIGEST}/(?:queries|gallery)\.parquet": MOST_TABLE,
    rf"{RUN}/(?:run|checksums|highlights)\.json": MOST_TEXT,
    rf"{RUN}/(?:history|selection-audit)\.parquet": MOST_TABLE,
    rf"{RUN}/evaluations/[^/]+/(?:metrics|crowd|index|evaluation|checksums)\.json": MOST_TEXT,
    rf"{RUN}/evaluations/[^/]+/(?:queries|crowd|index)\.parquet": MOST_TABLE,
    rf"{RUN}/weights/(?:selected|last|test-selected)\.pt": MOST_WEIGHTS,
    rf"{RUN}/embeddings/[0-9a-f]{{24}}\.safetensors": MOST_WEIGHTS,
}
NEEDED = (
    "run.json",
    "checksums.json",
    "evaluations/text-to-image/metrics.json",
    "evaluations/text-to-image/queries.parquet",
)
NEEDED_OF_DIGEST = ("about.json", "queries.parquet", "gallery.parquet")
HEAVY = (f"{WEIGHTS}/", "embeddings/")  # left out unless they are asked for


@dataclass(frozen=True)
class Listed:
    """A run as the manifest lists it."""

    path: str  # below the bundle
    key: str  # its content key
    sha256: str  # of its checksums.json, so of all that it holds


@dataclass(frozen=True)
class Manifest:
    """Who hands on which runs."""

    by: str
    runs: tuple[Listed, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what ``submission.json`` holds."""
        return {
            "schema_version": SCHEMA_VERSION,
            "harness": importlib.metadata.version("tbpr-bench"),
            "by": self.by,
            "runs": [vars(run) for run in self.runs],
        }


def limit_of(name: str) -> int | None:
    """Return how many bytes a file of a bundle may have; None where it has no place in one."""
    for pattern, most in FILES.items():
        if re.fullmatch(pattern, name):
            return most if all(map(is_plain_part, name.split("/"))) else None
    return None


def is_plain_part(part: str) -> bool:
    """Tell whether a name is one that the harness gives to a folder or a file."""
    left_over = part.endswith((".unfinished", ".retired", ".tmp"))
    return slug(part) == part and len(part.encode()) <= LONGEST_PART and not left_over


def folders(names: Iterable[str], kind: str) -> list[str]:
    """Return the folders of runs (kind RUN) or of digests (kind DIGEST) among files."""
    found = (re.match(rf"{kind}/", name) for name in names)
    return sorted({match[1] for match in found if match})
