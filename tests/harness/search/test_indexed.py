"""A gallery that is searched through an index, beside a scan of all its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.indexes import KINDS, Floats, Index
from harness.search import indexed
from harness.search.indexed import IndexedGallery, open_index

ROWS, WIDTH = 500, 6


@pytest.fixture(scope="module")
def units() -> Floats:
    """Five hundred rows of length one, of which many are copies of a few."""
    rows = np.random.default_rng(2).standard_normal((ROWS, WIDTH))
    rows[100:300] = rows[np.arange(200) % 7]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def scanned(units: Floats, query: Floats, count: int) -> list[int]:
    """Return the places of the nearest as a loop over all finds them."""
    cosines = [float(np.dot(row.astype(np.float64), query.astype(np.float64))) for row in units]
    rounded = np.asarray(cosines, np.float32)
    return sorted(range(len(units)), key=lambda place: (-rounded[place], place))[:count]


@pytest.mark.parametrize("count", [1, 10, 40, 499, 900])
def test_a_flat_index_answers_as_a_scan(units: Floats, count: int) -> None:
    """Copies in the gallery's order, also where the last of them are cut off."""
    through = IndexedGallery(Index.build("flat", units), units)
    for query in (*units[:8], *-units[300:304]):
        scores, places = through.nearest(query, count)
        assert places.tolist() == scanned(units, query, count)
        assert scores == pytest.approx(units[places] @ query, abs=1e-6)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_may_miss_and_orders_what_it_finds(kind: str, units: Floats) -> None:
    """Most are those of a scan."""
    through = IndexedGallery(Index.build(kind, units), units)
    hits = 0
    for query in units[300:340]:
        scores, places = through.nearest(query, 10)
        assert sorted(zip(-scores, places, strict=True)) == list(zip(-scores, places, strict=True))
        hits += len({*places.tolist()} & {*scanned(units, query, 10)})
    assert hits > 320


class Counting:
    """Notes what is shown."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        self.built += done == total


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_kept_by_content(kind: str, units: Floats, tmp_path: Path) -> None:
    """The same rows are not indexed again; other rows are, and so is a file that is damaged."""
    shown = Counting()
    first = open_index(kind, units, tmp_path, shown).write()
    assert open_index(kind, units.copy(), tmp_path, shown).write() == first
    assert shown.built == 1
    open_index(kind, units[:-1], tmp_path, shown)
    assert shown.built == 2
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:-9])
    assert open_index(kind, units, tmp_path, shown).write() == first
    for file in files:
        file.write_bytes(b"<script>")
    open_index(kind, units, tmp_path, shown)
    assert shown.built == 4


def test_the_indexes_that_were_used_last_stay(
    units: Floats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache does not grow with every change of a gallery."""
    monkeypatch.setattr(indexed, "KEPT", 2)
    for count in (10, 11, 12):
        open_index("flat", units[:count], tmp_path, Counting())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_disk_that_refuses_costs_no_more_than_time(units: Floats, tmp_path: Path) -> None:
    """A file stands where the folder would be."""
    (tmp_path / "file").write_text("mine")
    assert open_index("flat", units, tmp_path / "file", Counting()).size == ROWS
    assert (tmp_path / "file").read_text() == "mine"


def test_embeddings_that_are_no_numbers_are_told(units: Floats, tmp_path: Path) -> None:
    """In one message."""
    with pytest.raises(HarnessError, match="--index flat: embeddings of the gallery"):
        open_index("flat", units * np.nan, tmp_path, Counting())
