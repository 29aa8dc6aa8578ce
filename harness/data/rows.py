"""The rows of Parquet files, read from exactly the files that are named.

What is small is held; images are read when they are asked for, a row group at a time.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

GROUPS_HELD = 2  # row groups of images: threads read one after the other


@dataclass(frozen=True)
class Rows:
    """All rows of some files: columns but for the images, and the images as they are stored."""

    columns: Any  # a table of Arrow
    image: Callable[[int], Any]  # by row
    names: tuple[str, ...]  # of all columns
    files: tuple[Path, ...]
    starts: tuple[int, ...]  # the first row of each file

    def place(self, row: int) -> str:
        """Name a row as its file has it."""
        file = bisect_right(self.starts, row) - 1
        return place(self.files[file], row - self.starts[file])


def place(file: Path, row: int) -> str:
    """Name a row of a file."""
    return f"{file.name}, row {row} (from 0)"


def read_rows(files: Sequence[Path], image: str = "image") -> Rows:
    """Read files of one split, in order.

    Raises OSError and what Arrow raises: one cannot be read, or has other types than the first.
    """
    import pyarrow
    import pyarrow.parquet

    tables, counts, names = [], [], dict[str, None]()
    for file in files:
        # By default a whole column of images would be taken into memory.
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
            own = parquet.schema_arrow.names
            names |= dict.fromkeys(own)
            tables.append(parquet.read(columns=[name for name in own if name != image]))
            counts.append(parquet.metadata.num_rows)
    columns = pyarrow.concat_tables(tables, promote_options="default")
    starts = tuple(accumulate(counts[:-1], initial=0))
    return Rows(columns, _Images(files, image), tuple(names), tuple(files), starts)


class _Images:
    """A column of images over the row groups of files."""

    def __init__(self, files: Sequence[Path], column: str) -> None:
        import pyarrow.parquet

        self._column = column
        self._groups: list[tuple[Path, int]] = []
        self._starts: list[int] = []  # the first row of each group
        self._held: deque[tuple[int, Any]] = deque(maxlen=GROUPS_HELD)
        self._lock = threading.Lock()
        row = 0
        for file in files:
            metadata = pyarrow.parquet.read_metadata(file)
            for group in range(metadata.num_row_groups):
                self._groups.append((file, group))
                self._starts.append(row)
                row += metadata.row_group(group).num_rows

    def __call__(self, row: int) -> Any:
        """Return what the column holds of a row."""
        number = bisect_right(self._starts, row) - 1
        with self._lock:
            group = next((held for known, held in self._held if known == number), None)
            if group is None:
                group = self._read(number)
                self._held.append((number, group))
        return group[row - self._starts[number]].as_py()

    def _read(self, number: int) -> Any:
        import pyarrow.parquet

        file, group = self._groups[number]
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as parquet:
            return parquet.read_row_group(group, columns=[self._column]).column(0)
