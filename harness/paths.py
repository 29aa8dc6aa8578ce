"""Where the harness keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder: $HARNESS_CACHE, or the platform's own place for caches."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("tbpr-bench")
