from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pytest
from PIL import Image
from playwright.sync_api import expect

from harness.files import read_table, write_table
from harness.results import load_runs
from leaderboard.build import build_site
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site
from leaderboard.strips.exhibits import find_exhibits
from leaderboard.strips.retrieved import NOTHING, read_retrieved
from leaderboard.strips.section import all_fail, spread_out, strip_section

from .windows import RARE

GROUND = "demo-paperdolls"
SECRET = "A caption that nobody may read"


@pytest.fixture
def answered(results: Path, add_answers: Callable[..., Path]) -> Path:
    """Return results of two methods with two seeds."""
    for seed in range(2):
        add_answers("weak", 0.6, seed=seed)
        add_answers("strong", 1.5, seed=seed)
    return results


@pytest.fixture
def open_strips(
    tmp_path: Path, open_page: Callable[..., playwright.Page]
) -> Callable[..., playwright.Page]:
    """Return a function that builds a site and opens the page of its stronger method."""

    def build(results: Path, **how: Any) -> playwright.Page:
        site = build_site(results, tmp_path / "site").parent
        return open_page(site / "methods/strong.html", **how)

    return build


def section_of(results: Path, method: str) -> Any:
    """Return the strips of a method."""
    contest = load_site(results, FOLDER).contests["demo/paperdolls"]
    return strip_section(contest, method, GROUND)


def shown_queries(page: playwright.Page) -> list[str]:
    """Return what stands above the strips."""
    return page.locator(".strip .query").all_inner_texts()


def test_right_and_wrong_are_those_of_the_stored_ranks(answered: Path) -> None:
    """An image is right exactly where its rank is among the stored ranks of right images."""
    for run in load_runs(answered):
        retrieved = read_retrieved(run)
        assert retrieved
        for query, row in enumerate(run.queries()):
            ranks = [rank + 1 for rank in np.flatnonzero(retrieved.right[query])]
            assert ranks == [rank for rank in row["hit_ranks"] if rank <= 10]
            assert retrieved.rows[query].tolist() == row["top_rows"]
            assert retrieved.first[query] == row["first_hit"]


def test_a_small_gallery_leaves_places_empty(answered: Path) -> None:
    """Where a query has fewer than ten images, the rest is nothing, not the first image."""
    run = next(load_runs(answered))
    path = run.path / "evaluations/text-to-image/queries.parquet"
    rows = read_table(path)
    rows[0] |= {"top_rows": [5, 3], "hit_ranks": [2], "first_hit": 2}
    write_table(path, {name: [row[name] for row in rows] for name in rows[0]})
    retrieved = read_retrieved(run)
    assert retrieved
    assert retrieved.rows[0].tolist() == [5, 3, *[NOTHING] * 8]
    assert np.flatnonzero(retrieved.right[0]).tolist() == [1]


@pytest.mark.parametrize(
    "spoilt", [{"first_hit": 3}, {"hit_ranks": []}, {"top_rows": [-7] * 10}, {"top_rows": []}]
)
def test_a_table_that_contradicts_itself_is_not_shown(
    answered: Path, spoilt: dict[str, Any]
) -> None:
    """Where ranks and first hit disagree, or rows cannot be, there are no strips."""
    run = next(load_runs(answered))
    path = run.path / "evaluations/text-to-image/queries.parquet"
    rows = read_table(path)
    hit = next(row for row in rows if row["first_hit"] == 1)
    for row in rows if "top_rows" in spoilt else [hit]:
        row |= spoilt
    write_table(path, {name: [row[name] for row in rows] for name in rows[0]})
    assert read_retrieved(run) is None


@pytest.mark.parametrize("spoilt", [None, {"top_rows": [["a"]]}, {"hit_ranks": [1.5]}])
def test_a_table_of_another_kind_is_not_shown(answered: Path, spoilt: Any) -> None:
    """A file that is no table, or whose columns are missing or of other types, gives nothing."""
    run = next(load_runs(answered))
    path = run.path / "evaluations/text-to-image/queries.parquet"
    if spoilt is None:
        path.write_bytes(b"no table")
    else:
        write_table(path, {"first_hit": [1], "hit_ranks": [[1]], "top_rows": [[1]], **spoilt})
    assert read_retrieved(run) is None


def test_examples_are_three_hits_and_three_misses(
    answered: Path, add_digest: Callable[..., Path]
) -> None:
    """They are the same every time, evenly spaced, and their first image says which they are."""
    add_digest()
    section = section_of(answered, "strong")
    first = [strip.shots[0].right for strip in section.examples]
    assert first == [True] * 3 + [False] * 3
    assert section == section_of(answered, "strong")
    numbers = [int(strip.about.split(",")[0].removeprefix("query ")) for strip in section.examples]
    assert numbers[:3] == sorted(numbers[:3])
    assert numbers[2] - numbers[0] > 20


