"""Embeddings that are kept by content."""

from pathlib import Path

import numpy as np
import pytest

from harness.search import cache
from harness.search.cache import StoredEmbeddings


def some(*numbers: int) -> dict[bytes, np.ndarray]:
    """Return embeddings, each under a hash of its own."""
    return {bytes([n]) * 32: np.full(4, n, np.float32) for n in numbers}


def known(folder: Path) -> dict[bytes, list[float]]:
    """Return what a later process finds."""
    return {key: row.tolist() for key, row in StoredEmbeddings(folder).known.items()}


def test_what_was_added_is_found_again(tmp_path: Path) -> None:
    """Two processes that add at once both leave what they made."""
    one, two = StoredEmbeddings(tmp_path / "new"), StoredEmbeddings(tmp_path / "new")
    one.add(some(1, 2))
    two.add(some(2, 3))
    assert known(tmp_path / "new") == {key: row.tolist() for key, row in some(1, 2, 3).items()}


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """A search that encodes nothing leaves no file."""
    StoredEmbeddings(tmp_path / "new").add({})
    assert not (tmp_path / "new").exists()


def test_what_is_damaged_is_left_aside(tmp_path: Path) -> None:
    """A file that was cut short, and one that a killed process left, cost no more than time."""
    stored = StoredEmbeddings(tmp_path)
    stored.add(some(1))
    stored.add(some(2))
    first, second = sorted(tmp_path.glob("*.safetensors"))
    first.write_bytes(first.read_bytes()[:50])
    (tmp_path / "a.safetensors.host-1.tmp").write_bytes(b"half")
    assert len(known(tmp_path)) == 1
    second.write_bytes(b"")
    assert known(tmp_path) == {}


def test_many_files_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a little is added, the folder stays small and loses nothing."""
    monkeypatch.setattr(cache, "MOST_FILES", 3)
    for number in range(10):
        StoredEmbeddings(tmp_path).add(some(number))
        assert len(list(tmp_path.iterdir())) <= 3
    assert len(known(tmp_path)) == 10


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    """What was encoded is used all the same."""
    (tmp_path / "file").touch()
    stored = StoredEmbeddings(tmp_path / "file")
    stored.add(some(1))
    assert len(stored.known) == 1
