"""Rows of files that were handed in, beside trained methods, and what methods saw before."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest
from playwright.sync_api import expect

from harness.results.paper import ExtraData
from leaderboard.build import build_site

from ..made_once import Make
from .recorder import Recorder, handed_in, pages_once

MARK = "(scores only)"
FILE = "<b>theirs</b>.npz (SHA-256 abababababab)"


def answer(recorder: Recorder) -> None:
    """Two rows that were handed in, one whose order is not checked, and a method of three seeds."""
    before = ExtraData(weights=("CLIP",), people=("MALS",))
    for seed in range(3):
        recorder.add_answers("trained", 2.0, seed=seed, extra_data=ExtraData(people=()))
        recorder.add_answers("seeded", 1.0, seed=seed, handed_in=handed_in(seeded=True))
    late = {"started": "2026-05-05T00:00:00+00:00", "protocol": {"selection": "elsewhere"}}
    recorder.add_answers("single", 3.0, handed_in=handed_in(), extra_data=before, **late)
    recorder.add_answers("unproved", 2.5, handed_in=handed_in(order_checked=False))
    recorder.add_digest()


@pytest.fixture(scope="session")
def site(once: Make) -> Path:
    """The folder of their pages."""
    return pages_once(once, "scores-only", answer, build_site)[1]


def test_they_stand_in_one_ranking(site: Path, read_page: Callable[[Path], Any]) -> None:
    """Ranked with the trained one, each marked; what proves no order stands apart, with the why."""
    page = read_page(site / "index.html")
    rows = {row[1].split("(")[0].strip(): row for row in page.rows if len(row) > 5}
    assert {"SINGLE", "SEEDED", "UNPROVED"} <= {name.split()[0] for name in rows}
    assert page.text.count(f"SINGLE {MARK}") >= 2
    assert "one run: other people only" in page.text
    assert "Not ranked: unproved/full is scores only, order not checked" in page.text
    assert f"SEEDED {MARK}, SINGLE {MARK} and UNPROVED {MARK} features, similarities" in page.text
    assert "selection: elsewhere" not in page.text  # the ground is told by what was trained


def test_every_page_marks_them(site: Path, read_page: Callable[[Path], Any]) -> None:
    """Wherever their title stands, the mark stands behind it; their own page says what it is."""
    for file in sorted(site.rglob("*.html")):
        text = " ".join(read_page(file).text.split())
        for title in ("SINGLE", "SEEDED", "UNPROVED"):
            marked = text.count(f"{title} (scores on")  # a drawing may shorten it
            assert text.count(title) == marked, (file.name, title)
    page = read_page(site / "methods/single.html").text
    assert f"Scores only: features of {FILE}, compared by cosine." in page
    assert "Rows were matched by person ids. Nothing was trained here." in page
    assert "and one file, whose seed is not told." in page
    assert "the same under every seed" not in page
    unproved = read_page(site / "methods/unproved.html").text
    assert "and their order is not checked" in unproved
    assert "It is not ranked here" in unproved
    assert "<b>theirs" not in (site / "methods/single.html").read_text("utf-8")


def test_downloads_tell_them_and_group_by_what_was_seen(site: Path) -> None:
    """Sheets have a column for each; LaTeX has groups as recent papers do."""
    [ranking] = (site / "downloads").rglob("*ranking*.csv")
    rows = csv.DictReader(ranking.read_text("utf-8").splitlines())
    lines = {one["method"]: one for one in rows}
    assert {name: one["rests_on"] for name, one in lines.items()} == {
        "trained": "", "seeded": "scores only", "single": "scores only", "unproved": "scores only",
    }  # fmt: skip
    seen = {name: one["person_pretraining"] for name, one in lines.items()}
    assert seen == {
        "trained": "without", "single": "with", "seeded": "undisclosed", "unproved": "undisclosed",
    }  # fmt: skip
    assert lines["single"]["extra_data"] == "weights: CLIP; people: MALS"
    [tex] = (site / "downloads").rglob("*ranking*.tex")
    text = tex.read_text("utf-8")
    places = [
        text.index(told)
        for told in (
            r"\textit{Without person pre-training}", "TRAINED", r"\textit{With person",
            f"SINGLE {MARK}", r"\textit{Person pre-training undisclosed}", f"SEEDED {MARK}",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    [runs] = (site / "downloads").rglob("runs.json")
    assert "person ids" in json.dumps(json.loads(runs.read_text("utf-8")))


@pytest.mark.parametrize(
    "width", [1440, *(pytest.param(width, marks=pytest.mark.exhaustive) for width in (390, 1024))]
)
def test_a_column_more_fits_the_window(
    site: Path, open_page: Callable[..., playwright.Page], width: int
) -> None:
    """No page scrolls sideways: a table's frame takes what does not fit; a desk sees it all."""
    for file in sorted(site.glob("*.html")):
        page = open_page(file, width)
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, file.name
    frame = open_page(site / "index.html", width).locator(".frame:has(.ranking)")
    hidden = frame.evaluate("frame => frame.scrollWidth - frame.clientWidth")
    assert width < 1440 or not hidden


def test_a_view_leaves_out_what_saw_people_before(
    site: Path, open_page: Callable[..., playwright.Page]
) -> None:
    """The filter is in the address; sorted by the column, rows stand in groups, ranked in each."""
    page = open_page(site / "index.html")
    page.get_by_label("Person pre-training").select_option("without")
    shown = page.locator("table.ranking tbody tr:visible th.pinned > a")
    expect(shown).to_have_text(["TRAINED"])
    assert "people=without" in page.url
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Person pre-training").click()
    expect(page.locator("table.ranking tbody:not(.apart) th.pinned > a")).to_have_text(
        ["TRAINED", f"SINGLE {MARK}", f"SEEDED {MARK}"]
    )
    headings = page.locator("table.ranking tr.heading")
    expect(headings).to_have_text([
        "Without person pre-training", "With person pre-training",
        "Person pre-training undisclosed",
    ])  # fmt: skip
    page.get_by_role("button", name="Rank", exact=True).click()
    expect(headings).to_have_count(0)


def test_weights_from_elsewhere_stand_beside_what_is_printed(
    recorder: Recorder, results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """Whoever prints it: of IRRA, whose paper is not held, DGIA's misprint does not stand there."""
    weights = replace(handed_in(), what="weights", encoded_by="irra")
    data = {"title": "CUHK-PEDES", "fingerprint": "ab" * 32, "drawn": False}
    where = {"dataset": "cuhk-pedes", "scale": "paper", "suite": "paper", "data": data}
    recorder.add_answers("irra-elsewhere", 3.0, handed_in=weights, title="IRRA", **where)
    recorder.add_answers("other", 2.0, handed_in=handed_in(), **where)
    page = read_page(build_site(results, tmp_path / "site"))
    [row] = [row for row in page.rows if len(row) > 5 and "IRRA" in row[1]]
    assert "IRRA (trained elsewhere)" in row[1]
    assert "paper 73.38" in " ".join(row)
    assert "paper 89.93" in " ".join(row)
    assert "The weights of IRRA (trained elsewhere) were handed in" in page.text
    assert "Of OTHER (scores only) features" in page.text
