"""What must hold on every page of the site, in a real browser."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
import playwright.sync_api as playwright
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import expect

from harness.files import write_json
from harness.results import HIGHLIGHTS
from leaderboard.build import build_site
from leaderboard.typography import printable

from ..made_once import Make
from .crowded import add_crowd, add_index, answered
from .recorder import Recorder, add_queries, pages_once
from .windows import SETTLED, Windows, opening, resize

Open = Callable[..., playwright.Page]

IN_ONE_WALK = pytest.mark.xdist_group("one walk of the site")
NARROW = (640, 390)  # 1280 pixels magnified twice, and a phone
ALIKE = {f"methods/{name}.html" for name in ("one", "two", "irra", "dgia", "clip-itc")}  # as three

# Each would set a flag if a page obeyed it; the content policy's refusal would be logged.
PAYLOADS = (
    "<script>window.obeyed = 1</script>",
    "\"><img src=x onerror='window.obeyed = 1'>",
    "</script><script>window.obeyed = 1</script>",
    "</style></title></textarea></svg><svg onload='window.obeyed = 1'>",
    "'; window.obeyed = 1; //",
    '"}); window.obeyed = 1; ({"',
    "\\u003cscript>window.obeyed = 1\\u003c/script>",
    "javascript:window.obeyed=1",
    "line\u2028window.obeyed = 1\u2029end",
    "\u202emarked\u2066 right \u200fto left",
    "\ud800 half a pair",
    "__proto__",
    "{{ 1 }} {% raw %} ${window.obeyed = 1}",
)
# What a run is asked otherwise, with its skill in that, and where it looks.
ASKED = {
    "typos": 1.2, "several:people=2,fusion=text": 1.6, "several:people=2,fusion=scores": 1.7,
    "witness:policy=random,round=0,unknown=0,wrong=0": 0.3,
    **{f"witness:policy={policy},round={number},unknown=0.1,wrong=0.05": 0.4 * number + skill
       for policy, skill in (("random", 0.0), ("gain", 0.2)) for number in (1, 2)},
}  # fmt: skip
PATCHES = [[0.0, 0.25, 0.25], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
PART = {"start": 2, "stop": 9, "maps": {"forward": PATCHES, "backward": PATCHES}}
LOOKED = {"caption": 5, "image": 3, "highlights": [PART] * 9}
CAPTIONS = [payload for payload in PAYLOADS if "\ud800" not in payload]  # Parquet holds no halves

SIDEWAYS = """() => [...document.querySelectorAll("body, body *")].filter((element) => {
    const style = getComputedStyle(element);
    const scrolls = ["auto", "scroll"].includes(style.overflowX) && style.display !== "inline";
    return scrolls && !element.classList.contains("frame")
      && element.scrollWidth > element.clientWidth;
  }).map((element) => element.outerHTML.slice(0, 120))"""
BEYOND = """() => {
  const root = document.documentElement;
  return root.scrollWidth - root.clientWidth;
}"""
INTRUDERS = """() => [...document.querySelectorAll("*")].filter((element) =>
    element.matches("script:not([src]), iframe, object, embed, base, [src='x']")
    || element.matches("[href^='javascript']")
    || [...element.attributes].some((attribute) => attribute.name.startsWith("on"))
  ).map((element) => element.outerHTML.slice(0, 120))"""
ADDRESSES = """() => [...document.querySelectorAll("a[href]")].map((link) =>
    new URL(link.getAttribute("href"), document.baseURI).href)"""
CLICKS = """() => [...document.querySelectorAll("button, summary")]
    .filter((control) => control.checkVisibility()).slice(0, 20)
    .forEach((control) => control.click())"""
# Returns what each shape that draws a figure contrasts with the page, as WCAG 2 counts it.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colour, opacity) => {
    const page = getComputedStyle(document.body).backgroundColor;
    canvas.globalAlpha = 1;
    for (const [fill, alpha] of [[page, 1], [colour, opacity]]) {
      [canvas.fillStyle, canvas.globalAlpha] = [fill, alpha];
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (byte) => byte <= 10.31 ? byte / 255 / 12.92
    : ((byte / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const page = luminance(paint("#0000", 1));
  const contrast = (colour, opacity) => {
    const own = luminance(paint(colour, opacity));
    return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05);
  };
  const opacityOf = (shape) => (shape.closest("svg") === shape ? 1
    : Number(getComputedStyle(shape).opacity) * opacityOf(shape.parentElement));
  return [...document.querySelectorAll("svg :is(.span, .middle, .dot, .reach, .band, .bar, .zero, "
    + ".leader, .move, .slope, .front, .all, .leads, .follows)")]
    .filter((shape) => shape.matches("path, circle") && shape.checkVisibility()).map((shape) => {
      const { stroke, fill, display } = getComputedStyle(shape);
      const inks = [stroke, fill].filter((colour) => colour !== "none");
      const best = Math.max(...inks.map((colour) => contrast(colour, opacityOf(shape))));
      return [shape.outerHTML.slice(0, 90), best];
    });
}"""
HEADINGS = (
    "() => [document.title, document.querySelectorAll('h1').length, document.documentElement.lang]"
)


