from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest

from harness.files import write_json
from harness.results import HIGHLIGHTS
from leaderboard.build import build_site
from leaderboard.method.highlights import highlight_section
from leaderboard.method.patch_maps import draw_veil, where_strongest
from leaderboard.method.views import HighlightSection
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site
from leaderboard.typography import MINUS

from .windows import resize

MAP = [[0.0, 0.25, 0.25], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
PART = {"start": 2, "stop": 9, "maps": {"forward attention": MAP, "both ways": MAP}}
EXAMPLE = {"caption": 5, "image": 3, "highlights": [PART]}


@pytest.fixture
def looked(results: Path, add_answers: Callable[..., Path]) -> Path:
    """Return the folder of a run beside another one's."""
    add_answers("weak", 0.6)
    return add_answers("strong", 1.5)


def section_of(run: Path, found: Any) -> HighlightSection | None:
    """Return what a page shows where a run left something."""
    write_json(run / HIGHLIGHTS, found)
    contest = load_site(run.parents[4], FOLDER).contests["demo/paperdolls"]
    return highlight_section(contest, "strong", "demo-paperdolls")


def test_a_veil_is_thin_where_a_patch_weighs() -> None:
    """Nothing over the largest weight, the darkest over zero, each patch covered once."""
    veil = draw_veil(MAP, 'about "it"')
    assert 'viewBox="0 0 3 3"' in veil
    assert 'aria-label="about &#34;it&#34;"' in veil
    opacity = {}
    for value, path in re.findall(r'fill-opacity="([\d.]+)" d="([^"]+)"', veil):
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
            for column in range(int(x), int(x) + int(width)):
                assert (int(y), column) not in opacity
                opacity[int(y), column] = float(value)
    assert (1, 0) not in opacity
    expected = {(y, x): 0.85 * (1 - MAP[y][x]) for y in range(3) for x in range(3)}
    del expected[1, 0]
    assert opacity == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "upper left"), (2, 2, "middle centre"), (5, 4, "lower right")],
)
def test_the_strongest_part_is_named(row: int, column: int, words: str) -> None:
    """In thirds of the height and the width."""
    weights = [[float((y, x) == (row, column)) for x in range(5)] for y in range(6)]
    assert where_strongest(weights) == f"strongest {words}"
    assert where_strongest([[0.0]]) == "nowhere"


def test_a_page_shows_words_image_and_maps(
    looked: Path,
    add_digest: Callable[..., Path],
    tmp_path: Path,
    open_page: Callable[..., playwright.Page],
) -> None:
    """Each map lies on a picture that was loaded, with its words below and no other over it."""
    add_digest()
    many = {**EXAMPLE, "highlights": [PART] * 8}
    write_json(looked / HIGHLIGHTS, {"examples": [many]})
    site = build_site(looked.parents[4], tmp_path / "site").parent
    page = open_page(site / "methods/strong.html")
    page.get_by_role("link", name="Where it looks").click()
    figure = page.locator(".looks figure").nth(1)
    assert figure.inner_text().strip() == "caption"
    veils = figure.locator("svg")
    assert [veil.get_attribute("aria-label") for veil in veils.all()] == [
        "forward attention: strongest middle left",
        "both ways: strongest middle left",
    ]
    veils.first.scroll_into_view_if_needed()
    image = figure.locator("img").first
    page.wait_for_function("document.querySelector('.looks figure img').naturalWidth > 0")
    assert image.bounding_box() == veils.first.bounding_box()
    assert "from left to right forward attention and both ways" in page.content()
    for width in (1440, 1000, 390):
        resize(page, width)
        shown = [one.bounding_box() for one in page.locator(".looks .looked").all()]
        assert len(shown) == 17  # the image itself, and two maps of each word
        assert not any(overlap(one, other) for one, other in combinations(shown, 2)), width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def overlap(one: Any, other: Any) -> bool:
    """Tell whether two boxes cover a pixel together."""
    return all(
        one[at] < other[at] + other[size] - 1 and other[at] < one[at] + one[size] - 1
        for at, size in (("x", "width"), ("y", "height"))
    )


def test_words_stand_with_their_similarity(looked: Path, add_digest: Callable[..., Path]) -> None:
    """As cosines, with bars that are shares of the largest; a negative one has none."""
    add_digest()
    values = [0.25, 0.5, -0.125, "x", None, 3.0, True]
    words = [{"start": 2, "stop": 9, "maps": {}, "similarity": value} for value in values]
    section = section_of(looked, {"examples": [{**EXAMPLE, "highlights": words}]})
    assert section is not None
    (caption,) = section.captions
    assert caption.parts == ()
    assert [(one.word, one.similarity, one.share) for one in caption.words] == [
        ("caption", "0.25", "0.50"),
        ("caption", "0.50", "1.00"),
        ("caption", f"{MINUS}0.12", "0.00"),
    ]
    assert "The taller its bar" in section.about
    assert "brighter" not in section.about


def test_what_may_not_be_shown_is_not(looked: Path, add_digest: Callable[..., Path]) -> None:
    """Without captions and images numbers stand for them; the maps remain."""
    add_digest(shown=False)
    section = section_of(looked, {"examples": [EXAMPLE]})
    assert section is not None
    (caption,) = section.captions
    assert (caption.title, caption.file) == ("Query 5", "")
    assert caption.parts[0].words == "characters 2 to 9"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"caption": 10**6},
        {"caption": -1},
        {"caption": True},
        {"image": "3"},
        {"highlights": "many"},
        {"highlights": [{**PART, "start": 9}]},
        {"highlights": [{**PART, "stop": None}]},
        {"highlights": [{**PART, "start": 4000, "stop": 4001}]},
        {"highlights": [{**PART, "maps": []}]},
        {"highlights": [{**PART, "maps": {"x": [[1.0], [1.0, 0.0]]}}]},
        {"highlights": [{**PART, "maps": {"x": [[2.0]]}}]},
        {"highlights": [{**PART, "maps": {"x": [[float("nan")]]}}]},
        {"highlights": [{**PART, "maps": {"x": [[0.5] * 65]}}]},
        {"highlights": [{**PART, "maps": {"x": [["<b>"]]}}]},
    ],
)
def test_a_spoilt_example_is_left_out(
    looked: Path, add_digest: Callable[..., Path], spoilt: dict[str, Any]
) -> None:
    """Results may come from anyone: what is not as a run writes it is not drawn."""
    add_digest()
    section = section_of(looked, {"examples": [{**EXAMPLE, **spoilt}, EXAMPLE, 7]})
    assert section is not None
    assert len(section.captions) == 1


@pytest.mark.parametrize("found", [[], {"examples": []}, {"examples": 3}, {"error": "x"}, "x"])
def test_nothing_to_show_makes_no_section(
    looked: Path, add_digest: Callable[..., Path], found: Any
) -> None:
    """Whatever stands in the file."""
    add_digest()
    assert section_of(looked, found) is None


def test_why_nothing_was_drawn_is_said(looked: Path, add_digest: Callable[..., Path]) -> None:
    """The kind and the message of the error."""
    add_digest()
    section = section_of(looked, {"error": {"kind": "OSError", "message": "no <b>eyes</b>"}})
    assert section is not None
    assert section.error == "OSError: no <b>eyes</b>"
