"""The one reader of the tables of evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.files import write_table
from harness.results.query_table import read_queries

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


def test_no_wrong_byte_is_more_than_an_error(table: Path) -> None:
    """Whatever a bit that fell over makes of the file: a table, or one of the declared errors."""
    whole = table.read_bytes()
    refused = 0
    for place in range(len(whole)):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        try:
            read_queries(table, NAMES)
        except (OSError, ValueError):
            refused += 1
    assert refused > len(whole) / 4
