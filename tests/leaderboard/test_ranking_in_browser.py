from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import playwright.sync_api as playwright
import pytest
from playwright.sync_api import expect

from harness.results import METRICS
from leaderboard import ranking
from leaderboard.ranking.differences import difference_decimals
from leaderboard.records.contest import difference
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import Site, load_site
from leaderboard.strips.names import entry_names
from leaderboard.typography import ABSENT, interval_end, probability, signed

from ..made_once import Make
from .recorder import Recorder, pages_once
from .windows import resize, windows

SKILLS = {"faint": 0.1, "weak": 1.2, "strong": 2.2, "equal": 2.25, "rival": 2.2}
SUPERVISION = {"faint": "none", "rival": "identity"}
SIZES = {"faint": 9_000_000, "weak": 1_000_000, "strong": 4_000_000, "equal": 2_000_000}

Page = playwright.Page


def answer(recorder: Recorder) -> None:
    """Finish runs of five methods on two datasets, and one of another that cannot be compared."""
    for seed in range(3):
        for method, skill in SKILLS.items():
            fields = {
                "supervision": SUPERVISION.get(method, "pairs"),
                "recipe": {"backbone": "tiny-albef" if method == "strong" else "tiny-clip"},
                "parameters": SIZES.get(method, 3_000_000),
            }
            recorder.add_answers(method, skill, seed=seed, **fields)
    for method in ("weak", "strong"):
        backbone = {"recipe": {"backbone": "tiny-albef" if method == "strong" else "tiny-clip"}}
        recorder.add_answers(method, SKILLS[method], dataset="second", **backbone)
    recorder.add_answers("short", 1.0)


def write(results: Path, folder: Path) -> tuple[Site, Path]:
    """Write the ranking page with its data, and nothing else."""
    site = load_site(results, FOLDER)
    write_site({**render.make_assets(site), **ranking.make_files(site)}, folder)
    return site, folder / "index.html"


@pytest.fixture(scope="session")
def written(once: Make) -> tuple[Site, Path]:
    """Return what the page of these methods is made from, and the page."""
    results, site = pages_once(once, "ranking", answer, write)
    return load_site(results, FOLDER), site / "index.html"


@pytest.fixture
def show(
    written: tuple[Site, Path], open_page: Callable[..., Page]
) -> Callable[..., tuple[Site, Page]]:
    """Return a function that opens the page, with a query if one is given."""

    def open_built(query: str = "", **how: Any) -> tuple[Site, Page]:
        site, path = written
        page = open_page(path, **how)
        if query:
            page.goto(f"{path.as_uri()}?{query}")
        return site, page

    return open_built


def names(page: Page) -> list[str]:
    """Return the ranked methods that are shown in the first table, from above."""
    rows = page.locator("table.ranking").first.locator("tbody:not(.apart) tr:visible")
    return rows.locator("th.pinned a").all_inner_texts()


def column(page: Page, key: str) -> list[str]:
    """Return the texts of a column of the first table, those for screen readers too."""
    table = page.locator("table.ranking").first
    keys = table.locator("thead th").evaluate_all("cells => cells.map(cell => cell.dataset.key)")
    cells = table.locator(f"tbody:not(.apart) tr:visible > :nth-child({keys.index(key) + 1})")
    return [" ".join(text.split()) for text in cells.all_text_contents()]


def header(page: Page, key: str) -> playwright.Locator:
    """Return a header of the first table."""
    return page.locator(f'table.ranking >> nth=0 >> th[data-key="{key}"]')


def sort_by(page: Page, key: str) -> None:
    """Click on a header of the first table."""
    header(page, key).get_by_role("button").click()


def query_of(page: Page) -> dict[str, str]:
    """Return what the address says of the view."""
    return {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}


def standings(site: Site, metric: str) -> list[Any]:
    """Return the standings by rank and then by mean."""
    family = site.contests["demo/paperdolls"].family(metric)
    assert family is not None
    return sorted(family.standings(), key=lambda one: (one.rank, -one.mean))


