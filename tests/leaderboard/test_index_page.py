from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.results import read_record, write_json
from leaderboard.build import build_site
from leaderboard.typography import ABSENT as DASH


@pytest.fixture
def index(small_results: Path, tmp_path: Path, read_page: Callable[[Path], Any]) -> Any:
    """Return the parsed index of the small results."""
    return read_page(build_site(small_results, tmp_path / "site"))


def test_figures_equal_the_records(index: Any) -> None:
    """A row shows mean and range over the seeds of its runs, and the means of their costs."""
    cells = index.row("BETA")
    assert cells[3] == f"42.0, second, range 40.0{DASH}45.0"
    assert cells[4] == f"52.0, second, range 50.0{DASH}55.0"
    assert cells[6] == f"38.5, second, range 36.5{DASH}41.5"
    assert cells[8:] == ["3", "0.6", "121", "0.8", "0.3"]


def test_methods_stand_in_the_order_of_mean_r1(index: Any) -> None:
    """The ranking is by mean R1, the best first."""
    ranked = [(row[0], row[1]) for row in index.rows if row[0].isdigit()]
    assert ranked == [("1", "ALPHA"), ("2", "BETA"), ("3", "GAMMA")]


def test_equal_means_share_a_rank(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """Two methods with one mean have one rank, and the next method's rank counts both."""
    for method, r1 in (("one", 30.0), ("two", 30.0), ("three", 20.0)):
        add_run(method, r1)
    page = read_page(build_site(results, tmp_path / "site"))
    ranks = {row[1]: row[0] for row in page.rows if row[0].isdigit()}
    assert ranks == {"ONE": "1", "TWO": "1", "THREE": "3"}
    assert "second" not in page.row("THREE")[3]


def test_drawn_data_is_named_as_such(
    index: Any, results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """Drawn data carries a banner; data that is not drawn carries none."""
    assert "say nothing about real photographs" in index.text
    for path in results.rglob("run.json"):
        record = read_record(path.parent)
        assert record is not None
        real = replace(record, data={**record.data, "drawn": False})
        write_json(path, real.__dict__)
    page = read_page(build_site(results, tmp_path / "site"))
    assert "photographs" not in page.text


def test_what_is_missing_is_said_where_the_number_stands(index: Any) -> None:
    """A failed run and fewer seeds are said in the row, and the failure with its message below."""
    seeds = index.row("ALPHA")[8]
    assert seeds.split("\n")[0] == "2others have 3"
    assert "seed 2: error" in seeds
    assert "ALPHA, full, seed 2: error, FloatingPointError: loss 'itc' is nan" in index.text
    assert any(href.startswith("methods/alpha.html#") for href in index.attributes("href"))


def test_a_method_without_a_figure_is_listed_unranked(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """A method that only failed here, or only ran on another dataset, is named with the reason."""
    add_run("one", 30.0)
    add_run("two", status="killed")
    add_run("three", 20.0, dataset="other")
    page = read_page(build_site(results, tmp_path / "site"))
    reasons = [" ".join(row[3].split()) for row in page.rows if row[0].startswith(DASH)]
    assert "no run gave a result seed 0: killed" in reasons
    assert reasons.count("not run as published on this dataset") == 3


def test_a_metric_that_some_seeds_lack_is_said(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """A mean over fewer seeds than the row has says so; one without any seed shows no number."""
    add_run("one", 30.0)
    add_run("one", seed=1, metrics={"r1": 32.0, "r5": float("nan"), "r10": 120.0})
    add_run("two", metrics={"r1": 10.0})
    page = read_page(build_site(results, tmp_path / "site"))
    cells = page.row("ONE")
    assert "R5 from 1 of 2 seeds" in cells[8]
    assert "R10 from 1 of 2 seeds" in cells[8]
    assert page.row("TWO")[4] == "not recorded"


def test_runs_on_different_contents_are_called_incomparable(
    results: Path, tmp_path: Path, add_run: Callable[..., Path], read_page: Callable[[Path], Any]
) -> None:
    """Where fingerprints differ within a table, the page warns of it."""
    add_run("one", 30.0)
    add_run("two", 31.0, data={"title": "PaperDolls", "fingerprint": "another"})
    page = read_page(build_site(results, tmp_path / "site"))
    assert "2 different contents" in page.text
    assert "cannot be compared" in page.text


def test_the_dataset_and_the_protocol_are_shown(index: Any) -> None:
    """Counts, a short fingerprint, the licence and the protocol stand beside the table."""
    assert "test: 200 people, 1,600 images" in index.text
    assert "feedc0ffeefe…" in index.text
    assert "CC0-1.0" in index.text
    assert "Drawn by a program." in index.text
    assert "https://example.org/data" in index.attributes("href")
    assert "every test caption is a query" in index.text


def test_a_single_seed_has_no_range(index: Any) -> None:
    """The range of one value is not shown as if it were one."""
    assert index.row("GAMMA")[3] == "12.5"