@pytest.fixture(scope="session")
def site(once: Make) -> Path:
    """Return a site with all that pages show: answers of many kinds, an ablation, a failure, a
    dataset apart."""
    return pages_once(once, "site", answer, build_site)[1]


def answer(recorder: Recorder) -> None:
    """Finish its runs."""
    recorder.add_digest()
    places = (("Table 4", "without SDM", 0),)
    for seed in range(3):
        for method, skill in (("one", 0.5), ("two", 1.4), ("three", 1.5)):
            run = recorder.add_answers(method, skill, seed=seed)
            table = answered(seed, skill / 50)
            add_crowd(run, table, second_look_left_aside=method == "two")
            add_index(run, table, "hnsw")
        for queries, skill in ASKED.items():
            add_queries(run, queries, skill)
        write_json(run / HIGHLIGHTS, {"examples": [LOOKED]})
        recorder.add_answers(
            "three", 1.1, seed=seed, variant="w/o SDM", tables=places,
            config={"temperature": 0.02, "losses": {"itc": 1.0}},
            changes={"losses": {"itc": 1.0}},
        )  # fmt: skip
        for method, skill in (("irra", 1.3), ("clip-itc", 1.2)):  # of which papers claim something
            recorder.add_answers(method, skill, seed=seed)
    error = {"kind": "ValueError", "message": "too small", "traceback": "Traceback\n" + "x" * 300}
    recorder.add_run("three", seed=3, status="error", error=error, history=False)
    apart = {"dataset": "cuhk-pedes", "scale": "paper", "data": {"title": "CUHK-PEDES"}}
    recorder.add_run("one", 30.0, **apart)
    recorder.add_run("dgia", 50.0, **apart)


@pytest.fixture(scope="session")
def hostile_site(once: Make) -> Path:
    """Return a site whose every text is a payload: names, titles, settings, errors, captions."""
    return pages_once(once, "hostile-site", answer_with_payloads, build_site)[1]


def answer_with_payloads(recorder: Recorder) -> None:
    """Finish its runs."""
    recorder.add_digest(captions=CAPTIONS)
    for number, payload in enumerate(PAYLOADS):
        texts = dict.fromkeys(("summary", "paper", "url", "supervision", "command", "key"), payload)
        nested = {payload: [payload, {payload: payload}]}
        fields = {"config": {**nested, "losses": {payload: 1.0}}, "recipe": {"backbone": payload}}
        method = f"{number} {payload}"
        for seed in range(2):
            run = recorder.add_answers(method, 1.0, seed=seed, title=method, **texts, **fields,
                                       environment=nested, protocol=nested)  # fmt: skip
            add_crowd(run, answered(seed, 0.02), title=payload, left_out={payload: payload})
            add_index(run, answered(seed, 0.02), "ivf", title=payload, library=payload)
        recorder.add_answers(method, 0.5, title=method, variant=payload, changes=nested,
                             tables=((payload, payload, 0),))  # fmt: skip
        error = {"kind": payload, "message": payload, "traceback": payload}
        recorder.add_run(method, seed=7, title=method, status=payload, error=error, history=False)
    every = " ".join(PAYLOADS)
    data = {"title": every, "note": every, "licence": every, "fingerprint": every}
    recorder.add_run("plain", 40.0, suite=PAYLOADS[1], dataset=PAYLOADS[2], data=data)