def title(standing: Any) -> str:
    """Return the title of the method of a standing."""
    return title_of(standing.name)


def title_of(name: str) -> str:
    """Return the title of a method by its name in a family."""
    return name.removesuffix("/full").upper()


def bars(page: Page) -> list[list[str]]:
    """Return what stands in each lane beside the ranks of the first table, by shown row."""
    rows = page.locator("table.ranking >> nth=0 >> tbody:not(.apart) tr:visible")
    return [
        row.locator(".bars i").evaluate_all("lanes => lanes.map(lane => lane.className)")
        for row in rows.all()
    ]


def test_without_scripts_the_tables_say_what_they_say(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """A browser that runs no script shows the ranking with its differences, and no control."""
    site, page = show(scripts=False)
    assert names(page) == [title(one) for one in standings(site, "r1")]
    assert column(page, "difference")[0] == "baseline"
    assert page.locator("form, input, select, button").count() == 0


def test_every_column_sorts_both_ways(show: Callable[..., tuple[Site, Page]]) -> None:
    """A click on a header sorts by it, another one turns the order around, and both are said."""
    _, page = show()
    for key in page.locator("table.ranking >> nth=0 >> th[data-key]").evaluate_all(
        "cells => cells.map(cell => cell.dataset.key)"
    ):
        if key != "rank":
            sort_by(page, key)
        first, order = names(page), header(page, key).get_attribute("aria-sort")
        sort_by(page, key)
        opposite = {"ascending": "descending", "descending": "ascending"}[order or ""]
        assert header(page, key).get_attribute("aria-sort") == opposite
        assert page.locator("table.ranking >> nth=0 >> [aria-sort]").count() == 1
        assert sorted(names(page)) == sorted(first)
        assert names(page) != first or key in ("seeds", "training")
    sort_by(page, "parameters")
    assert names(page) == ["WEAK", "EQUAL", "RIVAL", "STRONG", "FAINT"]
    sort_by(page, "parameters")
    assert names(page) == ["FAINT", "STRONG", "RIVAL", "EQUAL", "WEAK"]
    sort_by(page, "name")
    assert names(page) == sorted(name.upper() for name in SKILLS)


@pytest.mark.parametrize("metric", METRICS)
def test_the_metric_ranks_anew(metric: str, show: Callable[..., tuple[Site, Page]]) -> None:
    """The chosen metric stands first, and ranks, order, figure and words are those by it."""
    site, page = show()
    page.get_by_role("radio", name=METRICS[metric], exact=True).check()
    expected = standings(site, metric)
    assert names(page) == [title(one) for one in expected]
    assert [text[0] for text in column(page, "rank")] == [str(one.rank) for one in expected]
    family = site.contests["demo/paperdolls"].family(metric)
    assert family is not None
    groups = [{title_of(name) for name in group} for group in family.undecided()]
    for text, one in zip(column(page, "rank"), expected, strict=True):
        others = {o for group in groups if title(one) in group for o in group} - {title(one)}
        assert set(re.findall("[A-Z]+", text.partition("not told apart from")[2])) == others
    headers = page.locator("table.ranking >> nth=0 >> thead th")
    assert headers.nth(2).get_attribute("data-key") == metric
    assert headers.nth(3).get_attribute("data-key") == "difference"
    assert page.locator("caption >> nth=0 >> .by").inner_text() == METRICS[metric]
    expect(page.locator("svg.panel >> nth=0 >> .up")).to_have_text(f"{METRICS[metric]} (%)")
    answers = site.contests["demo/paperdolls"].answers
    for text, one in zip(column(page, metric), expected, strict=True):
        by_seed = answers[title(one).lower(), "full"].values[metric].mean(1)
        assert f"seeds {by_seed.min():.1f}{ABSENT}{by_seed.max():.1f}" in text
    heights = page.locator("svg.panel >> nth=0 >> circle").evaluate_all(
        "dots => dots.map(dot => [Number(dot.getAttribute('cy')), dot.parentNode.textContent])"
    )
    drawn = [words.split(":")[0] for _, words in sorted(heights)]
    means = sorted(expected, key=lambda one: -one.mean)
    assert drawn == [title(one) for one in means]


def test_every_difference_is_that_of_the_comparison(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """By any metric and to any baseline, the script writes what the tests in Python found."""
    site, page = show()
    contest = site.contests["demo/paperdolls"]
    for metric, printed in METRICS.items():
        family = contest.family(metric)
        assert family is not None
        decimals = difference_decimals(family)
        page.get_by_role("radio", name=printed, exact=True).check()
        for baseline in SKILLS:
            page.get_by_label("Difference to").select_option(baseline)
            expect(header(page, "difference")).to_contain_text(f"to {baseline.upper()}")
            expect(page.locator("caption >> nth=0")).to_contain_text(f", {baseline.upper()}, with")
            for name, text in zip(names(page), column(page, "difference"), strict=True):
                if name == baseline.upper():
                    assert text == "baseline"
                    continue
                found = difference(family, (name.lower(), "full"), (baseline, "full"))
                chance = "" if found.is_real else ", not told apart"
                p_value = probability(found.adjusted)
                assert text == (
                    f"{signed(found.difference, decimals)}{interval_end(found.low, decimals)} to "
                    f"{interval_end(found.high, decimals)}, {p_value}{chance}"
                )


def test_a_difference_that_may_be_chance_is_grey(show: Callable[..., tuple[Site, Page]]) -> None:
    """Its figures are in the quiet colour, those of a real one in ink."""
    _, page = show("baseline=strong")
    cells = page.locator("table.ranking >> nth=0 >> td.difference")
    expect(header(page, "difference")).to_contain_text("to STRONG")
    colours = {
        text.endswith("not told apart"): colour
        for text, colour in cells.evaluate_all(
            "cells => cells.map(cell => [cell.textContent, getComputedStyle(cell).color])"
        )
        if ", p " in text
    }
    assert len(set(colours.values())) == 2
    ink = page.locator("body").evaluate("body => getComputedStyle(body).color")
    assert colours[False] == ink


def test_a_baseline_that_did_not_run_here_is_said(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """On a dataset where the chosen baseline has no answers, no difference is shown."""
    _, page = show("baseline=equal")
    cells = page.locator("table.ranking >> nth=1 >> tbody:not(.apart) td.difference")
    expect(cells.first).to_have_text(ABSENT)
    expect(cells.last).to_have_text(ABSENT)


def test_filters_hide_rows_and_count_methods(show: Callable[..., tuple[Site, Page]]) -> None:
    """Name, supervision and backbone narrow the tables; counts say what each choice would leave."""
    _, page = show()
    status = page.locator("form output")
    expect(status).to_have_text("6 methods")
    supervision = page.get_by_label("Supervision")
    assert supervision.locator("option").all_inner_texts() == [
        "all (6)", "identity (1)", "none (1)", "pairs (4)",
    ]  # fmt: skip
    supervision.select_option("pairs")
    assert sorted(names(page)) == ["EQUAL", "STRONG", "WEAK"]
    expect(status).to_have_text("4 of 6 methods")
    page.get_by_label("Backbone").select_option("tiny-clip")
    assert sorted(names(page)) == ["EQUAL", "WEAK"]
    assert supervision.locator("option").all_inner_texts()[1:] == [
        "identity (1)", "none (1)", "pairs (3)",
    ]  # fmt: skip
    page.get_by_label("Find a method").fill("EAK")
    assert names(page) == ["WEAK"]
    drawn = page.locator(".panel a:not(.dim) title").all_text_contents()
    assert {text.split(":")[0] for text in drawn} == {"WEAK"}
    page.get_by_role("button", name="Reset").click()
    assert len(names(page)) == len(SKILLS)
    expect(page.get_by_role("button", name="Reset")).to_be_hidden()


@pytest.mark.parametrize("metric", METRICS)
def test_bars_join_what_is_not_told_apart(
    metric: str, show: Callable[..., tuple[Site, Page]]
) -> None:
    """Two rows share a lane's bar exactly where neither method is better, by every metric."""
    site, page = show()
    page.get_by_role("radio", name=METRICS[metric], exact=True).check()
    family = site.contests["demo/paperdolls"].family(metric)
    assert family is not None
    groups = [{title_of(name) for name in group} for group in family.undecided()]
    drawn = []
    for lane in zip(*bars(page), strict=True):
        for name, part in zip(names(page), lane, strict=True):
            if part == "first":
                drawn.append({name})
            elif part in ("inner", "last"):
                drawn[-1].add(name)
    assert sorted(map(sorted, drawn)) == sorted(map(sorted, groups))


def test_bars_under_a_filter_and_another_order(show: Callable[..., tuple[Site, Page]]) -> None:
    """A filter changes no rank and leaves bars between rows that are shown; sorting hides bars."""
    site, page = show()
    ranks = {title(one): str(one.rank) for one in standings(site, "r1")}
    family = site.contests["demo/paperdolls"].family("r1")
    assert family is not None
    name = title_of(family.undecided()[0][0])
    assert any(any(row) for row in bars(page))
    page.get_by_label("Find a method").fill(name)
    assert column(page, "rank")[0].startswith(ranks[name])
    assert bars(page) == [[]]
    page.get_by_label("Find a method").fill("")
    sort_by(page, "parameters")
    assert not any(any(row) for row in bars(page))


def test_the_script_draws_intervals_as_the_page_had_them(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """Drawn anew for the same baseline, every whisker and the scale are those of Python."""
    _, page = show()
    paths = (
        "() => [...document.querySelectorAll('table.ranking td.difference path')]"
        ".map(path => [path.getAttribute('class'), path.getAttribute('d')])"
    )
    ticks = header(page, "difference").locator(".ticks text")
    places = "ticks => ticks.map(tick => [tick.getAttribute('x'), tick.textContent])"
    before, scale = page.evaluate(paths), ticks.evaluate_all(places)
    assert len(before) >= 4 * (len(SKILLS) - 1)
    assert [text for _, text in scale if text == "0"] == ["0"]
    page.get_by_label("Difference to").select_option("weak")
    weak = page.locator("table.ranking >> nth=0 >> tr[data-method=weak] td.difference")
    expect(weak).to_have_text("baseline")
    assert page.evaluate(paths) != before
    page.get_by_label("Difference to").select_option("")
    expect(weak).not_to_have_text("baseline")
    assert (page.evaluate(paths), ticks.evaluate_all(places)) == (before, scale)


def test_an_arrow_has_its_key(show: Callable[..., tuple[Site, Page]]) -> None:
    """Whatever the baseline: it is explained exactly where one is drawn."""
    drawn = """table => [...table.querySelectorAll(".difference .span")]
        .some(span => span.getAttribute("d").split("M").length > 2)"""
    _, page = show()
    table, key = page.locator("table.ranking").first, page.locator(".facts .cut").first
    seen = {}
    for baseline in SKILLS:
        page.select_option("select[name=baseline]", baseline)
        expect(table.locator(".to").first).to_contain_text(baseline.upper())
        seen[baseline] = table.evaluate(drawn)
        expect(key).to_be_visible(visible=seen[baseline])
    assert set(seen.values()) == {True, False}, seen


def test_all_metrics_are_in_sight_on_a_small_screen(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """At 1024 pixels the spine gives way, not a metric."""
    _, page = show(width=1024)
    frame, last = page.locator(".frame").first.bounding_box(), header(page, "minp").bounding_box()
    assert frame is not None
    assert last is not None
    assert last["x"] + last["width"] <= frame["x"] + frame["width"] + 0.5


def test_the_address_holds_the_view(show: Callable[..., tuple[Site, Page]]) -> None:
    """Every choice is in the address: a reload shows the same, and back leads through the views."""
    _, page = show()
    page.get_by_role("radio", name="mAP").check()
    page.get_by_label("Difference to").select_option("weak")
    page.get_by_label("Supervision").select_option("pairs")
    page.get_by_label("Find a method").press_sequentially("E")
    page.get_by_label("Find a method").press_sequentially("A")
    sort_by(page, "parameters")
    expected = {
        "metric": "map", "baseline": "weak", "supervision": "pairs", "name": "EA",
        "sort": "parameters",
    }  # fmt: skip
    assert query_of(page) == expected
    before = names(page), column(page, "difference")
    page.reload()
    expect(header(page, "difference")).to_contain_text("to WEAK")
    expect(page.locator("td.difference", has_text="baseline").first).to_be_visible()
    assert (names(page), column(page, "difference")) == before
    assert page.get_by_role("radio", name="mAP").is_checked()
    assert page.get_by_label("Find a method").input_value() == "EA"
    page.go_back()
    assert header(page, "rank").get_attribute("aria-sort") == "ascending"
    page.go_back()
    assert page.get_by_label("Find a method").input_value() == ""
    assert sorted(names(page)) == ["EQUAL", "STRONG", "WEAK"]
    page.go_back()
    assert len(names(page)) == len(SKILLS)
    page.go_back()
    expect(page.locator("caption >> nth=0")).to_contain_text("to the best,")
    page.go_back()
    assert query_of(page) == {}
    assert header(page, "r1").get_attribute("class") == "score primary"
    page.go_forward()
    assert header(page, "map").get_attribute("class") == "score primary"


def test_an_address_that_names_nothing_known_is_the_plain_view(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """A link of old that names a method, metric or column that is gone does no harm."""
    site, page = show("metric=r2&baseline=gone&supervision=x&backbone=y&sort=z&order=upwards")
    assert names(page) == [title(one) for one in standings(site, "r1")]
    assert column(page, "difference")[0] == "baseline"


def test_the_keyboard_is_enough(show: Callable[..., tuple[Site, Page]]) -> None:
    """Metric, baseline, filter and sorting are reached by tab and worked by keys, focus seen."""
    _, page = show()
    page.get_by_role("radio", name="R1", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert query_of(page) == {"metric": "r5"}
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert query_of(page)["baseline"] == "equal"
    page.keyboard.press("Tab")
    page.keyboard.type("strong")
    assert names(page) == ["STRONG"]
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('th')?.dataset.key") == "name":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    assert header(page, "name").get_attribute("aria-sort") == "ascending"


def test_what_a_choice_changes_is_said(show: Callable[..., tuple[Site, Page]]) -> None:
    """A live region tells a screen reader who is first by another metric, and of the baseline."""
    site, page = show()
    said = page.locator("form.view > [role=status]")
    expect(said).to_be_empty()
    page.get_by_role("radio", name="mAP", exact=True).check()
    first = title(standings(site, "map")[0])
    expect(said).to_contain_text(f"PaperDolls, by mAP: {first} is first")
    expect(said).to_contain_text(f"Differences are to {first}.")
    page.get_by_label("Difference to").select_option("weak")
    expect(said).to_contain_text("Differences are to WEAK.")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Find a method")).to_be_focused()
    expect(said).to_contain_text("by R1: ")


def test_plots_are_read_by_keyboard_and_touch(show: Callable[..., tuple[Site, Page]]) -> None:
    """One stop a plot; arrows lead from mark to mark, and each is told above as hovering tells it.

    The first touch near a mark reads it, the second follows its link.
    """
    _, page = show()
    panel = page.locator("svg.panel").first
    marks = panel.locator("a")
    assert panel.locator("a[tabindex='0']").count() == 1
    expected = marks.locator("title").all_text_contents()
    panel.locator("a[tabindex='0']").focus()
    read = [panel.locator(".tip").text_content()]
    for _ in expected[1:]:
        page.keyboard.press("ArrowRight")
        read.append(panel.locator(".tip").text_content())
    assert sorted(read) == sorted(expected)
    assert len(set(read)) == len(expected) > 3
    touch = """(mark) => {
      const { x, y, width, height } = mark.querySelector("circle").getBoundingClientRect();
      const where = { clientX: x + width / 2 + 6, clientY: y + height / 2, bubbles: true,
        cancelable: true, pointerType: "touch" };
      mark.dispatchEvent(new PointerEvent("pointerdown", where));
      let isFollowed;
      const stay = (event) => { isFollowed = !event.defaultPrevented; event.preventDefault(); };
      document.addEventListener("click", stay, { once: true });
      mark.dispatchEvent(new PointerEvent("click", where));
      return isFollowed;
    }"""
    last = panel.locator(f"a[aria-label={json.dumps(expected[0])}]")
    assert last.evaluate(touch) is False
    expect(last).to_be_focused()
    assert panel.locator(".tip").text_content() == expected[0]
    assert last.evaluate(touch) is True


@windows(1440)
def test_nothing_bars_a_reader(
    width: int, dark: bool, show: Callable[..., tuple[Site, Page]],
    find_barriers: Callable[[Page], list[str]],
) -> None:  # fmt: skip
    """By axe-core the page has no serious fault, light or dark, wide or on a phone."""
    _, page = show("metric=map&baseline=weak", width=width, dark=dark)
    expect(header(page, "difference")).to_contain_text("to WEAK")
    assert find_barriers(page) == []
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0


def test_whiskers_lie_between_the_ends_in_the_header(
    show: Callable[..., tuple[Site, Page]],
) -> None:
    """The scale in the header is as wide as the whiskers below it, and stands above them."""
    _, page = show()
    left, width = (
        header(page, "difference")
        .locator(".ticks")
        .evaluate("ticks => (({ x, width }) => [x, width])(ticks.getBoundingClientRect())")
    )
    box = page.locator("table.ranking >> nth=0 >> td.difference svg").first.bounding_box()
    assert box is not None
    assert box["x"] == pytest.approx(left, abs=1)
    assert box["width"] == pytest.approx(width, abs=1)


def test_a_row_becomes_the_baseline(show: Callable[..., tuple[Site, Page]]) -> None:
    """By a click on it, or by arrows and Enter; links within it lead where they lead."""
    _, page = show()
    rows = page.locator("table.ranking >> nth=0 >> tbody:not(.apart) tr")
    second, third = names(page)[1:3]
    rows.nth(1).locator("td.runs-of").click(position={"x": 3, "y": 3})
    expect(header(page, "difference")).to_contain_text(f"to {second}")
    assert query_of(page) == {"baseline": second.lower()}
    assert rows.nth(1).get_attribute("aria-current") == "true"
    rows.nth(0).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(header(page, "difference")).to_contain_text(f"to {third}")
    assert rows.nth(2).evaluate("row => row === document.activeElement")
    assert rows.evaluate_all("rows => rows.filter((row) => row.tabIndex === 0).length") == 1


def test_figures_lead_to_what_they_are_made_of(show: Callable[..., tuple[Site, Page]]) -> None:
    """A score leads to its runs, an interval to the comparison of the two, drawn anew or not."""
    site, page = show()
    row = page.locator("table.ranking >> nth=0 >> tbody:not(.apart) tr").nth(1)
    method, first = (name.lower() for name in (names(page)[1], names(page)[0]))
    for place in range(len(METRICS)):
        link = row.locator("td.score a").nth(place)
        assert link.get_attribute("href") == f"methods/{method}.html#runs-demo-paperdolls"
    for baseline in (first, "faint"):
        page.get_by_label("Difference to").select_option(baseline)
        expect(header(page, "difference")).to_contain_text(f"to {baseline.upper()}")
        files = entry_names(site.contests["demo/paperdolls"])
        link = row.locator("td.difference a")
        expect(link).to_have_attribute("href", re.compile(f"b={files[baseline, 'full']}$"))
        address = link.get_attribute("href")
        assert parse_qs(urlsplit(str(address)).fragment) == {
            "ground": ["demo-paperdolls"],
            "a": [files[method, "full"]],
            "b": [files[baseline, "full"]],
        }


@pytest.mark.parametrize("datasets", [1, 3])
def test_the_first_row_stands_in_the_first_screen(
    datasets: int, results: Path, tmp_path: Path,
    add_answers: Callable[..., Path], open_page: Callable[..., Page],
) -> None:  # fmt: skip
    """The answer, the metrics and the first row are seen without scrolling, of further datasets
    a clause each; their sentences stand above their tables."""
    titles = ("CUHK-PEDES", "ICFG-PEDES", "RSTPReid")[:datasets]
    for title in titles:
        data = {"title": title, "fingerprint": title, "drawn": True}
        for method in ("DGIA", "CLIP + ITC", "IRRA", "LAIP", "MeFa"):
            add_answers(method, 1.5, dataset=title.lower(), data=data)
    page = open_page(write(results, tmp_path / "site")[1])
    for width, height, most in ((1440, 900, 380), (390, 844, 600)):
        resize(page, width, height)
        box = page.locator("table.ranking tbody tr").first.bounding_box()
        assert box is not None
        assert box["y"] <= most
    answers = page.locator(".answer").all_inner_texts()
    assert [title in said for title, said in zip(titles, answers, strict=True)] == [True] * datasets
    clauses = " ".join(page.locator(".clauses").all_inner_texts())
    assert [title for title in titles if f"{title}: " in clauses] == list(titles[1:])


def test_hostile_names_are_text_in_every_control(
    results: Path, tmp_path: Path, add_answers: Callable[..., Path],
    open_page: Callable[..., Page],
) -> None:  # fmt: skip
    """Markup and marks that turn the reading direction around are shown, in options too."""
    hostile = '<img src=x onerror="document.title=1">\u202e"></script><script>alert(1)</script>'
    for number in range(2):
        for seed in range(3):
            add_answers(f"m{number}", 1.0, seed=seed, title=f"{hostile} {number}",
                        supervision=f"{hostile}{number}",
                        recipe={"backbone": f"{hostile}{number}"})  # fmt: skip
    page = open_page(write(results, tmp_path / "site")[1])
    shown = hostile.replace("\u202e", "\ufffd")
    options = page.get_by_label("Difference to").locator("option").all_text_contents()
    assert options[1:] == [f"{shown} 0", f"{shown} 1"]
    page.get_by_label("Difference to").select_option(index=1)
    page.get_by_label("Supervision").select_option(f"{shown}1")
    assert names(page) == [f"{shown} 1"]
    page.reload()
    assert names(page) == [f"{shown} 1"]
    assert page.locator("img").count() == 0


def test_sixty_methods_are_light(
    results: Path, tmp_path: Path, add_answers: Callable[..., Path],
    open_page: Callable[..., Page],
) -> None:  # fmt: skip
    """Sixty rows weigh a third of what three datasets may, and are sorted as few are. Of a long
    ranking below them no row is laid out before it comes into sight."""
    add_answers("m00", 1.0)
    for number in range(1, 60):
        add_answers(f"m{number:02d}", number / 20, title=f"Method number {number}")
    for number in range(24):
        add_answers(f"m{number:02d}", 1.0, dataset="second")
    _, path = write(results, tmp_path / "site")
    assert path.stat().st_size < 1_000_000 / 3
    page = open_page(path)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    sort_by(page, "parameters")
    assert len(names(page)) == 60
    row = page.locator("section.board:last-of-type table.ranking tbody tr").first
    is_laid_out = "row => row.checkVisibility({ contentVisibilityAuto: true })"
    assert not row.evaluate(is_laid_out)
    row.scroll_into_view_if_needed()
    page.wait_for_function(f"row => ({is_laid_out})(row)", arg=row.element_handle())
    shutil.rmtree(tmp_path / "site")


def test_a_printed_table_fits_its_sheet(show: Callable[..., tuple[Site, Page]]) -> None:
    """On A4 across, as wide as its margins leave, no column is lost, and controls are left out."""
    _, page = show(width=1030, dark=True)
    page.emulate_media(media="print")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    assert page.locator("body").evaluate("body => getComputedStyle(body).color") == "rgb(0, 0, 0)"
    assert page.locator(".controls").is_hidden()
    assert page.locator("fieldset.switch").is_visible()
