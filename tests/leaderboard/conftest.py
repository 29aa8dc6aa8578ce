from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import playwright.sync_api as playwright
import pytest
from axe_playwright_python.sync_playwright import Axe

from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site

from . import recorder as finished
from .windows import Windows, opening

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Page(HTMLParser):
    """A parsed page; parsing fails where a tag is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def attributes(self, name: str) -> list[str]:
        """Return the values of an attribute wherever it stands."""
        return [values[name] for _, values in self.elements if name in values]

    def row(self, label: str) -> list[str]:
        """Return the cells of the only row that has a cell with this text."""
        (found,) = [row for row in self.rows if label in row]
        return found


@pytest.fixture
def read_page() -> Callable[[Path], Page]:
    """Return a reader of HTML files."""
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def write_pages(results: Path, tmp_path: Path) -> Callable[..., dict[str, Page]]:
    """Return a function that writes the pages of some packages, and parses them by name."""

    def write(*packages: ModuleType) -> dict[str, Page]:
        site, folder = load_site(results, FOLDER), tmp_path / "site"
        makers = [render.make_assets, *(package.make_files for package in packages)]
        write_site({name: text for make in makers for name, text in make(site).items()}, folder)
        return {path.stem: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}

    return write


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return the path of a results folder that is still empty."""
    return tmp_path / "results"


@pytest.fixture
def recorder(results: Path) -> finished.Recorder:
    """Return what adds to the results."""
    return finished.Recorder(results)


@pytest.fixture
def add_run(recorder: finished.Recorder) -> Callable[..., Path]:
    """Return a function that finishes a run; keyword arguments replace fields of its record."""
    return recorder.add_run


@pytest.fixture
def add_answers(recorder: finished.Recorder) -> Callable[..., Path]:
    """Return a function that finishes a run with what it retrieved for every query."""
    return recorder.add_answers


@pytest.fixture
def add_digest(recorder: finished.Recorder) -> Callable[..., Path]:
    """Return a function that writes the digest of the split that is answered about."""
    return recorder.add_digest


@pytest.fixture
def add_reranking() -> Callable[..., Path]:
    """Return a function that adds a re-ranking to the folder of a run."""
    return finished.add_reranking


@pytest.fixture
def add_queries() -> Callable[..., Path]:
    """Return a function that adds answers to other queries to the folder of a run."""
    return finished.add_queries


@pytest.fixture
def small_results(recorder: finished.Recorder) -> Path:
    """Return results of three methods on drawn data: seeds, an ablation and a failed run."""
    recorder.add_small()
    return recorder.results


@pytest.fixture(scope="session")
def windows(browser: playwright.Browser) -> Windows:
    """Return the windows that the tests of a process share."""
    return Windows(browser)


@pytest.fixture
def open_page(windows: Windows) -> Iterator[Callable[..., playwright.Page]]:
    """Return a function that opens a page of a built site from its file.

    The test fails at its end where a page logged an error, raised one, or asked for anything but
    files of its own site. `scripts=False` opens the page in a browser that runs none.
    """
    with opening(windows) as open_file:
        yield open_file


@pytest.fixture(scope="session")
def find_barriers() -> Callable[[playwright.Page], list[str]]:
    """Return a function that names what axe-core finds serious or critical on a page."""
    axe = Axe()

    def find(page: playwright.Page) -> list[str]:
        # Preloading would ask for style sheets in a way that the content policy forbids; what
        # passes, told element by element, takes as long as the rest.
        options = {"preload": False, "resultTypes": ["violations"]}
        found = axe.run(page, options=options).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    return find
