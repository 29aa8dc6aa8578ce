"""Runs that came with the project, as pages mark them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harness.results.query_table import FIRST_IMAGES, FOLLOWING
from harness.results.shipped import ABOUT
from leaderboard.build import build_site
from leaderboard.records.contest import Contest
from leaderboard.records.load import load_grounds

from .recorder import Recorder

QUERIES = "evaluations/text-to-image/queries.parquet"
ABOUT_IT = {
    "version": "1.2.3",
    "runs": 4,
    "first": "2026-01-01",
    "last": "2026-01-01",
    "machines": ["a machine <of> & others"],
    "torch": [],
    "commits": [],
}
MADE = "tbpr-bench 1.2.3, made 2026-01-01 on a machine <of> & others."


def row_of(page: Any, title: str) -> str:
    """Return the text of a method's row of the ranking."""
    (found,) = [row for row in page.rows if len(row) > 5 and row[1].startswith(title)]
    return " ".join(found)


@pytest.fixture
def shipping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Two methods and a row that ship, compact but for the first seed of one method."""
    folder = tmp_path / "ships"
    monkeypatch.setattr("harness.results.shipped.FOLDER", folder)
    recorder = Recorder(folder)
    for seed in (0, 1):
        recorder.add_answers("one", 3.0, seed=seed)
        recorder.add_answers("two", 1.0, seed=seed)
    recorder.add_answers("one", 2.0, variant="w/o SDM")
    for file in folder.rglob(QUERIES):
        table = pyarrow.parquet.read_table(file)
        lists = () if "one/full/seed-0" in str(file) else FIRST_IMAGES
        pyarrow.parquet.write_table(table.drop_columns([*FOLLOWING, *lists]), file)
    recorder.add_digest()
    (folder / ABOUT).write_text(json.dumps(ABOUT_IT), encoding="utf-8")
    return recorder


@pytest.fixture
def site(tmp_path: Path, results: Path) -> Callable[[], Path]:
    """Build the site and return its folder."""
    return lambda: build_site(results, tmp_path / "site").parent


def test_the_ranking_says_what_ships_and_where_it_was_timed(
    shipping: Recorder, site: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """With the command that makes it anew; each row says it too."""
    page = read_page(site() / "index.html")
    assert f"All 5 runs ship with {MADE}" in page.text
    assert "harness run --all --suite demo --ablations makes them anew here" in page.text
    assert "of runs that ship, on the one that is named above." in page.text
    assert "seconds compare machines" not in page.text
    assert [row_of(page, name).count("shipped") for name in ("ONE", "TWO")] == [1, 1]


def test_own_runs_beside_it_are_told_from_it(
    shipping: Recorder, recorder: Recorder, site: Callable[[], Path],
    read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """How many of a row ship, and that seconds of two machines stand side by side."""
    recorder.add_answers("one", 3.0, seed=1)
    for seed in (0, 1):
        recorder.add_answers("mine", 2.0, seed=seed)
    folder = site()
    page = read_page(folder / "index.html")
    assert f"Of 7 runs, 4 ship with {MADE}" in page.text
    assert "so that seconds compare machines too" in page.text
    assert "1 shipped" in row_of(page, "ONE")
    assert "shipped" not in row_of(page, "MINE")
    method = read_page(folder / "methods/one.html")
    assert "Of 3 runs, 2 ship with" in method.text
    assert method.text.count("came with the project") == 2
    assert "ship" not in read_page(folder / "methods/mine.html").text
    lines = csv.DictReader(io.StringIO((folder / "downloads/runs.csv").read_text("utf-8")))
    assert {(one["method"], one["shipped"]) for one in lines} == {
        ("mine", "false"), ("one", "false"), ("one", "true"), ("two", "true"),
    }  # fmt: skip


def test_compact_runs_are_compared_as_whole_ones_are(
    shipping: Recorder, recorder: Recorder, results: Path
) -> None:
    """What follows from ranks is the same whether it is stored or not."""
    (before,) = load_grounds(results)
    compact = Contest(before, results).family("map")
    for seed in (0, 1):
        recorder.add_answers("one", 3.0, seed=seed)
    (after,) = load_grounds(results)
    assert Contest(after, results).family("map") == compact


def test_without_lists_of_first_images_it_is_said(
    shipping: Recorder, site: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """A method of which they ship shows what it finds, from the digest that ships."""
    folder = site()
    one, two = (read_page(folder / f"methods/{name}.html").text for name in ("one", "two"))
    assert "What it finds" in one
    assert "A caption of number" in one
    assert "the run with seed 0 was stored without the lists of first images" in two
    assert "were stored without" not in one
    assert list((folder / "thumbnails").rglob("*.jpg"))


def test_pages_without_thumbnails_say_why(
    shipping: Recorder, site: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Captions are shown all the same."""
    gallery = next(shipping.results.rglob("gallery.parquet"))
    table = pyarrow.parquet.read_table(gallery)
    bare = pyarrow.nulls(len(table), pyarrow.binary())
    place = table.schema.get_field_index("thumbnail")
    pyarrow.parquet.write_table(table.set_column(place, "thumbnail", bare), gallery)
    folder = site()
    one = read_page(folder / "methods/one.html").text
    assert "The images of this dataset are not shown: they do not ship. Ids stand for them." in one
    assert "A caption of number" in one
    data = read_page(folder / "datasets.html").text
    assert "The images are not shown: they do not ship." in data
    assert "could not be decoded" not in data


def test_no_page_names_the_folder_that_ships(
    shipping: Recorder, site: Callable[[], Path], tmp_path: Path
) -> None:
    """Also where a file of it cannot be read."""
    for file in shipping.results.glob(f"*/*/two/*/*/{QUERIES}"):
        file.write_bytes(b"PAR1")
    folder = site()
    assert "two/full/seed-0/evaluations" in (folder / "index.html").read_text("utf-8")
    for page in folder.rglob("*.html"):
        assert str(tmp_path) not in page.read_text("utf-8"), page
