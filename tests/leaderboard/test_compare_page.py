from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pytest
from playwright.sync_api import expect

from harness.results import METRICS
from harness.significance import compare
from leaderboard import compare as compare_page
from leaderboard.records.contest import difference
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import Site, load_site
from leaderboard.typography import signed

from ..made_once import Make
from .recorder import Recorder, pages_once

SKILLS = {"weak": 0.6, "middling": 1.4, "strong": 1.6}
GROUND = "demo-paperdolls"


def answer(recorder: Recorder) -> None:
    """Finish runs of three methods with three seeds, and of a variant of one."""
    for seed in range(3):
        for method, skill in SKILLS.items():
            recorder.add_answers(method, skill, seed=seed)
        recorder.add_answers("strong", 1.2, seed=seed, variant="w/o SDM")


def write(results: Path, folder: Path) -> tuple[Site, Path]:
    """Write the compare page with its data and nothing else."""
    site = load_site(results, FOLDER)
    write_site({**render.make_assets(site), **compare_page.make_files(site)}, folder)
    return site, folder / "compare.html"


@pytest.fixture
def answered(recorder: Recorder) -> Path:
    """Return their results, for a test that adds to them."""
    answer(recorder)
    return recorder.results


@pytest.fixture
def build(tmp_path: Path) -> Callable[[Path], tuple[Site, Path]]:
    """Return a function that writes the page."""
    return lambda results: write(results, tmp_path / "site")


@pytest.fixture(scope="session")
def written(once: Make) -> tuple[Site, Path]:
    """Return what the page of these methods is made from, and the page."""
    results, site = pages_once(once, "compare", answer, write)
    return load_site(results, FOLDER), site / "compare.html"


@pytest.fixture
def show(
    written: tuple[Site, Path], build: Callable[[Path], tuple[Site, Path]],
    open_page: Callable[..., playwright.Page],
) -> Callable[..., tuple[Site, playwright.Page]]:  # fmt: skip
    """Return a function that opens the page, and waits until it has compared.

    Without results it is the page of the three methods as they are.
    """

    def open_built(results: Path | None = None, **how: Any) -> tuple[Site, playwright.Page]:
        site, path = written if results is None else build(results)
        page = open_page(path, **how)
        page.wait_for_selector(".by-metric")
        return site, page

    return open_built


def read_data(path: Path) -> Any:
    """Return what a data script hands over."""
    quoted = re.fullmatch(r'leaderboardData\(".*?", JSON\.parse\((".*")\)\);\n', path.read_text())
    assert quoted
    return json.loads(json.loads(quoted[1]))


def unpack(text: str, kind: str) -> Any:
    """Return packed numbers."""
    return np.frombuffer(base64.b64decode(text), f"<{kind}").astype(np.int64)


def figures(page: playwright.Page) -> dict[str, list[str]]:
    """Return the cells of each row of the table by metric."""
    rows = page.locator(".by-metric tbody tr").all()
    return {
        cells[0]: cells[1:] for cells in (row.locator("th, td").all_inner_texts() for row in rows)
    }


def chosen(page: playwright.Page) -> list[str]:
    """Return which entries are A and B."""
    return [page.locator(f"select[name={side}]").input_value() for side in "ab"]


def compared(page: playwright.Page, a: str, b: str) -> dict[str, dict[str, float]]:
    """Return what the browser computes for two entries."""
    script = """async ([ground, a, b]) => {
      const [contest, queries, ...entries] = await Promise.all(
        ["contest", "queries", `entries/${a}`, `entries/${b}`].map((name) =>
          leaderboard.load(`${ground}/${name}`)));
      const sides = entries.map((entry) => leaderboard.paired.readEntry(entry, contest));
      return leaderboard.paired.compare(...sides, queries.people).metrics;
    }"""
    found: dict[str, dict[str, float]] = page.evaluate(script, [GROUND, a, b])
    return found


