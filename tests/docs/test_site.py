"""The site that the pages and docstrings make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import playwright.sync_api as playwright
import pytest

from .pages import ROOT

pytest.importorskip("sphinx", reason="the extra docs is not installed")
pytestmark = [pytest.mark.xdist_group("docs"), pytest.mark.exhaustive]  # the like: test_links

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
BEYOND = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Addresses(HTMLParser):
    """What a page loads, what it links to, and the names in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in LOADING and LOADING[tag] in values:
            self.loaded.append(values[LOADING[tag]])
        if tag == "a" and "href" in values:
            self.linked.append(values["href"])
        self.names.add(values.get("id", ""))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built site; a warning fails."""
    out = tmp_path_factory.mktemp("docs") / "html"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, "DOCS_LEADERBOARD": "board/index.html"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Addresses]:
    """Return what every page of the site loads and links to."""
    return {path: Addresses(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_outside(site: Path, pages: dict[Path, Addresses]) -> None:
    """Scripts, styles, images and fonts are files of the site."""
    assert len(pages) > 10
    for path, page in pages.items():
        for address in page.loaded:
            assert urlsplit(address).scheme in ("", "data"), (path, address)
            assert not address.startswith("//"), (path, address)
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(\s*['\"]?|@import\s+['\"])(?:https?:)?//", text), style


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Addresses]) -> None:
    """Links within the site have their file and their anchor; the leaderboard is beside it."""
    for path, page in pages.items():
        for address in page.linked:
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or target == site / "board" / "index.html":
                continue
            assert target.is_file(), (path, address)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].names, (path, address)
    assert "board/index.html" in pages[site / "index.html"].linked
    assert "../board/index.html" in pages[site / "api" / "method.html"].linked


def test_the_reference_tells_shapes_and_errors(site: Path) -> None:
    """Docstrings are there with their errors, data classes with the comments of their fields."""
    contract = (site / "api" / "method.html").read_text(encoding="utf-8")
    assert "(B, 3, H, W) uint8" in re.sub(r"<[^>]+>", "", contract)
    objective = (site / "api" / "blocks.html").read_text(encoding="utf-8")
    assert "Raises" in objective


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_window_and_ask_for_nothing(
    width: int, site: Path, browser: playwright.Browser
) -> None:
    """No page is wider than the window, logs an error, or asks for more than files of the site."""
    problems: list[str] = []
    inside = site.as_uri()
    with browser.new_context(offline=True, viewport={"width": width, "height": 900}) as context:
        context.on("request", lambda one: one.url.startswith(inside) or problems.append(one.url))
        context.on("console", lambda one: one.type != "error" or problems.append(one.text))
        page = context.new_page()
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri())
            if (beyond := page.evaluate(BEYOND)) > 0:
                problems.append(f"{path.name} is {beyond} pixels too wide")
    assert not problems