def each_page(site: Path, open_page: Open, **how: object) -> Iterator[tuple[str, playwright.Page]]:
    """Open every page of a site, one after the other, and wait until its scripts are done."""
    paths = sorted(site.rglob("*.html"))
    assert len(paths) >= 8
    page = open_page(paths[0], **how)
    for path in paths:
        page.goto(path.as_uri())
        page.evaluate(SETTLED)
        yield path.relative_to(site).as_posix(), page


@dataclass(frozen=True)
class Seen:
    """What is seen of a page: wide and in light colours, but for what reaches beyond the edge."""

    barriers: list[str]
    contrasts: list[list[Any]]
    headings: list[Any]  # its title, how many main headings, the language
    ids: set[str]
    links: list[str]
    beyond: dict[int, float]  # pixels of the page, by the width of the window
    sideways: dict[int, list[str]]  # what scrolls so and is no frame of a table


@pytest.fixture(scope="module")
def seen(
    site: Path, browser: playwright.Browser, find_barriers: Callable[[playwright.Page], list[str]]
) -> dict[str, Seen]:
    """Return what is seen of every page of the site, in one walk; none logs an error."""
    with opening(Windows(browser)) as open_page:
        return {name: look(name, page, find_barriers) for name, page in each_page(site, open_page)}


