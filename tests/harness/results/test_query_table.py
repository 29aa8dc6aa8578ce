"""The one reader of the tables of evaluations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.files import write_table
from harness.results.query_table import FOLLOWING, columns_there, read_queries

NAMES = ("query_id", "first_hit", "average_precision")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three queries."""
    columns = {"query_id": [0, 1, 2], "first_hit": [1, 4, 2], "average_precision": [1.0, 0.25, 0.5]}
    write_table(tmp_path / "queries.parquet", columns)
    return tmp_path / "queries.parquet"


def test_columns_come_as_they_were_written(table: Path) -> None:
    """And no others."""
    found = read_queries(table, ("first_hit",))
    assert found.to_pydict() == {"first_hit": [1, 4, 2]}


@pytest.mark.parametrize(("name", "values"), [("first_hit", ["1", "4", "2"]), ("hit_ranks", None)])
def test_a_column_that_is_not_there_or_of_another_type_is_named(
    table: Path, name: str, values: list[str] | None
) -> None:
    """The error names the column."""
    if values:
        write_table(table, {name: values})
    with pytest.raises(ValueError, match=f"has no column {name}"):
        read_queries(table, (name,))


@given(st.lists(st.sets(st.integers(1, 50), min_size=1), min_size=1))
def test_what_a_compact_table_lacks_follows_from_its_ranks(
    tmp_path_factory: pytest.TempPathFactory, hits: list[set[int]]
) -> None:
    """AP is the mean of the precisions at the hits, INP the share of hits up to the last."""
    file = tmp_path_factory.mktemp("compact") / "queries.parquet"
    ranks = [sorted(of_query) for of_query in hits]
    write_table(file, {"query_id": np.arange(len(ranks)), "hit_ranks": ranks})
    found = read_queries(file, ("query_id", *FOLLOWING)).to_pylist()
    for row, of_query in zip(found, ranks, strict=True):
        precisions = [hit / rank for hit, rank in enumerate(of_query, 1)]
        assert row["first_hit"] == of_query[0]
        assert row["average_precision"] == pytest.approx(sum(precisions) / len(of_query))
        assert row["inverse_negative_penalty"] == len(of_query) / of_query[-1]


@pytest.mark.parametrize("ranks", [[[1], []], [[1], None], [[1], [0, 2]], [[1], [None]]])
def test_ranks_from_which_nothing_follows_are_refused(tmp_path: Path, ranks: list[object]) -> None:
    """None, or one before the first."""
    write_table(tmp_path / "queries.parquet", {"hit_ranks": ranks})
    with pytest.raises(ValueError, match="nothing follows"):
        read_queries(tmp_path / "queries.parquet", ("first_hit",))


def test_a_table_that_lacks_half_of_what_follows_is_no_compact_one() -> None:
    """All of it is there or none, and so it is with the lists of first images."""
    whole = dict.fromkeys(("hit_ranks", *FOLLOWING, "top_rows", "top_scores"), ())
    assert columns_there(whole, ["hit_ranks"]) == {"hit_ranks": ()}
    assert columns_there(whole, ["hit_ranks", "first_hit", "top_rows"]) == whole


@pytest.mark.parametrize("compact", [False, True])
def test_no_wrong_byte_is_more_than_an_error(table: Path, compact: bool) -> None:
    """Whatever a bit that fell over makes of the file: a table, or one of the declared errors."""
    if compact:
        write_table(table, {"query_id": [0, 1, 2], "hit_ranks": [[1], [4, 9], [2]]})
    whole = table.read_bytes()
    refused = 0
    for place in range(len(whole)):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        try:
            read_queries(table, NAMES)
        except (OSError, ValueError):
            refused += 1
    assert refused > len(whole) / 4
