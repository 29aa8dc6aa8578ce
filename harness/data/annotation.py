"""A hash of what is annotated in a split: two copies of a benchmark are the same where it agrees.

A record is an image's path as the annotation has it, the number of its person, and its captions in
their order; nothing is stripped, cleaned or numbered anew. Records are put in order (by path, then
person, then captions), so that the order of the file does not matter. Each becomes a line, the JSON
list ``[path,person,captions]`` without spaces, with letters beyond ASCII as they are, and a newline
at its end. The hash is SHA-256 of all lines in UTF-8. Images are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence


def hash_annotation(records: Iterable[tuple[str, int, Sequence[str]]]) -> str:
    """Return the hash of a split's records, each a path, a person and captions."""
    digest = hashlib.sha256()
    for record in sorted([path, person, list(captions)] for path, person, captions in records):
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()
