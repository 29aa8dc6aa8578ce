"""The table of what an index found among a crowd, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.results.crowd_index import (
    COSTS,
    IndexTable,
    judged_sizes,
    read_index_table,
    refused_points,
    write_index_table,
)

QUERIES, GALLERY = 40, 50


@pytest.fixture
def table() -> IndexTable:
    """Forty queries of ten people at two sizes."""
    draw = np.random.default_rng(6)
    found = draw.integers(1, 11, (2, QUERIES)).astype(np.int8)
    flags = draw.random((3, 2, QUERIES)) < 0.6
    return IndexTable((1000, 3000), np.repeat(np.arange(10), 4), found, *flags)


def stored(table: IndexTable) -> dict[str, object]:
    """Return what stands in JSON beside a table."""
    costs = {**dict.fromkeys(COSTS, 1.5), "settings": "Flat"}
    return {"gallery": GALLERY, "points": [{**one, **costs} for one in table.figures(GALLERY)]}


def test_figures_follow_from_each_query(table: IndexTable) -> None:
    """As a loop over queries counts them."""
    for level, point in enumerate(table.figures(GALLERY)):
        told = zip(table.found[level], table.nearest[level], table.right[level], strict=True)
        found, nearest, right = map(sum, zip(*((int(a), int(b), int(c)) for a, b, c in told),
                                             strict=True))  # fmt: skip
        assert point["recall10"] == pytest.approx(100 * found / (10 * QUERIES))
        assert point["recall1"] == pytest.approx(100 * nearest / QUERIES)
        assert point["r1"] == pytest.approx(100 * right / QUERIES)
        assert point["r1_exact"] == pytest.approx(100 * table.exact_right[level].mean())
    few = replace(table, sizes=(2, 3), found=np.minimum(table.found, 4))
    assert few.figures(2)[0]["recall10"] == pytest.approx(100 * few.found[0].mean() / 4)


def test_what_is_written_is_read(table: IndexTable, tmp_path: Path) -> None:
    """Every figure comes back, and is in order beside what was stored of it."""
    write_index_table(tmp_path / "index.parquet", table)
    found = read_index_table(tmp_path / "index.parquet")
    assert found.sizes == table.sizes
    assert found.figures(GALLERY) == table.figures(GALLERY)
    assert refused_points(stored(table), found) is None


def test_tables_that_no_index_gives_are_refused(table: IndexTable, tmp_path: Path) -> None:
    """More than ten of ten, the nearest and none, no table at all."""
    odd = (
        (replace(table, found=table.found + np.int8(9)), "more than 10"),
        (replace(table, found=-table.found), "fewer than none"),
        (replace(table, found=table.found * np.int8(0)), "none of the nearest"),
        (replace(table, found=table.found.astype(np.int64)), "no column found_1000 of int8"),
        (replace(table, sizes=()), "no size"),
    )
    for number, (one, told) in enumerate(odd):
        file = tmp_path / f"{number}.parquet"
        write_index_table(file, one)
        with pytest.raises(ValueError, match=told):
            read_index_table(file)
    (tmp_path / "text.parquet").write_text("<script>")
    with pytest.raises(ValueError, match="Parquet"):
        read_index_table(tmp_path / "text.parquet")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recall10": 100.5}, "recall10 at 3,000 distractors is 100.5"),
        ({"r1": "<script>"}, "r1 at 3,000"),
        ({"r1_exact": True}, "r1_exact at 3,000"),
        ({"milliseconds": -1.0}, "milliseconds is -1.0"),
        ({"bytes": float("nan")}, "bytes is nan"),
        ({"more": 1}, "other figures"),
        ({"settings": 3}, "settings"),
    ],
)
def test_figures_that_were_changed_are_found(
    change: dict[str, object], told: str, table: IndexTable
) -> None:
    """One by one, and costs that nothing has."""
    whole = stored(table)
    points = whole["points"]
    assert isinstance(points, list)
    points[1] |= change
    assert told in str(refused_points(whole, table))
    for odd in (None, [], {"points": 3}, {**whole, "points": []}, {**whole, "points": ["x"] * 2}):
        assert refused_points(odd, table)


def test_an_index_is_asked_from_a_thousand_on() -> None:
    """Where the whole crowd is smaller, with all of it."""
    assert judged_sizes((0, 100, 300, 1000, 3000, 4000)) == (1000, 3000, 4000)
    assert judged_sizes((0, 100, 130)) == (130,)
