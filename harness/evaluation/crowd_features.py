"""Features of a crowd on disk: encoded once, in half precision, a chunk at a time.

A folder stands for the weights, the code that encodes with them and the content of the crowd. It
holds a file a chunk, each whole or absent: what was interrupted goes on behind the last whole one,
and a larger crowd behind a smaller one. Files are mapped into memory, so a crowd may be larger than
that.

Features have length one, as cosine compares them: then half precision moves a component by 2^-12
of its size at most (a component below 2^-14 by 2^-25), and a cosine by some 2^-12 of one.

Shapes: b strangers, D the width of an embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import paths
from harness.data.crowd_images import CHUNK, Images, read_array, write_array
from harness.evaluation.encode import encode_images
from harness.method import Method

Halves = NDArray[np.float16]
Progress = Callable[[int, int], None]  # strangers done, and in all


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """Return a hash of weights by name, whatever file they came from."""
    digest = hashlib.sha256()
    for name, values in sorted(state.items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        whole = values.detach().cpu().contiguous().reshape(-1)
        digest.update(whole.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def features_folder(encoder: str, weights: str, crowd: str) -> Path:
    """Return where features lie of what encodes, its weights and what is encoded, by content."""
    key = hashlib.sha256(f"{encoder} {weights} {crowd}".encode()).hexdigest()[:32]
    return paths.cache_folder() / "crowds" / f"features-{key}"


class CrowdFeatures:
    """The features of a crowd, as far as they were encoded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def encode(
        self, count: int, method: Method, images: Images, device: torch.device, progress: Progress
    ) -> int:
        """Encode what is missing of so many strangers, and return how many that were.

        Raises:
            ValueError: features that are not finite, or of another width than those before.
        """
        method.to(device).eval()
        encoded = 0
        for number in range(-(-count // CHUNK)):
            first = number * CHUNK
            stop = min(first + CHUNK, count)
            if self._known(number) < stop - first:
                features = _encode(method, images, (first, stop), device)
                write_array(self._file(number), features)
                encoded += stop - first
            progress(stop, count)
        return encoded

    def rows(self, start: int, stop: int) -> Halves:
        """Return the features (b, D) of strangers from `start` on, before `stop`."""
        parts = []
        for number in range(start // CHUNK, -(-stop // CHUNK)):
            first = number * CHUNK
            parts.append(self._chunk(number)[max(start - first, 0) : stop - first])
        return np.concatenate(parts)

    def bytes(self, count: int) -> int:
        """Return how much disk the features of so many strangers take."""
        return sum(self._file(number).stat().st_size for number in range(-(-count // CHUNK)))

    def _known(self, number: int) -> int:
        kept = read_array(self._file(number))
        is_sound = kept is not None and kept.dtype == np.float16 and kept.ndim == 2
        return len(kept) if kept is not None and is_sound else 0

    def _chunk(self, number: int) -> Halves:
        # Opened anew each time: a crowd has more files than a process may have open.
        kept = read_array(self._file(number))
        if kept is None:
            raise ValueError(f"{self._file(number)} was there a moment ago, and now is damaged")
        return kept

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npy"


@torch.no_grad()
def _encode(method: Method, images: Images, rows: tuple[int, int], device: torch.device) -> Halves:
    """Encode strangers from the first row on, before the second: -> (b, D) of length one."""
    first, stop = rows
    pixels = torch.from_numpy(images(first, stop))
    encoded = encode_images(method, lambda picked: pixels[picked], stop - first, device)
    features = encoded.embedding.float().cpu()
    if len(broken := (~torch.isfinite(features).all(dim=1)).nonzero()):
        raise ValueError(f"stranger {first + int(broken[0, 0])} has features that are not finite")
    return torch.nn.functional.normalize(features, dim=1, eps=1e-12).half().numpy()
