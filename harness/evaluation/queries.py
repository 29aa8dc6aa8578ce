"""Query transforms: the captions of a split changed, to see what a method does with them.

A transform is registered by `registry.register_queries`. What it makes depends on the data and on
the scale alone, so that all methods are asked the same; it is made once and kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from filelock import FileLock

from harness import paths, registry
from harness.data.declaration import Located
from harness.data.schema import Split
from harness.files import write_json


def transform_queries(name: str, split: Split, located: Located, scale: str) -> Split:
    """Return a split with the captions that a transform makes of its own.

    Raises:
        HarnessError: there is no such transform.
        ValueError: it made another number of captions.
    """
    transform = registry.load_queries(name)
    content = f"{name} {scale} {split.name} {located.fingerprint} {registry.queries_hash()}"
    key = hashlib.sha256(content.encode()).hexdigest()[:32]
    file = paths.cache_folder() / "queries" / f"{key}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        try:
            captions = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            captions = list(transform(split, scale))
            write_json(file, captions)
    if len(captions) != len(split.captions):
        raise ValueError(
            f"{name} has to make {len(split.captions)} captions of as many, got {len(captions)}"
        )
    return replace(split, captions=tuple(captions))
