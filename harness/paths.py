"""Where the harness keeps what it can make again, and which variable moves a folder elsewhere."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

CANNOT = {
    errno.EACCES: "it may not be read or written by this user",
    errno.EPERM: "it may not be read or written by this user",
    errno.EROFS: "it cannot be written, its disk is read-only",
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "its disk quota is used up",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EMFILE: "too many files are open (ulimit -n)",
}


def cache_folder() -> Path:
    """Return the cache folder: $HARNESS_CACHE, or the platform's own place for caches."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("tbpr-bench")


def explain(error: OSError) -> str | None:
    """Say what keeps a file from being read or written, and what moves it elsewhere.

    None for an error of another kind, which is not the user's to mend.
    """
    if error.errno not in CANNOT or not error.filename:
        return None
    return f"{error.filename}: {CANNOT[error.errno]}.{_advice(Path(os.fsdecode(error.filename)))}"


def _advice(path: Path) -> str:
    places = {
        "HARNESS_CACHE": cache_folder(),
        "HF_HOME": Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser(),
        "TORCH_HOME": Path(os.environ.get("TORCH_HOME", "~/.cache/torch")).expanduser(),
        "TMPDIR": Path(tempfile.gettempdir()),
    }
    for variable, place in places.items():
        if place in (path, *path.parents) or path in place.parents:
            return f" ${variable} puts what is kept there into another folder."
    return ""
