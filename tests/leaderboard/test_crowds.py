"""Galleries that grow: curves, a table and who changes places, on the page of the protocol."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.results.crowd import CROWD, CrowdTable
from harness.results.crowd_index import JUDGED
from leaderboard import downloads, method, protocol

from .crowded import SIZES, add_crowd, add_index, answered, through

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def build(write_pages: Callable[..., dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that writes the pages that tell of crowds, and parses them."""
    return lambda: write_pages(method, protocol, downloads)


def rows_of(page: Any, name: str) -> list[list[str]]:
    """Return the cells of the rows of the table of a method."""
    return [[cell.strip() for cell in row] for row in page.rows if row[:1] == [name]][-len(SIZES) :]


def test_every_method_has_a_curve_and_a_row_for_each_size(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Means over seeds with intervals, what was foretold, and the same to take away."""
    tables = [answered(seed, 0.02) for seed in (0, 1)]
    for seed, table in enumerate(tables):
        add_crowd(add_run("one", 40.0, seed=seed), table)
    page = build()["protocol"]
    rows = rows_of(page, "ONE")
    assert [row[1] for row in rows] == ["72", "172", "372", "1,072", "3,072", "10,072", "30,072"]
    mean = np.mean([table.by_query(3)["r1"] for table in tables])
    assert rows[3][2].startswith(f"{mean:.1f}")
    assert " to " in rows[3][2]
    told = np.mean([table.foretell(72, 30_000) for table in tables])
    assert rows[6][8] == f"{told:.1f}"
    assert rows[5][8] == "\N{EN DASH}"
    assert {row[9] for row in rows} == {"2"}
    assert page.source.count("by size of the gallery</title>") == 3
    assert 'id="crowd-demo-paperdolls-1"' in page.source
    folder = tmp_path / "site/downloads/tables/demo-paperdolls"
    lines = list(csv.DictReader(io.StringIO((folder / "crowds.csv").read_text(encoding="utf-8"))))
    assert [int(line["distractors"]) for line in lines] == list(SIZES)
    assert float(lines[3]["r1"]) == pytest.approx(mean)
    assert float(lines[3]["r1_low"]) < mean < float(lines[3]["r1_high"])
    kept = json.loads((folder / "crowds.json").read_text(encoding="utf-8"))
    assert kept[6]["r1_foretold"] == pytest.approx(told)


def test_who_changes_places_is_told_in_words(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """One is ahead in a small gallery and the other in a large one; else that nobody does."""
    steady, falling = answered(0, 0.02), answered(0, 5.0)
    ahead = falling.hit_ranks.copy()
    ahead[0] = 1  # all right in the gallery alone
    add_crowd(add_run("one", 40.0), CrowdTable(**{**vars(falling), "hit_ranks": ahead}))
    add_crowd(add_run("two", 30.0), steady)
    text = " ".join(build()["protocol"].text.split())
    assert "ONE is ahead of TWO by R1 up to 72 images and behind from 172 on; they are told" in text


def test_without_a_change_the_page_says_so(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """Likewise what is left aside or left out, as text, whatever it is called."""
    steady = answered(0, 0.02)
    add_crowd(add_run("one", 40.0), steady, second_look_left_aside=True)
    others = CrowdTable(**{**vars(steady), "hit_ranks": steady.hit_ranks + 1})
    add_crowd(add_run("two", 30.0), others, left_out={HOSTILE: 3}, title=HOSTILE)
    page = build()["protocol"]
    assert "No two methods change places by R1" in page.text
    assert "the second look of ONE at first candidates is left aside" in page.text
    assert HOSTILE not in page.source


def test_what_is_damaged_or_lacks_a_seed_is_left_out(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """A page is made of the rest; of several crowds each stands for itself."""
    for seed in (0, 1):
        add_crowd(add_run("one", 40.0, seed=seed), answered(seed, 0.02))
        run = add_run("two", 30.0, seed=seed)
        if seed == 0:
            add_crowd(run, answered(seed, 0.03))
        damaged = add_crowd(add_run("three", 20.0, seed=seed), answered(seed, 0.03))
        (damaged / CROWD).write_bytes(b"PAR1")
        add_crowd(run, answered(seed, 0.04), "photographs", content="p" * 64, title="7 images")
    page = build()["protocol"]
    assert "Among 30,000 drawn people, on PaperDolls (demo)" in page.text
    assert "Among 7 images, on PaperDolls (demo)" in page.text
    assert len([row for row in page.rows if row[:1] == ["TWO"] and "10,072" in row[1]]) == 1
    assert not [row for row in page.rows if row[:1] == ["THREE"] and "10,072" in row[1]]


def test_indexes_stand_beside_the_exact_scan(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Means over seeds at tenfold sizes and the largest; every size to take away."""
    tables = [answered(seed, 0.02) for seed in (0, 1)]
    for seed, table in enumerate(tables):
        run = add_run("one", 40.0, seed=seed)
        add_crowd(run, table)
        for kind in ("flat", "hnsw"):
            add_index(run, table, kind, library=f"faiss {HOSTILE}")
    page = build()["protocol"]
    rows = [row for row in page.rows if row[:1] == ["ONE"] and "HNSW" in row[2]]
    assert [row[1] for row in rows] == ["1,072", "10,072", "30,072"]
    found = [through(table, "hnsw") for table in tables]
    right, exact = (100 * np.mean([part[-1] for part in parts]) for parts in (
        [one.right for one in found], [one.exact_right for one in found]))  # fmt: skip
    recall1, recall10 = 100 * 95 / 96, 90 * 95 / 96
    expected = [f"{one:.1f}" for one in (recall1, recall10, right, exact)]
    assert rows[-1][3:] == [*expected, "0.25", "1.50", "3.0", "8.1"]
    assert "HNSW32, efSearch=64" in rows[-1][2]
    assert HOSTILE not in page.source
    folder = tmp_path / "site/downloads/tables/demo-paperdolls"
    text = (folder / "crowd-indexes.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["index"] for line in lines] == ["flat"] * 4 + ["hnsw"] * 4
    assert float(lines[-1]["recall10"]) == pytest.approx(recall10)
    assert json.loads((folder / "crowd-indexes.json").read_text("utf-8"))[-1]["gallery"] == 30_072


def test_an_index_that_is_damaged_or_lacks_a_seed_is_left_out(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """So is one that was held against another exact scan; the exact figures stay."""
    for seed in (0, 1):
        table, run = answered(seed, 0.02), add_run("one", 40.0, seed=seed)
        add_crowd(run, table)
        if seed == 0:
            add_index(run, table, "flat")
        damaged = add_index(run, table, "ivf")
        (damaged / JUDGED).write_text('{"gallery": "<script>", "points": []}', encoding="utf-8")
        add_index(run, table, "hnsw", exact="another")
    page = build()["protocol"]
    assert len(rows_of(page, "ONE")) == len(SIZES)
    assert "Recall@10" not in page.text


def test_without_a_crowd_the_protocol_says_so(
    add_run: Callable[..., Path], build: Callable[[], dict[str, Any]]
) -> None:
    """The definitions stand there all the same."""
    add_run("one", 40.0)
    page = build()["protocol"]
    assert "No run in these results was asked among a crowd." in page.text
    assert "detection and identification rate" in page.text.lower()
