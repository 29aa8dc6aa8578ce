"""The fingerprint of a dataset follows its rows, and nothing of how they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from harness.data.columns import schema
from harness.data.fingerprint import fingerprint

Rows = list[dict[str, Any]]


def rows() -> Rows:
    """Return a split of 600 images, more than are held at once."""
    return [
        {
            "image": {"bytes": bytes([number % 256]) * 20, "path": None},
            "captions": [f"a man in red, number {number}", "a coat \N{SNOWMAN}"],
            "person_id": number // 4,
            "image_id": f"{number:04d}",
            "camera": "1" if number % 2 else None,
            "source_path": f"images/{number}.jpg",
        }
        for number in range(600)
    ]


def write(folder: Path, parts: list[Rows], **options: Any) -> tuple[Path, ...]:
    """Return the files of a split, one for each part."""
    folder.mkdir()
    files = tuple(folder / f"train-{number}.parquet" for number in range(len(parts)))
    for part, file in zip(parts, files, strict=True):
        parquet.write_table(pyarrow.Table.from_pylist(part, schema()), file, **options)
    return files


def test_how_rows_were_written_changes_nothing(tmp_path: Path) -> None:
    """Compression, format, groups of rows and shards may differ: two labs have one dataset."""
    whole = rows()
    written = [
        write(tmp_path / "one", [whole]),
        write(tmp_path / "two", [whole], compression="zstd", version="1.0", row_group_size=7),
        write(tmp_path / "three", [whole[:100], whole[100:]], use_dictionary=False),
    ]
    assert len({file.read_bytes() for files in written[:2] for file in files}) == 2
    assert len({fingerprint({"train": files}) for files in written}) == 1


def swap_rows(table: Rows) -> None:
    """Change the order of two rows."""
    table[3], table[4] = table[4], table[3]


CHANGES: dict[str, Callable[[Rows], None]] = {
    "image": lambda table: table[599]["image"].update(bytes=b"other"),
    "caption": lambda table: table[5].update(captions=["a man in red, number 5"]),
    "person": lambda table: table[7].update(person_id=9),
    "camera": lambda table: table[0].update(camera="0"),
    "order": swap_rows,
    "one less": lambda table: table.pop() and None,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_the_rows_shows(name: str, tmp_path: Path) -> None:
    """Another value, another order or a row less is another dataset."""
    changed = rows()
    CHANGES[name](changed)
    before = fingerprint({"train": write(tmp_path / "before", [rows()])})
    assert fingerprint({"train": write(tmp_path / "after", [changed])}) != before


def test_the_split_counts(tmp_path: Path) -> None:
    """The same rows as another split are another dataset."""
    files = write(tmp_path / "files", [rows()])
    assert fingerprint({"train": files}) != fingerprint({"test": files})


def test_a_file_that_is_no_parquet_counts_as_its_bytes(tmp_path: Path) -> None:
    """A damaged file has a fingerprint too; whoever reads it tells what is wrong."""
    whole = write(tmp_path / "whole", [rows()])
    before = fingerprint({"train": whole})
    whole[0].write_bytes(whole[0].read_bytes()[:-9])
    cut = fingerprint({"train": whole})
    whole[0].write_bytes(b"no table")
    assert len({before, cut, fingerprint({"train": whole})}) == 3
