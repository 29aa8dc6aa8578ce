from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pytest

from leaderboard.site.folder import write_site
from leaderboard.site.scripts_data import data_file, data_script, pack, pack_flags
from leaderboard.typography import printable

HOSTILE = (
    "</script><script>window.broken = 1</script>",
    "<!--<script>",
    "]]>&amp;&lt;",
    "line\u2028and\u2029paragraph",
    "\"'`${window.broken = 1}\\",
    "\\u003c/script\\u003e",
    "\ud800 half a pair",
    "a\x00b\x1b[31m\u202egnp.exe",
    "שלום",
    "__proto__",
)
LOADER = Path(__file__).parents[2] / "leaderboard/static/data.js"


@pytest.fixture
def open_html(
    tmp_path: Path, open_page: Callable[..., playwright.Page]
) -> Callable[..., playwright.Page]:
    """Return a function that opens a page with a body, beside other files of a site."""

    def open_body(body: str, files: Mapping[str, str] | None = None) -> playwright.Page:
        head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Data</title>'
        write_site({"page.html": head + body, **(files or {})}, tmp_path / "site")
        return open_page(tmp_path / "site/page.html")

    return open_body


@pytest.fixture
def run_inline(open_html: Callable[..., playwright.Page]) -> Callable[[str], playwright.Page]:
    """Return a function that runs a data script which stands in the page itself."""
    taker = "<script>let given; function leaderboardData(name, value) { given = value; }</script>"
    return lambda script: open_html(f"{taker}<script>{script}</script>")


@pytest.fixture
def unpack(open_html: Callable[..., playwright.Page]) -> Callable[[Any, str], Any]:
    """Return a function that loads packed numbers as the pages do and unpacks them there."""

    def load(packed: str, call: str) -> Any:
        files = {
            "assets/data.js": LOADER.read_text(),
            data_file("a b/x"): data_script("a b/x", packed),
        }
        page = open_html('<script src="assets/data.js"></script>', files)
        return page.evaluate(f"leaderboard.load('a b/x').then((text) => [...leaderboard.{call}])")

    return load


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_arrives_as_a_text_even_inside_a_page(
    text: str, run_inline: Callable[[str], playwright.Page]
) -> None:
    """Whatever a text holds, it ends no script, runs nothing, and arrives as it is shown."""
    page = run_inline(data_script("x", [text, {text: text}]))
    assert page.evaluate("given[0]") == printable(text)
    assert page.evaluate("Object.keys(given[1]).length") == 1
    assert page.evaluate("Object.values(given[1])") == [printable(text)]
    assert page.evaluate("window.broken") is None
    assert page.locator("script").count() == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_a_script_holds_no_markup(text: str) -> None:
    """No sign that is markup, an odd line's end or outside ASCII stands in a script."""
    script = data_script(text, {text: text})
    assert script.isascii()
    assert not set(script) & set("<>&")


def test_values_of_json_arrive_unchanged(run_inline: Callable[[str], playwright.Page]) -> None:
    """Numbers, lists, truth values and None are what they were."""
    value = {"numbers": [0, -1, 2.5, 1e-9], "none": None, "truth": [True, False], "empty": {}}
    assert run_inline(data_script("x", value)).evaluate("given") == value


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_is_no_number_is_refused(value: Any) -> None:
    """NaN and infinity, which JSON has not, do not reach a page."""
    with pytest.raises(ValueError, match="Out of range"):
        data_script("x", value)


def test_a_file_is_named_for_its_data() -> None:
    """The page's script finds data by their name."""
    assert data_file("ground/entries/a") == "data/ground/entries/a.js"


@pytest.mark.parametrize(("kind", "largest"), [("u1", 255), ("u2", 65535), ("u4", 2**32 - 1)])
def test_packed_numbers_are_unpacked_in_the_browser(
    kind: str, largest: int, unpack: Callable[[Any, str], Any]
) -> None:
    """Every number of a kind's range comes back as it was."""
    numbers = np.linspace(0, largest, 400).astype(np.int64)
    assert unpack(pack(numbers, kind), f"unpack(text, '{kind}')") == numbers.tolist()


@pytest.mark.parametrize(("kind", "number"), [("u1", 256), ("u1", -1), ("u2", 65536)])
def test_a_number_that_does_not_fit_is_refused(kind: str, number: int) -> None:
    """No number wraps around."""
    with pytest.raises(ValueError, match="do not fit"):
        pack([0, number], kind)


@pytest.mark.parametrize("count", [0, 1, 8, 13])
def test_packed_flags_are_unpacked_in_the_browser(
    count: int, unpack: Callable[[Any, str], Any]
) -> None:
    """Truth values come back in their order, however many do not fill a byte."""
    flags = [row % 3 == 0 for row in range(count)]
    assert unpack(pack_flags(flags), f"unpackFlags(text, {count})") == flags
