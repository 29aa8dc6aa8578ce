from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import playwright.sync_api as playwright
import pytest
import yaml

from leaderboard import literature
from leaderboard.reported.tables import FOLDER, load_papers
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site
from leaderboard.typography import printable

from ..made_once import Make
from .recorder import Recorder, pages_once
from .test_site_in_browser import BEYOND, INTRUDERS, PAYLOADS, SIDEWAYS
from .windows import resize

Open = Callable[..., playwright.Page]
FILE = "reported.html"
MISPRINT = "dgia/Table-1/IRRA/cuhk-pedes/r5"
SHOWN = "() => [...document.querySelectorAll('details.method')].filter((one) => !one.hidden).length"
OPENED = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
# Every word of the page is to be read: none is less than eleven pixels high.
SMALL = """() => [...document.querySelectorAll(".found :is(summary, td, th, small, .note)")]
  .filter((one) => parseFloat(getComputedStyle(one).fontSize) < 11).length"""


def write(results: Path, out: Path, reported: Path = FOLDER) -> Path:
    """Write the page and nothing else; return it."""
    site = load_site(results, reported)
    made = literature.make_files(site)
    others = {name: "" for name in render.NAVIGATION if name != FILE}
    write_site({**render.make_assets(site), **others, **made}, out)
    return out / FILE


@pytest.fixture(scope="session")
def page(once: Make) -> Path:
    """Return the page of the papers that ship, beside a run of one method."""
    folder = pages_once(once, "reported", lambda recorder: _add(recorder), write)[1]
    return folder / FILE


def _add(recorder: Recorder) -> None:
    recorder.add_run("irra", 40.0)


