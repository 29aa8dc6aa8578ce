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
    Folder,
    Imports,
    Module,
    Roots,
    Stamp,
    bytes_hash,
    data_files,
    files_hash,
    find_spec,
    imported_names,
    imported_packages,
    stamps,
    weight_files,
)

__all__ = [
    "HARNESS_FOLDER",
    "WHOLE",
    "Definition",
    "Folder",
    "Imports",
    "Module",
    "Reading",
    "Roots",
    "Scope",
    "Stamp",
    "bytes_hash",
    "data_files",
    "files_hash",
    "find_definitions",
    "find_spec",
    "hash_definitions",
    "imported_names",
    "imported_packages",
    "stamps",
    "weight_files",
]