@pytest.mark.parametrize(
    ("count", "found"), [(0, []), (1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (9, [1, 4, 7])]
)
def test_few_queries_are_all_chosen(count: int, found: list[int]) -> None:
    """No query is chosen twice, and of many they stand in the middle of equal parts."""
    assert spread_out(np.ones(count, bool), 3) == found


def test_all_methods_fail_where_none_has_the_person_first(answered: Path) -> None:
    """One seed of one method that has the person first is enough for not all to fail."""
    contest = load_site(answered, FOLDER).contests["demo/paperdolls"]
    tables = [run.queries() for run in load_runs(answered)]
    expected = [all(row["first_hit"] > 1 for row in rows) for rows in zip(*tables, strict=True)]
    assert all_fail(contest).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_a_digest_of_other_people_is_not_shown(
    answered: Path, add_digest: Callable[..., Path]
) -> None:
    """Pictures of another gallery never stand beside these answers."""
    path = add_digest() / "queries.parquet"
    rows = read_table(path)
    rows[0]["person_id"] += 1
    write_table(path, {name: [row[name] for row in rows] for name in rows[0]})
    section = section_of(answered, "strong")
    assert all(not shot.file for strip in section.examples for shot in strip.shots)
    assert section.examples[0].title.startswith("Query ")
    assert "do not hold the captions and images" in section.about


def test_only_a_small_jpeg_is_a_thumbnail(
    answered: Path, add_digest: Callable[..., Path], tmp_path: Path
) -> None:
    """Bytes of another kind, or too many of them, are left out; their ids stand there."""
    path = add_digest() / "gallery.parquet"
    rows = read_table(path)
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    kept = rows[3]["thumbnail"]
    wrong = (b"<script>alert(1)</script>", picture.getvalue(), kept + bytes(1 << 16))
    for row, content in zip(rows, wrong, strict=False):
        row["thumbnail"] = content
    write_table(path, {name: [row[name] for row in rows] for name in rows[0]})
    exhibits = find_exhibits(load_site(answered, FOLDER).contests["demo/paperdolls"])
    assert exhibits
    assert exhibits.gallery
    assert sorted(exhibits.gallery.thumbnails) == list(range(3, len(rows)))
    folder = build_site(answered, tmp_path / "site").parent / "thumbnails" / GROUND
    assert {file.read_bytes() for file in folder.iterdir()} == {kept}


@pytest.mark.parametrize("told", [True, False])
def test_what_may_not_be_shown_is_nowhere_in_the_site(
    told: bool, answered: Path, add_digest: Callable[..., Path], tmp_path: Path,
    open_page: Callable[..., playwright.Page],
) -> None:  # fmt: skip
    """No caption and no picture of a withheld dataset is in any file, even where results hold it.

    Ids stand in place of pictures, and the page says why.
    """
    path = add_digest(shown=not told, captions=[SECRET] * 96)
    if not told:
        about = path / "about.json"
        about.write_text(about.read_text().replace('"shown": true', '"shown": false'))
    site = build_site(answered, tmp_path / "site").parent
    for file in site.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert SECRET.encode() not in content, file
            assert not content.startswith(b"\xff\xd8"), file
            assert b";base64," not in content, file
    page = open_page(site / "methods/strong.html")
    assert page.locator("img").count() == 0
    assert page.locator(".strip .retrieved").first.inner_text().startswith("Rank 1, right: image")
    assert "image-" in page.locator(".image-id").first.inner_text()
    assert "may not be shown here" in page.locator("main").inner_text()
    page.get_by_label("All 96").check()
    expect(page.locator(".strip .query").first).to_have_text("Query 0")
    assert page.locator("img").count() == 0


def test_nothing_is_loaded_before_it_is_asked_for(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """A page that was only opened has loaded no data, and pictures only load when scrolled to."""
    add_digest()
    page = open_strips(answered)
    assert page.locator("script[src*='/data/']").count() == 0
    assert set(page.locator(".strip img").evaluate_all("all => all.map((i) => i.loading)")) == {
        "lazy"
    }
    page.get_by_label("Misses").check()
    expect(page.locator(".strips .status")).to_contain_text("of 96 queries")
    assert page.locator("script[src*='/data/']").count() == 4


def test_filters_show_what_they_say(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """Hits have a right image first, misses none, and counts are those of the labels."""
    add_digest()
    page = open_strips(answered)
    first = page.locator(".strip .retrieved:first-child")
    for label, kind in {"Hits": "right", "Misses": "wrong", "All methods fail": "wrong"}.items():
        page.get_by_label(label).check()
        count = page.locator("label", has_text=label).locator(".quiet").inner_text()
        expect(page.locator(".strips .status")).to_have_text(f"{count} of 96 queries")
        assert first.count() == min(10, int(count))
        classes = first.evaluate_all("all => all.map((one) => one.className)")
        assert set(classes) == {f"retrieved {kind}"}
        alts = page.locator(".strip .retrieved:first-child img").evaluate_all(
            "all => all.map((i) => i.alt)"
        )
        assert all(alt.startswith(f"Rank 1, {kind}: image image-") for alt in alts)


def test_search_finds_words_of_captions(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """All words must occur, in any order and case; without a match the page says so."""
    add_digest(captions=["A man in RED trousers", "A woman with a red bag", "Blue trousers"])
    page = open_strips(answered)
    page.get_by_label("Search captions").fill("trousers red")
    expect(page.locator(".strips .status")).to_have_text("1 of 96 queries")
    assert shown_queries(page) == ["A man in RED trousers"]
    page.get_by_label("Search captions").fill("<b>")
    expect(page.locator(".strips .status")).to_have_text("0 of 96 queries")
    assert shown_queries(page) == []


def test_pages_of_strips_are_in_the_address(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """Turning a page is a step that the browser undoes, and a link opens the same page."""
    add_digest()
    page = open_strips(answered, anchor=f"strips={GROUND}&show=all&page=2")
    expect(page.locator(".pager .place")).to_have_text("Page 2 of 10")
    second = shown_queries(page)
    assert second[0] == "A caption of number 10"
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pager .place")).to_have_text("Page 3 of 10")
    assert "page=3" in page.url
    page.go_back()
    expect(page.locator(".pager .place")).to_have_text("Page 2 of 10")
    assert shown_queries(page) == second
    page.get_by_label("Examples").check()
    assert len(shown_queries(page)) == 6


@pytest.mark.parametrize(
    "state", ["show=toString", "show=all&page=1e9", "show=all&page=%00&text=%"]
)
def test_a_spoilt_address_does_no_harm(
    state: str, answered: Path, add_digest: Callable[..., Path],
    open_strips: Callable[..., playwright.Page],
) -> None:  # fmt: skip
    """What an address asks for and cannot be is passed over."""
    add_digest()
    page = open_strips(answered, anchor=f"strips={GROUND}&{state}")
    page.get_by_label("All 96").check()
    page.get_by_label("Search captions").fill("")
    expect(page.locator(".strips .status")).to_have_text("96 of 96 queries")


def test_hostile_captions_and_ids_are_texts(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """A caption or an id that holds markup is shown, in the page itself and by its script."""
    hostile = "</script><img src=x onerror='window.broken = 1'>\u202e\"'"
    path = add_digest(captions=[hostile] * 96) / "gallery.parquet"
    rows = read_table(path)
    write_table(
        path,
        {name: [row[name] for row in rows] for name in rows[0]}
        | {"image_id": [f"{hostile}{row}" for row in range(len(rows))]},
    )
    page = open_strips(answered)
    shown = hostile.replace("\u202e", "\ufffd")
    for label in ("Examples", "All 96"):
        page.get_by_label(label).check()
        expect(page.locator(".strip .query").first).to_have_text(shown)
        assert shown in str(page.locator(".strip img").first.get_attribute("alt"))
    assert page.evaluate("window.broken") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(
    ("shown", "dark"),
    [
        (True, False),
        (False, True),
        pytest.param(True, True, marks=RARE),
        pytest.param(False, False, marks=RARE),
    ],
)
def test_no_barriers(
    shown: bool, dark: bool, answered: Path, add_digest: Callable[..., Path],
    open_strips: Callable[..., playwright.Page],
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """Axe finds nothing serious in the strips, with pictures or ids."""
    add_digest(shown=shown)
    page = open_strips(answered, dark=dark)
    page.get_by_label("All 96").check()
    expect(page.locator(".strips .status")).to_have_text("96 of 96 queries")
    assert [one for one in find_barriers(page) if "strip" in one or "retrieved" in one] == []


@pytest.mark.parametrize("shown", [True, False])
def test_a_phone_needs_no_sideways_scrolling(
    shown: bool, answered: Path, add_digest: Callable[..., Path],
    open_strips: Callable[..., playwright.Page],
) -> None:  # fmt: skip
    """Ten images, or their ids, fit a screen of 390 px in two rows."""
    add_digest(shown=shown)
    page = open_strips(answered, width=390)
    for strip in page.locator(".shots").all():
        box = strip.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 390
        assert strip.evaluate("(one) => one.scrollWidth <= one.clientWidth")


def test_without_scripts_the_examples_stay(
    answered: Path, add_digest: Callable[..., Path], open_strips: Callable[..., playwright.Page]
) -> None:
    """Six strips stand in the page itself, and no filter that would do nothing."""
    add_digest()
    page = open_strips(answered, scripts=False)
    assert page.locator(".strip").count() == 6
    assert not page.locator(".strip-filter").is_visible()