@pytest.fixture
def hostile(add_run: Callable[..., Path], results: Path, tmp_path: Path) -> Path:
    """Return the page of a paper whose every text is a payload."""
    folder = tmp_path / "papers"
    folder.mkdir()
    rows = [
        {"label": text, "group": text, "values": [50.5], "suspect": [{"why": text}]}
        for text in PAYLOADS
        if "\ud800" not in text and "\u2028" not in text
    ]
    table = {"title": PAYLOADS[0], "caption": PAYLOADS[1], "source": PAYLOADS[1],
             "columns": ["cuhk-pedes/r1"], "rows": rows}  # fmt: skip
    labels = [row["label"] for row in rows]
    content = {
        "method": "one", "title": PAYLOADS[1], "paper": PAYLOADS[0], "url": "javascript:alert(1)",
        "source": PAYLOADS[0], "scale": "paper", "tables": [table],
        "names": {labels[0]: PAYLOADS[2], labels[-1]: "x" * 3000}, "years": {2020: labels},
        "variants": labels[3:4],
    }  # fmt: skip
    (folder / "one.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    add_run("one", 40.0)
    return write(results, tmp_path / "site", folder)


def test_every_address_is_there_once_and_every_link_leads_to_one(
    page: Path, read_page: Callable[[Path], Any]
) -> None:
    """A figure leads to itself, drift to figures, rows to papers, the timeline to methods."""
    parsed = read_page(page)
    ids = parsed.attributes("id")
    assert len(ids) == len(set(ids))
    within = {unquote(href[1:]) for href in parsed.attributes("href") if href.startswith("#")}
    assert within <= set(ids)
    figures = {one for one in ids if one.endswith(("/r1", "/r5", "/r10", "/map", "/minp"))}
    assert figures <= within
    assert len(figures) > 1300
    assert MISPRINT in figures


def test_the_page_says_what_it_holds(page: Path, read_page: Callable[[Path], Any]) -> None:
    """How much, who differs, that no spread was measured, and of whom no year is known."""
    parsed = read_page(page)
    text = " ".join(parsed.text.split())
    papers = len(load_papers(FOLDER))
    assert f"as {papers} papers print them. None of them was measured here." in text
    assert "No method here was run on photographs with several seeds" in text
    assert re.search(r"no source here gives a year: [^.(]*OGEN", text)
    drift = parsed.row("IRRA R5 on CUHK-PEDES")
    assert "83.93 DGIA, Table 1" in drift[1]
    assert drift[2] == "6.00"
    assert "Suspect: IRRA\u2019s own paper prints 89.93." in text
    assert "read in Table 3 of DGIA\u2019s paper" in text
    assert "README of https://github.com/anosorae/IRRA" in text


def test_a_method_leads_to_its_page_and_back(
    results: Path, add_run: Callable[..., Path], tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """What ran here is a link, under whatever name; what did not is none."""
    add_run("irra", 40.0)
    hrefs = read_page(write(results, tmp_path / "site")).attributes("href")
    assert [href for href in hrefs if href.startswith("methods/")] == ["methods/irra.html"]
    papers = load_site(results, FOLDER).papers
    assert literature.method_address(papers, "irra") == f"{FILE}#method-IRRA"
    assert literature.method_address(papers, "nothing") == ""


def test_without_papers_the_page_says_so(
    results: Path, add_run: Callable[..., Path], tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """A board whose folder of papers is empty has the page, and nothing on it."""
    add_run("one", 40.0)
    (tmp_path / "none").mkdir()
    text = read_page(write(results, tmp_path / "site", tmp_path / "none")).text
    assert "0 figures of 0 methods" in text
    assert "No paper is held here." in text


def test_hostile_texts_are_shown_and_not_obeyed(hostile: Path, open_page: Open) -> None:
    """Names, labels, reasons and sources of a file are texts, in the chart too; none is run."""
    shown = open_page(hostile)
    shown.evaluate(OPENED)
    assert shown.evaluate("window.obeyed") is None
    assert shown.evaluate(INTRUDERS) == []
    text = " ".join((shown.text_content("body") or "").split())
    for payload in PAYLOADS[:8]:
        assert " ".join(str(printable(payload)).split()) in text, payload
    resize(shown, 390)
    assert shown.evaluate(BEYOND) <= 0
    assert shown.evaluate(SIDEWAYS) == []


@pytest.mark.parametrize(
    ("width", "dark"), [(390, True), pytest.param(1440, False, marks=pytest.mark.exhaustive)]
)
def test_all_of_it_is_legible_and_without_barriers(
    width: int, dark: bool, page: Path, open_page: Open,
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """With more than sixty methods, some opened: nothing too small, too wide or barred."""
    shown = open_page(page, width=width, dark=dark)
    shown.evaluate("""() => [...document.querySelectorAll("details")]
        .forEach((one, number) => { one.open = number < 8; })""")
    assert shown.evaluate(SHOWN) > 60
    assert shown.evaluate(SMALL) == 0
    assert shown.evaluate(BEYOND) <= 0
    assert shown.evaluate(SIDEWAYS) == []
    assert find_barriers(shown) == []


def test_without_scripts_an_address_opens_its_method(page: Path, open_page: Open) -> None:
    """The figure is seen, and the keyboard opens any other method; nothing else is needed."""
    shown = open_page(page, scripts=False, anchor=MISPRINT)
    assert shown.locator(f'[id="{MISPRINT}"]').is_visible()
    assert shown.locator(".find").count() == 0
    summary = shown.locator('[id="method-OGEN"] > summary')
    summary.focus()
    summary.press("Enter")
    assert shown.locator('[id="ogen/Table-I/OGEN/rstpreid/r1"]').is_visible()


def test_methods_are_found_by_any_of_their_names(page: Path, open_page: Open) -> None:
    """What is looked for is in the address; one that is left is opened, and links win."""
    shown = open_page(page)
    field = shown.get_by_label("Find a method")
    every = shown.evaluate(SHOWN)
    field.fill("tpsld")
    assert shown.evaluate(SHOWN) == 1
    assert shown.locator('[id="method-Han-et-al"]').get_attribute("open") is not None
    assert f"1 of {every} methods" in shown.locator(".find output").inner_text()
    assert shown.url.endswith("?find=tpsld")
    shown.reload()
    assert shown.evaluate(SHOWN) == 1
    field.fill("b+lrc")
    assert shown.evaluate(SHOWN) == 1
    field.fill("<script>")
    assert shown.evaluate(SHOWN) == 0
    shown.evaluate(f"location.hash = {MISPRINT!r}")
    shown.wait_for_function(f"({SHOWN})() > 1")
    assert shown.evaluate(SHOWN) == every
    figure = shown.locator(f'[id="{MISPRINT}"]')
    assert figure.is_visible()
    figure.get_by_role("link").press("Enter")
    assert shown.evaluate("document.querySelector(':target').id") == MISPRINT
