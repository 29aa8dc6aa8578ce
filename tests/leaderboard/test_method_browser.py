"""A method's page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest

from leaderboard import compare, method
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site

from ..made_once import Make
from .recorder import Recorder, pages_once

Open = Callable[..., playwright.Page]
OVERFLOW = """() => {
  const root = document.documentElement;
  const wide = [...document.querySelectorAll(".frame")]
    .filter((frame) => getComputedStyle(frame).overflowX === "visible")
    .map((frame) => frame.scrollWidth - frame.clientWidth);
  return Math.max(root.scrollWidth - root.clientWidth, 0, ...wide);
}"""


@pytest.fixture(scope="session")
def page_file(once: Make) -> Path:
    """Return the page of a method with an ablation, a sweep, slices and a failed seed."""
    return pages_once(once, "method", answer, write)[1] / "methods/one.html"


def answer(recorder: Recorder) -> None:
    """Finish its runs."""
    recorder.add_digest()
    parts = {"itc": 1.0, "local": 1.0, "wide": 1.0}
    config: dict[str, Any] = {"losses": parts, "share": 0.3}
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("Table 4", "B", {"losses": {"itc": 1.0}}),
        ("Table 4", "B+L", {"losses": {"itc": 1.0, "local": 1.0}}),
        *(("Figure 3", f"share {share}", {"share": share}) for share in (0.1, 0.2, 0.4)),
    ]
    for seed in range(3):
        recorder.add_answers("one", 2.0, seed=seed, config=config)
        recorder.add_answers("two", 0.8, seed=seed)
        for position, (table, label, changes) in enumerate(rows):
            if (label, seed) != ("share 0.4", 2):
                skill = 1.0 if table == "Table 4" else 1.98
                recorder.add_answers(
                    "one", skill, seed=seed, variant=label, changes=changes,
                    config={**config, **changes}, tables=((table, label, position),),
                )  # fmt: skip


def write(results: Path, folder: Path) -> None:
    """Write the pages of methods, and what they link to."""
    site = load_site(results, FOLDER)
    makers = (render.make_assets, method.make_files, compare.make_files)
    write_site({file: text for make in makers for file, text in make(site).items()}, folder)


@pytest.mark.parametrize("dark", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_the_page_has_no_serious_barrier(
    dark: bool, page_file: Path, open_page: Open,
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """Contrast, names, tables and headings hold in light and in dark, all details open."""
    page = open_page(page_file, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert find_barriers(page) == []


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_nothing_but_tables_scrolls_sideways(width: int, page_file: Path, open_page: Open) -> None:
    """The page is as wide as its window; an ablation scrolls in its frame with its rows named."""
    page = open_page(page_file, width=width)
    assert page.evaluate(OVERFLOW) == 0
    frame = page.get_by_role("region", name="Table 4 on PaperDolls")
    frame.evaluate("frame => { frame.scrollLeft = 200; }")
    if width == 390:
        name = frame.locator("tbody th").first
        left = name.evaluate("cell => cell.getBoundingClientRect().left")
        assert left == frame.evaluate("frame => frame.getBoundingClientRect().left")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_figure_leads_to_its_runs(scripts: bool, page_file: Path, open_page: Open) -> None:
    """A click on a mean brings the runs of its variant into view, with or without scripts."""
    page = open_page(page_file, scripts=scripts)
    row = page.get_by_role("region", name="Table 4 on PaperDolls").locator("tbody tr").first
    row.locator("a.mean").first.click()
    group = page.locator("tbody:target")
    playwright.expect(group.locator("tr").first).to_be_in_viewport()
    assert group.locator("th").all_inner_texts() == ["B", "B", "B"]
    assert "harness run" in group.inner_text()


def test_the_parts_stand_in_the_order_of_a_readers_questions(
    page_file: Path, open_page: Open
) -> None:
    """Results come first, then what made them, where they fail, and the evidence."""
    titles = open_page(page_file).locator("main h3").all_inner_texts()
    order = [
        "Results", "Ablations", "What each part adds", "Sweeps", "Kinds of queries", "Match curve",
        "What it finds", "Training", "Runs", "Settings",
    ]  # fmt: skip
    assert [title for title in titles if title in order] == order


def test_grey_and_words_tell_a_real_difference(page_file: Path, open_page: Open) -> None:
    """What is not real is grey to the eye and said in words; what is real is ink."""
    page = open_page(page_file)
    ink = page.evaluate("getComputedStyle(document.body).color")
    cells = page.locator("td.difference:has(.p-value)").all()
    colours: dict[bool, set[str]] = {True: set(), False: set()}
    for cell in cells:
        colour = cell.locator(".mean").evaluate("mean => getComputedStyle(mean).color")
        colours["not told apart" in (cell.text_content() or "")].add(colour)
    assert colours[False] == {ink}
    assert ink not in colours[True]


def test_a_row_with_fewer_seeds_says_on_which_it_is_compared(
    page_file: Path, open_page: Open
) -> None:
    """The seeds that both have stand below the difference, where others have more."""
    text = open_page(page_file).locator("main").inner_text()
    assert "on seeds 0 and 1" in text
