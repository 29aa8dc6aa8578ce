"""Which pairs of a training set are made wrong: a share of them, or those that a file lists.

An index file is one as RDE publishes (https://github.com/QinYang79/RDE, ``noiseindex/*.npy``): a
permutation of the training captions in the dataset's order. Row i, a caption with its image, keeps
its image and takes the caption of row ``index[i]``. No numpy here before a file is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.files import slug

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = ".npy"
DIGITS = 8  # of a digest, in a label
MEANT = (
    "write a share of the training captions below 1, as in --noise 0.2, or an index file, as in "
    "--noise CUHK-PEDES_0.2.npy"
)


@dataclass(frozen=True)
class Noise:
    """Wrong pairs: a share of the captions, drawn by a run's seed, or what an index file lists."""

    rate: float  # of the captions; of a file, the share that it moves
    digest: str = ""  # of what the file lists; empty where the seed draws
    count: int = 0  # captions that it is made for
    file: str = ""  # by its path
    argument: str = ""  # what names it on the command line

    @property
    def label(self) -> str:
        """What runs with it are called, in brackets behind the variant."""
        if not self.digest:
            return f"noise {self.rate}"
        return f"noise {slug(Path(self.file).stem)[:40]} {self.digest[:DIGITS]}"

    @property
    def content(self) -> dict[str, Any]:
        """What decides which pairs are wrong, beside the seed and the dataset."""
        return {"index": self.digest} if self.digest else {"rate": self.rate}

    def record(self) -> dict[str, Any]:
        """Return what records tell of it; `recorded_noise` reads it."""
        if not self.digest:
            return {"rate": self.rate}
        file = Path(self.file).name
        return {"rate": self.rate, "file": file, "digest": self.digest, "count": self.count}


def read_index(noise: Noise) -> NDArray[np.int64] | None:
    """Return what a file of wrong pairs lists, (N,); None where the seed draws.

    Raises:
        HarnessError: it cannot be read, or is not what it was when the run was planned.
    """
    if not noise.digest:
        return None
    index = _read_permutation(Path(noise.file))
    if _digest(index) != noise.digest:
        raise HarnessError(f"{noise.file} was changed after the run was planned: start it again")
    return index


def parse_noise(text: str) -> Noise | None:
    """Return the noise that a share or an index file names; None of a share of 0.

    Raises:
        HarnessError: it is neither; the message says what to write.
    """
    try:
        rate = float(text)
    except ValueError:
        return _of_file(text)
    if not 0 <= rate < 1:
        raise HarnessError(f"--noise {text}: {MEANT}.")
    return Noise(rate, argument=f"{rate}") if rate else None


def recorded_noise(told: Mapping[str, Any]) -> Noise | None:
    """Return the noise that a record tells of. Raises ValueError: it is none."""
    if not told:
        return None
    try:
        rate, count = float(told["rate"]), int(told.get("count", 0))
        if not 0 < rate <= 1:
            raise ValueError(f"{rate} is no share of captions")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError("tells of a noise that is none") from error
    return Noise(rate, str(told.get("digest", "")), count, str(told.get("file", "")))


def _of_file(text: str) -> Noise:
    path = Path(text)
    if not path.is_file():
        raise HarnessError(f"--noise {text}: there is no such file; {MEANT}.")
    index = _read_permutation(path)
    moved = sum(place != caption for place, caption in enumerate(index.tolist()))
    if not moved:
        raise HarnessError(f"--noise {text}: leaves every caption where it is; {MEANT}.")
    return Noise(moved / len(index), _digest(index), len(index), str(path.resolve()), text)


def _read_permutation(path: Path) -> NDArray[np.int64]:
    """Read a permutation. Raises HarnessError."""
    import tokenize

    import numpy as np

    try:  # mapped: a header that lies about the size is found before memory is taken for it
        found = np.lib.format.open_memmap(path, mode="r")
    # What stands in a damaged header is read as Python, and fails in as many ways.
    except (
        OSError, ValueError, OverflowError, SyntaxError, TypeError, MemoryError, RecursionError,
        tokenize.TokenError,
    ) as error:  # fmt: skip
        raise HarnessError(
            f"--noise {path}: cannot be read as a {SUFFIX} file: {error}. An index file is what "
            "numpy.save writes of a permutation of the training captions."
        ) from error
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise HarnessError(f"--noise {path}: has to hold one list of whole numbers.")
    if not len(found) or not np.array_equal(np.sort(found), np.arange(len(found))):
        raise HarnessError(
            f"--noise {path}: has to hold each number from 0 to one less than the number of "
            f"training captions once; it holds {len(found)}."
        )
    return found.astype(np.int64)


def _digest(index: NDArray[np.int64]) -> str:
    return hashlib.sha256(index.astype("<i8").tobytes()).hexdigest()[:32]