def test_packed_answers_are_as_exact_as_promised(written: tuple[Site, Path]) -> None:
    """Ranks are exact up to the last one that is told apart, shares are within half a step."""
    site, path = written
    contest = site.contests["demo/paperdolls"]
    folder = path.parent / "data" / GROUND
    listed = read_data(folder / "contest.js")
    assert [entry["method"] for entry in listed["entries"]] == [
        site.addresses.titles[method] for method, _ in contest.answers
    ]
    for (_, answers), entry in zip(contest.answers.items(), listed["entries"], strict=True):
        data = read_data(folder / f"entries/{entry['file']}.js")
        ranks = np.stack([unpack(of_seed, "u1") for of_seed in data["ranks"]])
        for metric, depth in {"r1": 1, "r5": 5, "r10": 10}.items():
            assert np.array_equal(100.0 * (ranks <= depth), answers.values[metric])
        for metric in ("map", "minp"):
            shares = unpack(data[metric], "u2") * 100 / listed["levels"]
            means = answers.values[metric].mean(0)
            assert np.abs(shares - means).max() <= 50.0001 / listed["levels"]
            assert abs(shares.mean() - means.mean()) < 0.01


def test_the_browser_finds_what_python_finds(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """Differences agree within 0.01 points, p-values and intervals within what chance allows."""
    site, page = show()
    contest = site.contests["demo/paperdolls"]
    found = compared(page, "middling-full", "strong-w-o-SDM")
    a, b = contest.answers["middling", "full"], contest.answers["strong", "w/o SDM"]
    for metric in METRICS:
        means = a.values[metric].mean(0), b.values[metric].mean(0)
        ours, theirs = compare(*means, a.people), found[metric]
        assert theirs["a"] == pytest.approx(means[0].mean(), abs=0.01)
        assert theirs["difference"] == pytest.approx(ours.difference, abs=0.01)
        error = np.sqrt(2 * ours.p_value * (1 - ours.p_value) / 10_000)
        assert theirs["p"] == pytest.approx(ours.p_value, abs=5 * error + 2e-4)
        width = ours.high - ours.low
        assert theirs["low"] == pytest.approx(ours.low, abs=0.1 * width)
        assert theirs["high"] == pytest.approx(ours.high, abs=0.1 * width)
        assert theirs["wins"] + theirs["ties"] + theirs["losses"] == len(a.queries)
        if metric in ("r1", "r5", "r10"):
            assert (theirs["wins"], theirs["losses"]) == (ours.wins, ours.losses)


def test_six_thousand_queries_take_no_time(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """A comparison of 6,156 queries of 1,000 people takes less than 0.3 s."""
    _, page = show()
    script = """() => {
      const people = Array.from({ length: 6156 }, (_, i) => i % 1000);
      const side = (shift) => ({ values: Object.fromEntries(
        ["r1", "r5", "r10", "map", "minp"].map((metric) => [metric, {
          numbers: Uint16Array.from(people, (_, i) => (i * (7919 + shift)) % 65536),
          unit: 1,
        }])) });
      const times = [1, 2, 3].map(() => {
        const start = performance.now();
        leaderboard.paired.compare(side(0), side(12), people);
        return performance.now() - start;
      });
      return Math.min(...times);
    }"""
    assert page.evaluate(script) < 300


def test_entries_of_six_thousand_queries_are_small(
    results: Path, add_answers: Callable[..., Path], build: Callable[[Path], tuple[Site, Path]]
) -> None:
    """A variant takes less than 70 KB for 6,156 queries of three seeds, a method less than 300."""
    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
        add_answers("one", 1.0, seed=seed, variant="v")
    site, path = build(results)
    queries = len(site.contests["demo/paperdolls"].answers["one", "full"].queries)
    for name, limit in {"one-v": 70_000, "one-full": 300_000}.items():
        size = (path.parent / f"data/{GROUND}/entries/{name}.js").stat().st_size
        assert (size - 200) * 6156 / queries + 200 < limit


def test_the_page_opens_with_the_best_two(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """Without a choice the two best methods are compared, with the ranking's corrected p."""
    site, page = show()
    contest = site.contests["demo/paperdolls"]
    best = sorted(contest.published, key=lambda e: -contest.answers[e].values["r1"].mean())[:2]
    assert chosen(page) == [f"{method}-full" for method, _ in best]
    family = contest.family("r1")
    assert family
    one = difference(family, *best)
    cells = figures(page)["R1"]
    assert float(cells[2].split(",")[0]) == pytest.approx(one.difference, abs=0.06)
    assert float(cells[6].removeprefix("< ")) == pytest.approx(one.adjusted, abs=0.0051)


def test_the_page_says_the_same_on_every_visit(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """Resamples and flips are the same ones each time."""
    _, page = show()
    before = figures(page)
    page.reload()
    page.wait_for_selector(".by-metric")
    assert figures(page) == before


def test_the_choice_is_in_the_address_and_the_browser_goes_back(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """A link opens its pair, each choice is a step, and going back undoes it."""
    anchor = f"ground={GROUND}&a=weak-full&b=strong-w-o-SDM"
    _, page = show(anchor=anchor)
    assert chosen(page) == ["weak-full", "strong-w-o-SDM"]
    first = figures(page)
    page.get_by_label("B", exact=True).select_option("middling-full")
    expect(page.locator(".verdict")).to_contain_text("MIDDLING")
    assert "b=middling-full" in page.url
    page.go_back()
    expect(page.locator(".verdict")).not_to_contain_text("MIDDLING")
    assert chosen(page) == ["weak-full", "strong-w-o-SDM"]
    assert figures(page) == first


def test_wide_spread_between_seeds_is_said_where_the_interval_stands(
    results: Path, add_answers: Callable[..., Path],
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:  # fmt: skip
    """Differences by seed are listed, with the same warning in the table and in the comparison."""
    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
        add_answers("two", 1.2 + seed, seed=seed)
    site, page = show(results)
    family = site.contests["demo/paperdolls"].family("r1")
    assert family
    one = family.between("two/full", "one/full")
    assert one.needs_more_seeds
    said = page.locator(".comparison").inner_text()
    assert signed(one.seed_low, 1) in said
    assert signed(one.seed_high, 1) in said
    warning = f"eeds spread by {one.seed_spread:.1f} points"
    assert f"s{warning}, so the interval is too short" in said
    assert f"S{warning}: the interval is too short" in page.locator(".pair-table").inner_text()


def test_swapping_mirrors_the_figures(show: Callable[..., tuple[Site, playwright.Page]]) -> None:
    """With A and B swapped, wins are losses and differences change their sign."""
    _, page = show()
    before = figures(page)
    page.get_by_role("button", name="Swap A and B").click()
    expect(page.locator(".by-metric td").first).not_to_have_text(before["R1"][0])
    for metric, cells in figures(page).items():
        assert cells[:2] == before[metric][1::-1]
        assert cells[-3:] == before[metric][:-4:-1]


def test_the_keyboard_is_enough(show: Callable[..., tuple[Site, playwright.Page]]) -> None:
    """A choice can be made, and the disagreements filtered, without a mouse."""
    _, page = show()
    before = page.locator(".verdict").inner_text()
    page.get_by_label("B", exact=True).focus()
    page.keyboard.press("End")
    expect(page.locator(".verdict")).not_to_have_text(before)
    page.locator("input[value=both]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("input[value=a]").is_checked()


def test_disagreements_are_those_that_the_answers_have(
    answered: Path, add_digest: Callable[..., Path],
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:  # fmt: skip
    """The list holds each query whose R1 differs, the most different first, with both strips."""
    add_digest()
    site, page = show(answered, anchor=f"ground={GROUND}&a=weak-full&b=strong-full")
    contest = site.contests["demo/paperdolls"]
    a, b = (contest.answers[method, "full"] for method in ("weak", "strong"))
    change = b.values["r1"].mean(0) - a.values["r1"].mean(0)
    counts = page.locator(".comparison fieldset label .quiet").all_inner_texts()
    assert counts == [
        str(int(n)) for n in ((change != 0).sum(), (change < 0).sum(), (change > 0).sum())
    ]
    apart = np.abs(a.values["map"].mean(0) - b.values["map"].mean(0))
    most = max(np.flatnonzero(change), key=lambda query: (round(apart[query], 3), -query))
    first = page.locator(".comparison .strip").first
    assert f"query {most}, person {a.people[most]}" in first.inner_text()
    assert first.locator(".shots").count() == 2
    assert first.locator("img").count() == 20
    page.get_by_role("button", name="Show more").click()
    assert page.locator(".comparison .strip").count() == 20


def test_a_variant_has_no_pictures_and_the_page_says_so(
    answered: Path, add_digest: Callable[..., Path],
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:  # fmt: skip
    """Where only one side has strips, they stand alone and the reason is given."""
    add_digest()
    _, page = show(answered, anchor=f"ground={GROUND}&a=weak-full&b=strong-w-o-SDM")
    assert page.locator(".comparison .strip").first.locator(".shots").count() == 1
    assert "There are no pictures of STRONG: w/o SDM" in page.locator(".comparison").inner_text()


def test_without_scripts_there_are_all_pairs(
    answered: Path, build: Callable[[Path], tuple[Site, Path]],
    open_page: Callable[..., playwright.Page],
) -> None:  # fmt: skip
    """The table holds every pair, the better one first, as the family has it."""
    site, path = build(answered)
    page = open_page(path, scripts=False)
    assert not page.locator(".chosen").is_visible()
    rows = [
        row.locator("th, td").all_inner_texts()
        for row in page.locator(".pair-table tbody tr").all()
    ]
    assert [row[0] for row in rows] == [
        "STRONG over MIDDLING",
        "STRONG over WEAK",
        "MIDDLING over WEAK",
    ]
    contest = site.contests["demo/paperdolls"]
    family = contest.family("r1")
    assert family
    one = difference(family, ("strong", "full"), ("weak", "full"))
    assert [row[4:] for row in rows][1] == [str(n) for n in (one.wins, one.ties, one.losses)]
    assert f"{one.low:.1f} to {one.high:.1f}" in rows[1][2]


def test_many_methods_are_compared_with_the_best_only(
    results: Path, add_answers: Callable[..., Path], build: Callable[[Path], tuple[Site, Path]],
    read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Eleven methods would be 55 pairs: the table holds the ten with the best."""
    for number in range(11):
        add_answers(f"m{number:02d}", 0.5 + number / 10)
    site, path = build(results)
    contest = site.contests["demo/paperdolls"]
    best = max(contest.published, key=lambda entry: contest.answers[entry].values["r1"].mean())
    rows = [row for row in read_page(path).rows if " over " in row[0]]
    assert len(rows) == 10
    assert all(row[0].startswith(f"{best[0].upper()} over") for row in rows)


def test_what_cannot_be_compared_is_named_with_its_reason(
    answered: Path, add_answers: Callable[..., Path], add_run: Callable[..., Path],
    build: Callable[[Path], tuple[Site, Path]], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """A method with other seeds, and one without answers, are listed with what is wrong."""
    add_answers("late", 1.0, seed=7)
    add_run("failed", status="error", history=False)
    text = " ".join(read_page(build(answered)[1]).text.split())
    assert "LATE: " in text
    assert "ran with seeds" in text
    assert "FAILED: failed/full has no finished run to compare" in text


def test_one_method_alone_is_not_compared(
    results: Path, add_answers: Callable[..., Path], build: Callable[[Path], tuple[Site, Path]],
    read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Where there is nothing to choose, no choice is offered and the reason stands there."""
    add_answers("one", 1.0)
    page = read_page(build(results)[1])
    assert "Only one method as published has answers here" in page.text
    assert "chosen" not in page.attributes("class")


def test_names_are_texts_everywhere(
    results: Path, add_answers: Callable[..., Path],
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:  # fmt: skip
    """A hostile name is shown in the choices, the verdict and the tables, and runs nothing."""
    script = "</script><script>window.broken = 1</script>"
    name = f"{script}\"'><img src=x onerror='window.broken = 1'>\u202e"
    add_answers("one", 1.0)
    add_answers("two", 1.5, title=name)
    add_answers("two", 1.5, title=name, variant=name)
    _, page = show(results)
    shown = name.replace("\u202e", "\ufffd")
    assert shown in page.locator(".verdict").inner_text()
    assert f"{shown}, as published" in page.locator("select[name=b] option").all_inner_texts()
    page.get_by_label("B", exact=True).select_option(label=f"{shown}: {shown}")
    expect(page.locator(".verdict")).to_contain_text(f"{shown}: {shown}")
    assert page.evaluate("window.broken") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_no_barriers(
    answered: Path, add_digest: Callable[..., Path], dark: bool,
    show: Callable[..., tuple[Site, playwright.Page]],
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """Axe finds nothing serious on the page once it has compared."""
    add_digest()
    _, page = show(answered, dark=dark)
    assert find_barriers(page) == []


def test_a_phone_scrolls_only_tables_sideways(
    answered: Path, add_digest: Callable[..., Path],
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:  # fmt: skip
    """At 390 px nothing is wider than the screen but what a frame holds."""
    add_digest()
    _, page = show(answered, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".comparison .strip .shots").first.bounding_box()["width"] <= 358


def test_a_spoilt_address_opens_the_usual_pair(
    show: Callable[..., tuple[Site, playwright.Page]],
) -> None:
    """What the address names and is not there is passed over."""
    _, page = show(anchor="ground=%E0%A4%A&a=__proto__&b=weak-full")
    assert chosen(page) == ["strong-full", "weak-full"]
