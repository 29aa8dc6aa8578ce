"""What stands for the decoder of images in the names of what is kept of decoded images."""

from __future__ import annotations

import functools
import hashlib

from harness.sources import Roots, Scope, find_definitions, hash_definitions

DECODES = (("harness.data.decoding", "decode"),)
HARNESS = Roots()
WITHOUT = frozenset({"harness.errors"})  # words for the user


@functools.cache
def decoding_key(roots: Roots = HARNESS) -> str:
    """Return what changes with the code that decodes, and with the Pillow that it calls."""
    import PIL

    code = hash_definitions(find_definitions(DECODES, roots), Scope(roots, WITHOUT))
    return hashlib.sha256(f"{code} {PIL.__version__}".encode()).hexdigest()[:12]
