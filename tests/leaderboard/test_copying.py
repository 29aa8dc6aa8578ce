from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest
from playwright.sync_api import expect

from leaderboard.build import build_site
from leaderboard.typography import MINUS

Page = playwright.Page
TITLES = {"one": "One & <b>only</b> | *star*", "two": '=SUM("x"),_2'}
SKILLS = {"one": 2.4, "two": 1.0, "three": 0.2}


@pytest.fixture
def page(
    results: Path, tmp_path: Path, add_answers: Callable[..., Path], open_page: Callable[..., Page]
) -> Page:
    """Return the ranking of three methods, two of which are named as no table likes."""
    for method, skill in SKILLS.items():
        add_answers(method, skill, title=TITLES.get(method, method.title()))
    return open_page(build_site(results, tmp_path / "site"))


def copied(page: Page, kind: str) -> str:
    """Copy the first table, and return what was taken."""
    page.evaluate(
        "() => { window.taken = ''; document.execCommand = () => {"
        " window.taken = document.activeElement.value; return true; };"
        " const nothing = { value: undefined, configurable: true };"
        " Object.defineProperty(navigator, 'clipboard', nothing); }"
    )
    page.locator(".copy").first.get_by_role("button", name=kind).click()
    expect(page.locator(".copy output").first).to_contain_text(f"copied as {kind}")
    taken: str = page.evaluate("window.taken")
    return taken


def test_a_spreadsheet_gets_the_rows_that_are_shown(page: Page) -> None:
    """Header and rows have the same cells; nothing is run as a formula, nothing is broken off."""
    rows = list(csv.reader(io.StringIO(copied(page, "CSV"), newline="")))
    assert len({len(row) for row in rows}) == 1
    assert rows[0][:3] == ["Rank", "Method", "R1 %"]
    assert [row[1] for row in rows[1:]] == [TITLES["one"], f"'{TITLES['two']}", "Three"]
    assert all(MINUS not in cell for row in rows for cell in row)
    page.get_by_label("Find a method").fill("Three")
    assert [row[1] for row in csv.reader(io.StringIO(copied(page, "CSV")))][1:] == ["Three"]


def test_a_paper_gets_a_table_that_tex_reads(page: Page) -> None:
    """Signs that TeX would obey are escaped, minus signs are minus signs, the best is bold."""
    table = copied(page, "LaTeX")
    assert table.startswith("\\begin{tabular}{")
    assert "One \\& <b>only</b> | *star*" in table
    assert "\\_2" in table
    assert "$-$" in table
    assert "\\textbf{" in table
    body = table.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    columns = len(table[len("\\begin{tabular}{") : table.index("}", 16)])
    assert [line.replace("\\&", "").count("&") for line in body] == [columns - 1] * 3


def test_markdown_keeps_its_columns(page: Page) -> None:
    """A bar or a star in a name parts no cells and makes nothing bold."""
    lines = copied(page, "Markdown").splitlines()
    assert "One & \\<b>only\\</b> \\| \\*star\\*" in lines[2]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_every_page_says_what_it_is_and_of_what(page: Page) -> None:
    """Title, description and what it was made of; the ranking is described by its answer."""
    said: Any = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('meta[name], meta[property]')]"
        ".map((meta) => [meta.name || meta.getAttribute('property'), meta.content]))"
    )
    assert said["og:title"] == page.title()
    assert said["description"] == said["og:description"]
    assert said["description"].startswith(TITLES["one"])
    expect(page.locator("footer .stamp")).to_contain_text("3 runs of 3 methods, the latest of 20")
    expect(page.locator("footer .stamp")).to_contain_text("tbpr-bench")
