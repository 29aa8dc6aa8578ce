"""Tables of one's own: what is written of legal rows comes back, and what is bent is refused.

The properties are tried on a hundred tables a format, and on two thousand in the exhaustive tests.
"""

from __future__ import annotations

import atexit
import csv
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.importing.tables import Fault, Row, read_rows, refuse_faults
from harness.errors import HarnessError

NAMES = ("image", "caption", "person", "split")
# Whatever text a caption may hold: quotes, separators, ends of lines of every kind, other scripts.
TEXTS = st.text(
    st.sampled_from(",;\t\"'\\\n\r\x0b\x0c\x1c\x85\u2028\u2029\ufeff ab\u00e9\u4e00\U0001f600")
    | st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
    max_size=12,
)
TABLES = st.lists(st.tuples(*[TEXTS] * len(NAMES)), min_size=1, max_size=6)
Rows = list[dict[str, str]]


def with_csv(rows: Rows, delimiter: str) -> bytes:
    """Write rows as the standard library does."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, NAMES, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def with_pandas(rows: Rows, delimiter: str) -> bytes:
    """Write rows as pandas does."""
    return pandas.DataFrame(rows, columns=list(NAMES)).to_csv(index=False, sep=delimiter).encode()


def as_parquet(rows: Rows) -> bytes:
    """Write rows as Parquet."""
    file = pyarrow.BufferOutputStream()
    schema = pyarrow.schema({name: pyarrow.string() for name in NAMES})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file)
    return bytes(file.getvalue())


WRITERS: dict[str, tuple[str, Callable[[Rows], bytes]]] = {
    "csv": ("csv", lambda rows: with_csv(rows, ",")),
    "csv of pandas": ("csv", lambda rows: with_pandas(rows, ",")),
    "csv with a mark": ("csv", lambda rows: b"\xef\xbb\xbf" + with_csv(rows, ",")),
    "tsv": ("tsv", lambda rows: with_csv(rows, "\t")),
    "json": ("json", lambda rows: json.dumps(rows, indent=1).encode()),
    "json in letters": ("json", lambda rows: json.dumps(rows, ensure_ascii=False).encode()),
    "json lines": ("jsonl", lambda rows: b"".join(json.dumps(r).encode() + b"\n" for r in rows)),
    "json lines of pandas": (
        "jsonl",
        lambda rows: pandas.DataFrame(rows).to_json(orient="records", lines=True).encode(),
    ),
    "parquet": ("parquet", as_parquet),
}


@cache
def scratch() -> Path:
    """Return one folder for all tables."""
    folder = Path(tempfile.mkdtemp(prefix="tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def legal(writer: str, table: list[tuple[str, ...]]) -> Rows:
    """Return the rows of a table, without what its writer cannot write.

    pandas leaves a lone carriage return without quotes: nobody can tell it from the end of a row.
    """
    rows = [dict(zip(NAMES, values, strict=True)) for values in table]
    if writer != "csv of pandas":
        return rows
    return [{name: text.replace("\r", "\n") for name, text in row.items()} for row in rows]


def read(content: bytes, kind: str) -> list[Any]:
    """Return the values of each row that is read of a table."""
    file = scratch() / f"people.{kind}"
    file.write_bytes(content)
    found = list(read_rows(file, NAMES))
    for row in found:
        if isinstance(row, Fault):
            raise row
    return [dict(row.values) for row in found if isinstance(row, Row)]


def come_back(writer: str, examples: int) -> None:
    """Write and read many tables."""
    kind, write = WRITERS[writer]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TABLES)
    def check(table: list[tuple[str, ...]]) -> None:
        rows = legal(writer, table)
        assert read(write(rows), kind) == rows

    check()


def are_refused_or_equal(writer: str, examples: int) -> None:
    """Cut or bend many tables: none is read as something else that its format would not have."""
    kind, write = WRITERS[writer]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TABLES, st.integers(0, 2**32))
    def check(table: list[tuple[str, ...]], seed: int) -> None:
        rows = legal(writer, table)
        content = write(rows)
        draw = random.Random(seed)
        place = draw.randrange(len(content))
        cut = content[:place]
        try:
            found = read(cut, kind)
        except HarnessError:
            return
        # What is cut behind a row is a shorter table; within its last field it cannot be told.
        assert found[:-1] == rows[: len(found) - 1] if found else True
        if found:
            last, whole = found[-1], rows[len(found) - 1]
            names = [name for name in NAMES if last[name] != whole[name]]
            assert names in ([], [NAMES[-1]])
            assert whole[NAMES[-1]].startswith(last[NAMES[-1]].rstrip("\r\n"))

    check()


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_written_comes_back(writer: str) -> None:
    """Every text, whoever wrote it."""
    come_back(writer, 100)


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_cut_is_refused_or_shorter(writer: str) -> None:
    """And never something else."""
    are_refused_or_equal(writer, 100)


@pytest.mark.exhaustive
@pytest.mark.parametrize("writer", ["csv", "tsv", "json", "json lines", "parquet"])
def test_many_tables_come_back_or_are_refused(writer: str) -> None:
    """The same, two thousand times a format."""
    come_back(writer, 1000)
    are_refused_or_equal(writer, 1000)


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("json", '[{"image": "a", "image": "b"}]', "'image' stands twice"),
        ("json", '[{"image": NaN}]', "NaN is no number"),
        ("json", '{"a": []}', "a list of rows, it is an object"),
        ("json", '[\n{},\n\n"x"]', "line 4 has to be an object, it is a text"),
        ("jsonl", '{}\n\n{"a": 1\n', "line 3 is not JSON"),
        ("jsonl", "{}\n[1]\n", "line 2 has to be an object, it is a list"),
        ("csv", "image,caption,person,split\na,b,c\n", "line 2: 3 fields"),
        ("csv", 'image,caption,person,split\n"a\nb",c,d,e\nf\n', "line 4: 1 field"),
        ("csv", "image;caption;person;split\n", "no column image, caption, person, split"),
        ("csv", b"image,caption,person,split\n\xff,b,c,d\n", "is not UTF-8: byte 27, in line 2"),
        ("csv", "image,caption\n".encode("utf-16"), "is not UTF-8"),
        ("parquet", "PAR1 and nothing more", "no whole Parquet file"),
        ("xlsx", "", "of no known kind: a table is one of .csv, .tsv"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(kind: str, content: str | bytes, told: str) -> None:
    """As an editor counts them."""
    data = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(HarnessError) as refused:
        read(data, kind)
    assert told in str(refused.value)


def test_advice_is_given_once(tmp_path: Path) -> None:
    """Behind the faults that it helps against."""
    file = tmp_path / "people.csv"
    faults = [Fault(f"line {number}: wrong.", "Mend it.") for number in range(12)]
    with pytest.raises(HarnessError) as refused:
        refuse_faults(file, [*faults, HarnessError("line 12: other.")])
    assert str(refused.value).startswith("people.csv has 13 faults: line 0: wrong; line 1: wrong; ")
    assert str(refused.value).endswith("line 9: wrong; and 3 more. Mend it.")
    with pytest.raises(HarnessError, match=r"line 0: wrong\. Mend it\."):
        refuse_faults(file, faults[:1])
