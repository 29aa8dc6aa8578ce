"""The sources that a run stands on, read and never imported: modules, and what they compute."""

from harness.sources.definitions import (
    WHOLE,
    Definition,
    Reading,
    Scope,
    find_definitions,
    hash_definitions,
)
from harness.sources.modules import (
    HARNESS_FOLDER,
    Module,
    Roots,
    bytes_hash,
    closure,
    imported_names,
    imported_packages,
    weight_files,
)

__all__ = [
    "HARNESS_FOLDER",
    "WHOLE",
    "Definition",
    "Module",
    "Reading",
    "Roots",
    "Scope",
    "bytes_hash",
    "closure",
    "find_definitions",
    "hash_definitions",
    "imported_names",
    "imported_packages",
    "weight_files",
]
