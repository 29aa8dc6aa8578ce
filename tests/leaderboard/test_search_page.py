"""The page of a search, in a real browser."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pytest
from PIL import Image

from harness.search.hits import Answer, Asked, Hit
from leaderboard.search_page import write_search_page
from leaderboard.site.folder import MARKER

from .windows import windows

NAMES = (
    "plain.jpg",
    "deep/er/two words.jpg",
    "<script>window.obeyed = 1</script>.jpg",
    "\"><img src=x onerror='window.obeyed = 1'>.jpg",
    "question?and#mark %41.jpg",
    "line\nbreak\x1b[31m.jpg",
    "\u202egpj.drawkcab",
    "\udcff\udcfe no text.jpg",
    "x" * 200 + ".jpg",
    "javascript:window.obeyed=1",
)
TEXTS = (
    "a man in a red jacket",
    "</style></title><script>window.obeyed = 1</script>",
    "{{ 1 }} {% raw %} \u202e \ud800 & " + "long " * 100,
)
BEYOND = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def asked(folder: Path | None, **fields: Any) -> Asked:
    """Return who was asked."""
    values: dict[str, Any] = {
        "run": "irra:+SDM seed 1", "title": "IRRA <b>", "trained_on": "PaperDolls", "drawn": True,
        "mean_average_precision": 53.47, "gallery": "photos </dd>", "folder": folder,
        "images": 1500,
    }  # fmt: skip
    return Asked(**(values | fields))


def thumbnail(row: int) -> bytes | None:
    """Return a picture, but none of the third image."""
    file = io.BytesIO()
    size = (96, 192) if row % 2 else (300, 100)
    Image.new("RGB", size, (40 * row % 256, 90, 60)).save(file, "JPEG")
    return None if row == 2 else file.getvalue()


def answer(text: str, names: tuple[str, ...] = NAMES) -> Answer:
    """Return an answer with an image of each name."""
    hits = (Hit(n, n - 1, name, 0.9 - n / 20, n < 3) for n, name in enumerate(names, start=1))
    return Answer(text, tuple(hits))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that `open_page` takes for a site, with images beside the page."""
    (tmp_path / MARKER).touch()
    for name in NAMES:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        if "<" not in name:  # a name with a slash in it is a folder, too
            (tmp_path / "photos" / name).touch()
    return tmp_path


@pytest.fixture
def page(site: Path) -> Path:
    """A page with every name and text that could do harm."""
    answers = [answer(text) for text in TEXTS]
    return write_search_page(asked(site / "photos"), answers, thumbnail, site / "search.html")


@windows(1280)
def test_the_page_has_no_barrier(
    width: int, dark: bool, page: Path, open_page: Callable[..., Any],
    find_barriers: Callable[..., list[str]],
) -> None:  # fmt: skip
    """Neither for a screen reader nor on a phone: nothing scrolls sideways, nothing is loaded."""
    opened = open_page(page, width=width, dark=dark)
    assert find_barriers(opened) == []
    assert opened.evaluate(BEYOND) <= 0
    assert opened.evaluate("window.obeyed") is None


def test_texts_and_names_are_shown_as_they_are(page: Path, open_page: Callable[..., Any]) -> None:
    """Whatever they hold is text; what cannot be shown is replaced."""
    opened = open_page(page)
    headings = opened.locator("h2").all_text_contents()
    assert headings[:2] == list(TEXTS[:2])
    assert headings[2].startswith("{{ 1 }} {% raw %} \ufffd \ufffd & long")
    names = opened.locator("section:first-of-type .name").all_text_contents()
    assert names[:5] == list(NAMES[:5])
    assert "\x1b" not in opened.content()
    assert opened.locator("script, iframe, [onerror]").count() == 0


def test_images_are_drawn_and_ranked(page: Path, open_page: Callable[..., Any]) -> None:
    """Each has its rank and cosine for a screen reader too; one without picture says so."""
    opened = open_page(page)
    shots = opened.locator("section:first-of-type li")
    assert shots.count() == len(NAMES)
    assert "Rank 1 cosine 0.850 second look" in " ".join(shots.nth(0).text_content().split())
    assert "second look" not in shots.nth(4).text_content()
    drawn = opened.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(drawn) == 3 * (len(NAMES) - 1)
    assert all(drawn)
    assert "not shown" in shots.nth(2).text_content()


def test_images_are_linked_by_their_place_beside_the_page(
    page: Path, site: Path, open_page: Callable[..., Any]
) -> None:
    """Each link leads to its file, whatever the name holds, and tells nothing of folders above."""
    opened = open_page(page)
    links = opened.locator("section:first-of-type li a")
    written = links.evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert all(one.startswith("./photos/") for one in written)
    resolved = links.evaluate_all("all => all.map(one => one.href)")
    for name, address in zip(NAMES, resolved, strict=True):
        assert not urlsplit(address).query + urlsplit(address).fragment
        path = Path(os.fsdecode(unquote_to_bytes(urlsplit(address).path)))
        assert path == site / "photos" / name
    assert str(site) not in page.read_text(encoding="utf-8")
    assert unquote(written[4]) == f"./photos/{NAMES[4]}"


def test_the_page_says_what_was_asked(
    page: Path, site: Path, open_page: Callable[..., Any]
) -> None:
    """Method, run, figure and gallery stand on it, and that drawn people taught it."""
    opened = open_page(page)
    shown = " ".join(opened.text_content("body").split())
    assert "What IRRA <b> finds in 1,500 images of photos </dd>." in shown
    assert "irra:+SDM seed 1" in shown
    assert "PaperDolls (drawn people), mAP 53.47 % on its test split" in shown
    assert "people drawn by a program" in shown
    split = asked(None, gallery="the test split of PaperDolls")
    other = write_search_page(split, [answer("red", ("a", "b"))], thumbnail, site / "other.html")
    opened = open_page(other)
    assert "people drawn by a program" not in opened.text_content("body")
    assert opened.locator("li a").count() == 0
    assert opened.title().startswith("red")


def test_keys_reach_every_image(page: Path, open_page: Callable[..., Any]) -> None:
    """The first key leads past the head of the page, the next ones from image to image."""
    opened = open_page(page)
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    assert opened.evaluate(
        "document.activeElement.closest('li').querySelector('.name').textContent"
    )


def test_other_files_are_not_replaced(site: Path) -> None:
    """A page of ours is, at once; a file or a folder of someone else is refused."""
    out = site / "new" / "search.html"
    for text in ("red", "blue"):
        write_search_page(asked(None), [answer(text, ("a",))], thumbnail, out)
        assert f">{text}</h2>" in out.read_text(encoding="utf-8")
    assert list(out.parent.iterdir()) == [out]
    notes = site / "notes.html"
    notes.write_text("<p>mine</p>")
    for taken in (notes, site / "photos"):
        with pytest.raises(FileExistsError, match="no page of a search"):
            write_search_page(asked(None), [answer("red", ("a",))], thumbnail, taken)
    assert notes.read_text() == "<p>mine</p>"