def look(
    name: str, page: playwright.Page, find_barriers: Callable[[playwright.Page], list[str]]
) -> Seen:
    """Look at a page that is open, then at narrow windows of it."""
    found = Seen(
        find_barriers(page) if name not in ALIKE else [],
        page.evaluate(CONTRASTS),
        page.evaluate(HEADINGS),
        set(page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")),
        page.evaluate(ADDRESSES),
        {},
        {},
    )
    for width in NARROW:
        resize(page, width)
        found.beyond[width] = page.evaluate(BEYOND)
        found.sideways[width] = page.evaluate(SIDEWAYS)
    resize(page, 1440)
    return found


@IN_ONE_WALK
def test_no_page_has_a_serious_barrier(seen: dict[str, Seen]) -> None:
    """On no kind of page does axe-core find what is serious or critical; none logs an error."""
    assert not {name: page.barriers for name, page in seen.items() if page.barriers}


@pytest.mark.exhaustive
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_has_a_serious_barrier_in_any_window(
    width: int, dark: bool, site: Path, open_page: Open,
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """On no page, whatever the window and the colours."""
    pages = each_page(site, open_page, width=width, dark=dark)
    assert not {name: found for name, page in pages if (found := find_barriers(page))}


@IN_ONE_WALK
@pytest.mark.parametrize("width", NARROW)
def test_nothing_but_tables_scrolls_sideways(width: int, seen: dict[str, Seen]) -> None:
    """On a phone, and at 1280 pixels magnified twice, only the frames of tables scroll so."""
    for name, page in seen.items():
        assert page.beyond[width] <= 0, name
        assert page.sideways[width] == [], name


@pytest.mark.parametrize("name", ["downloads.html", "reported.html"])
def test_tables_of_words_fit_a_phone(name: str, site: Path, open_page: Open) -> None:
    """At 390 pixels no column of these is out of sight."""
    page = open_page(site / name, width=390)
    page.evaluate(SETTLED)
    frames = [one for one in page.locator(".frame").all() if one.is_visible()]
    assert frames
    for frame in frames:
        assert frame.evaluate("frame => frame.scrollWidth <= frame.clientWidth")


@IN_ONE_WALK
def test_intervals_are_seen(seen: dict[str, Seen]) -> None:
    """Whatever draws an interval, a mark or the line of no difference stands out 3 to 1 or more."""
    for name, page in seen.items():
        assert [one for one in page.contrasts if one[1] < 3] == [], name
    assert sum(len(page.contrasts) for page in seen.values()) > 100


@pytest.mark.exhaustive
@pytest.mark.parametrize("colours", ["dark", "forced"])
def test_intervals_are_seen_in_other_colours(colours: str, site: Path, open_page: Open) -> None:
    """In dark colours too, and in those that a reader forces."""
    for name, page in each_page(site, open_page, dark=colours == "dark"):
        page.emulate_media(forced_colors="active" if colours == "forced" else "none")
        assert [one for one in page.evaluate(CONTRASTS) if one[1] < 3] == [], name


def test_bars_of_groups_are_seen_in_forced_colours(site: Path, open_page: Open) -> None:
    """They are drawn as backgrounds, which such colours would take away; and so is the metric."""
    page = open_page(site / "index.html")
    page.emulate_media(forced_colors="active")
    drawn = "bar => getComputedStyle(bar, '::after').backgroundColor"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bars = [bar.evaluate(drawn) for bar in page.locator(".bars i.first").all()]
    assert bars
    assert paper not in bars
    chosen = page.locator(".switch label:has(:checked)")
    assert chosen.evaluate("label => getComputedStyle(label).outlineStyle") == "solid"


@pytest.mark.parametrize(
    ("width", "colours"),
    [
        (400, "active"),
        (1400, "none"),
        *(pytest.param(width, "none", marks=pytest.mark.exhaustive) for width in (400, 700, 1000)),
    ],
)
def test_a_table_that_goes_on_shows_it(
    width: int, colours: Literal["none", "active"], site: Path, open_page: Open
) -> None:
    """A shade lies at the edge beyond which there is more, in any colours, and at no other."""
    page = open_page(site / "methods/three.html", width=width)
    page.emulate_media(forced_colors=colours)
    page.evaluate(SETTLED)
    measure = "frame => [frame.scrollWidth - frame.clientWidth, frame.checkVisibility()]"
    ends = []
    for frame in page.locator(".frame").all():
        beyond, is_shown = frame.evaluate(measure)
        if is_shown and not 0 < beyond < 20:  # so little is no column
            ends.append(beyond > 0)
            assert (right_edge(frame) < right_edge(frame, scrolled=True) - 0.05) == ends[-1]
    assert any(ends) == (width < 1400)


def right_edge(frame: playwright.Locator, scrolled: bool = False) -> float:
    """Return how light, from 0 to 1, the last pixels of a frame are in the middle of its rows."""
    return float(np.median(pixels(frame, left=1e6 if scrolled else 0)[:, -4:]))


def lower_edge(frame: playwright.Locator, scrolled: bool = False) -> float:
    """Return how light, from 0 to 1, the last rows of pixels of a frame are in their middle."""
    return float(np.median(pixels(frame, top=1e6 if scrolled else 0)[-4:]))


def pixels(frame: playwright.Locator, left: float = 0, top: float = 0) -> NDArray[np.float64]:
    """Return how light a frame is, (height, width) from 0 to 1, where it is scrolled so far."""
    frame.evaluate("(frame, [left, top]) => frame.scrollTo(left, top)", [left, top])
    drawn = Image.open(io.BytesIO(frame.screenshot())).convert("L")
    return np.asarray(drawn) / 255


def test_a_long_table_shows_that_it_goes_on_below(site: Path, open_page: Open) -> None:
    """Where a table scrolls within its frame, a shade lies above the rows that are out of sight."""
    page = open_page(site / "reported.html", width=1000)
    page.locator(".timelines details").first.evaluate("details => { details.open = true; }")
    page.evaluate(SETTLED)
    is_cut = "frame => frame.checkVisibility() && frame.scrollHeight > frame.clientHeight + 1"
    cut = [frame for frame in page.locator(".frame").all() if frame.evaluate(is_cut)]
    assert cut
    for frame in cut:
        assert lower_edge(frame) < lower_edge(frame, scrolled=True) - 0.05


@pytest.mark.parametrize("width", [1000, 1440])
def test_the_header_of_a_table_shown_whole_stays_in_the_window(
    width: int, site: Path, open_page: Open
) -> None:
    """The page scrolls past such a table, which is as tall as its rows, and its header stays."""
    page = open_page(site / "reported.html", width=width)
    page.evaluate(SETTLED)
    frame = page.locator("#drift ~ .frame")
    assert frame.evaluate("frame => frame.scrollHeight <= frame.clientHeight")
    frame.locator("tbody tr").nth(12).evaluate("row => row.scrollIntoView({ block: 'center' })")
    header = frame.locator("thead th").first.bounding_box()
    assert header is not None
    assert header["y"] == pytest.approx(0, abs=1)


def test_on_a_phone_figures_come_before_components(site: Path, open_page: Open) -> None:
    """What a row of an ablation is made of stands below its name, and R1 beside it; wide, as in
    the paper, each component has its column."""
    page = open_page(site / "methods/three.html", width=390)
    table = page.locator(".ablation table.results").first
    row = table.locator("tbody tr").first
    first = "row => [...row.cells].filter(cell => cell.offsetParent)[1].className"
    below = "row => getComputedStyle(row.cells[0], '::after').content"
    assert "itc" in row.evaluate(below)
    assert row.evaluate(first) == "metric"
    resize(page, 1440)
    assert row.evaluate(below) == "none"
    assert row.evaluate(first) == "component"


def test_all_is_done_by_keyboard(site: Path, open_page: Open) -> None:
    """From the top: another metric, a baseline, Compare, a cell, its verdict, a page of runs."""
    page = open_page(site / "index.html")
    press = page.keyboard.press

    def tab_to(selector: str) -> None:
        """Go on by Tab until what has the focus matches."""
        for _ in range(80):
            press("Tab")
            if page.evaluate("(one) => document.activeElement.matches(one)", selector):
                return
        raise AssertionError(f"no Tab leads to {selector}")

    tab_to("input[name=metric]:checked")
    press("ArrowRight")
    expect(page.locator(".score.primary").first).to_contain_text("R5")
    tab_to("table.ranking tr")
    press("ArrowDown")
    press("ArrowDown")
    press("Enter")
    row = page.locator("table.ranking tr[aria-current=true]").first
    expect(row).to_be_focused()
    tab_to(".difference small a")
    press("Enter")
    page.wait_for_url("**/compare.html*")
    page.wait_for_selector(".by-metric")
    tab_to("table.matrix td")
    before = page.locator(".verdict").inner_text()
    press("ArrowDown")
    press("ArrowRight")
    press("ArrowRight")
    press("Enter")
    verdict = page.locator(".verdict")
    expect(verdict).to_be_focused()
    expect(verdict).not_to_have_text(before)
    tab_to(".sides dd a")
    press("Enter")
    page.wait_for_url("**/methods/*.html*")
    tab_to("a[href^='#runs-']")
    press("Enter")
    assert "#runs-" in page.url


@IN_ONE_WALK
def test_every_link_leads_somewhere(site: Path, seen: dict[str, Seen]) -> None:
    """Each link that a reader sees, scripts included, has its file and its anchor."""
    for name, page in seen.items():
        for href in page.links:
            address = urlsplit(href)
            assert address.scheme in ("file", "https"), (name, href)
            if address.scheme == "https":
                continue
            path = Path(url2pathname(address.path))
            assert path.is_file(), (name, href)
            assert path.is_relative_to(site), (name, href)
            anchor = "" if "=" in address.fragment else unquote(address.fragment)  # else a view
            there = seen[path.relative_to(site).as_posix()].ids if anchor else set()
            assert not anchor or anchor in there, (name, href)


@IN_ONE_WALK
def test_pages_say_what_they_are(seen: dict[str, Seen]) -> None:
    """Every page has a title of its own, one main heading and a language."""
    titles = [page.headings[0] for page in seen.values()]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    assert {tuple(page.headings[1:]) for page in seen.values()} == {(1, "en")}


def test_no_text_is_obeyed(hostile_site: Path, open_page: Open) -> None:
    """Whatever the texts of records and captions hold, pages run and load nothing of it, and show
    it as plain text: names on index and own page, captions in the sample."""
    shown = {}
    for name, page in each_page(hostile_site, open_page):
        shown[name] = " ".join((page.text_content("body") or "").split())
        page.evaluate(CLICKS)
        page.evaluate(SETTLED)
        assert page.evaluate("window.obeyed") is None, name
        assert page.evaluate(INTRUDERS) == [], name
        assert page.evaluate("({}).polluted === undefined && !Object.keys(Object.prototype).length")
    for number, payload in enumerate(PAYLOADS):
        name = " ".join(str(printable(f"{number} {payload}")).split())
        assert name in shown["index.html"], payload
        assert name in shown["compare.html"], payload
        assert name in shown["downloads.html"], payload
        assert any(name in text for file, text in shown.items() if file.startswith("methods/"))
    for caption in CAPTIONS[:1]:
        assert caption in shown["datasets.html"]
    assert not any(mark in text for text in shown.values() for mark in "\u202e\u2066")
