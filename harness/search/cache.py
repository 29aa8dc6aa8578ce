"""Embeddings of images by the content of their files, so that only what is new is encoded.

A folder stands for the weights and the code that encode. It holds a file for each time that
something was encoded: `hashes` (M, 32) of the image files and their `embeddings` (M, D). Each is
whole or absent, and processes that write at once do not hinder each other.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.files import process_tag

MOST_FILES = 64  # of a folder, before they become one

Floats = NDArray[np.float32]


class StoredEmbeddings:
    """What is known of images: the SHA-256 of a file -> its embedding (D,)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = sorted(folder.glob("*.safetensors"))
        self.known: dict[bytes, Floats] = {}
        for file in self._files:
            self.known |= _read(file)

    def add(self, new: Mapping[bytes, Floats]) -> None:
        """Keep embeddings. Where the disk refuses, the next search is slower, and no more."""
        self.known |= new
        if not new:
            return
        with contextlib.suppress(OSError):
            if len(self._files) < MOST_FILES:
                self._files.append(_write(self._folder, new))
                return
            whole = _write(self._folder, self.known)
            for file in self._files:
                if file != whole:
                    file.unlink(missing_ok=True)
            self._files = [whole]


def _write(folder: Path, embeddings: Mapping[bytes, Floats]) -> Path:
    from safetensors.numpy import save

    hashes = b"".join(embeddings)
    columns: dict[str, NDArray[Any]] = {
        "hashes": np.frombuffer(hashes, np.uint8).reshape(len(embeddings), -1),
        "embeddings": np.stack(list(embeddings.values())),
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(hashes).hexdigest()[:32]}.safetensors"
    unfinished = file.with_name(f"{file.name}.{process_tag()}.tmp")
    unfinished.write_bytes(save(columns))
    unfinished.replace(file)
    return file


def _read(file: Path) -> dict[bytes, Floats]:
    """Read a file; nothing where it is damaged or gone."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        columns = load(file.read_bytes())
        hashes, embeddings = columns["hashes"], columns["embeddings"]
    except (OSError, SafetensorError, KeyError):
        return {}
    if embeddings.ndim != 2 or len(hashes) != len(embeddings):
        return {}
    return {row.tobytes(): embedding for row, embedding in zip(hashes, embeddings, strict=True)}
