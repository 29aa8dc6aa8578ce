"""Compiling the loops that count: at the first call, later read from a cache on disk.

What is compiled lies in $NUMBA_CACHE_DIR, or in $HARNESS_CACHE, never beside the code, which may be
installed where nobody can write. Where no folder can be written, every process compiles anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

from harness import paths

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function, to run without Python's lock."""
    settings: Any = numba.config
    settings.CACHE_DIR = settings.CACHE_DIR or str(paths.cache_folder() / "numba")
    cache = _can_be_written(Path(settings.CACHE_DIR))
    return numba.njit(nogil=True, cache=cache, **options)  # type: ignore[no-any-return]  # untyped


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
