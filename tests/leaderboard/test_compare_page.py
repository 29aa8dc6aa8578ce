from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pytest
from playwright.sync_api import expect
from scipy import stats

from harness.cli.display.comparisons import show_families
from harness.results import METRICS
from harness.results.answers import restrict
from harness.results.comparison import compare_methods
from harness.significance import Comparison, compare
from leaderboard import compare as compare_page
from leaderboard import ranking
from leaderboard.records.contest import Contest, difference
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import Site, load_site
from leaderboard.strips.names import entry_names
from leaderboard.typography import MINUS, fixed, probability, signed

from ..made_once import Make
from .recorder import Recorder, pages_once

SKILLS = {"weak": 0.6, "middling": 1.4, "strong": 1.6}
GROUND = "demo-paperdolls"
EXACT = ("r1", "r5", "r10")  # the metrics that follow from the packed ranks

Show = Callable[..., tuple[Site, playwright.Page]]


def answer(recorder: Recorder) -> None:
    """Finish runs of three methods with three seeds, and of a variant of one."""
    for seed in range(3):
        for method, skill in SKILLS.items():
            recorder.add_answers(method, skill, seed=seed)
        recorder.add_answers("strong", 1.2, seed=seed, variant="w/o SDM")


def answer_unevenly(recorder: Recorder) -> None:
    """Add a method without randomness, and variants with two of the seeds and with one."""
    answer(recorder)
    recorder.add_answers("frozen", 1.1, supervision="none")
    for seed in (0, 1):
        recorder.add_answers("strong", 1.3, seed=seed, variant="two")
    recorder.add_answers("weak", 0.9, seed=0, variant="first")
    recorder.add_answers("weak", 0.9, seed=2, variant="last")


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


@pytest.fixture(scope="session")
def uneven(once: Make) -> tuple[Site, Path]:
    """Return the same of methods and variants that differ in their seeds."""
    results, site = pages_once(once, "compare-uneven", answer_unevenly, write)
    return load_site(results, FOLDER), site / "compare.html"


@pytest.fixture
def show_page(open_page: Callable[..., playwright.Page]) -> Callable[..., playwright.Page]:
    """Return a function that opens a page, and waits until it has compared."""

    def open_compared(path: Path, **how: Any) -> playwright.Page:
        page = open_page(path, **how)
        page.wait_for_selector(".by-metric")
        return page

    return open_compared


@pytest.fixture
def show(
    written: tuple[Site, Path], build: Callable[[Path], tuple[Site, Path]],
    show_page: Callable[..., playwright.Page],
) -> Show:  # fmt: skip
    """Return a function that opens the page of results; without any, of the three methods."""

    def open_built(results: Path | None = None, **how: Any) -> tuple[Site, playwright.Page]:
        site, path = written if results is None else build(results)
        return site, show_page(path, **how)

    return open_built


def read_data(path: Path) -> Any:
    """Return what a data script hands over."""
    quoted = re.fullmatch(r'leaderboardData\(".*?", JSON\.parse\((".*")\)\);\n', path.read_text())
    assert quoted
    return json.loads(json.loads(quoted[1]))


def unpack(text: str, kind: str) -> Any:
    """Return packed numbers."""
    return np.frombuffer(base64.b64decode(text), f"<{kind}").astype(np.int64)


def read_flags(text: str, count: int) -> list[bool]:
    """Return packed truth values."""
    bits = np.unpackbits(unpack(text, "u1").astype(np.uint8), bitorder="little")
    return [bool(bit) for bit in bits[:count]]


def figures(page: playwright.Page) -> dict[str, list[str]]:
    """Return the cells of each row of the table by metric."""
    rows = page.locator(".by-metric tbody tr").all()
    return {
        cells[0]: cells[1:] for cells in (row.locator("th, td").all_inner_texts() for row in rows)
    }


def centres(shapes: playwright.Locator) -> dict[str, float]:
    """Return by its text where each of some shapes stands across the page."""
    boxes = {one.text_content() or "": one.bounding_box() for one in shapes.all()}
    return {text: box["x"] + box["width"] / 2 for text, box in boxes.items() if box}


def chosen(page: playwright.Page) -> list[str]:
    """Return which entries are A and B."""
    return [page.locator(f"select[name={side}]").input_value() for side in "ab"]


def compared(page: playwright.Page, *files: str) -> dict[str, dict[str, Any]]:
    """Return what the browser computes for two entries."""
    script = """async ([ground, ...files]) => {
      const { load, paired } = leaderboard;
      const [contest, queries, ...entries] = await Promise.all(
        ["contest", "queries", ...files.map((file) => `entries/${file}`)].map((name) =>
          load(`${ground}/${name}`)));
      const about = (file) => contest.entries.find((entry) => entry.file === file);
      const read = entries.map((data, i) => paired.readEntry(data, about(files[i]), contest));
      const seeds = paired.commonSeeds(...read);
      const sides = read.map((entry) => paired.restrict(entry, seeds));
      return paired.compare(...sides, queries.people, contest).metrics;
    }"""
    found: dict[str, dict[str, Any]] = page.evaluate(script, [GROUND, *files])
    return found


def link(a: str, b: str) -> str:
    """Return what opens the page with two entries."""
    return f"ground={GROUND}&a={a}&b={b}"


def choose(page: playwright.Page, a: str, b: str) -> None:
    """Open a pair on the page that is there, and wait until it has compared."""
    before = page.locator(".by-metric").element_handle()
    page.evaluate("(hash) => { location.hash = hash; }", link(a, b))
    page.wait_for_function("(old) => !old.isConnected", arg=before)
    page.wait_for_selector(".by-metric")


def published_pairs(contest: Contest, metric: str) -> dict[tuple[str, str], Comparison]:
    """Return how methods as published differ, by the files of their data."""
    family = contest.family(metric)
    assert family
    names = entry_names(contest)
    return {
        (names[a], names[b]): difference(family, a, b)
        for a, b in combinations(contest.published, 2)
    }


def test_intervals_have_a_scale(show: Show) -> None:
    """Above them stand zero, where the line of no difference is, other values, and the unit."""
    _, page = show()
    header = centres(page.locator(".by-metric thead .ticks text"))
    assert "points" in header
    values = {
        float(text.replace("\N{MINUS SIGN}", "-")): x
        for text, x in header.items()
        if text != "points"
    }
    low, high = min(values), max(values)
    assert low < high
    point = (values[high] - values[low]) / (high - low)  # in pixels
    for row in page.locator(".by-metric tbody tr").all():
        (zero,) = centres(row.locator(".zero")).values()
        (middle,) = centres(row.locator(".middle")).values()
        assert zero == pytest.approx(values[0.0], abs=1.5)
        shown = row.locator("td").nth(2).inner_text().split(",")[0]
        difference = float(shown.replace("\N{MINUS SIGN}", "-"))
        assert middle == pytest.approx(values[0.0] + difference * point, abs=2)


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
            steps = np.stack([unpack(of_seed, "u2") for of_seed in data[metric]])
            shares = steps * 100 / listed["levels"]
            assert np.abs(shares - answers.values[metric]).max() <= 50.0001 / listed["levels"]
        assert entry["means"] == {m: values.mean() for m, values in answers.values.items()}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("middling", "full"), ("strong", "w/o SDM")),
        (("weak", "full"), ("strong", "full")),
        (("frozen", "full"), ("strong", "w/o SDM")),  # one run beside seeds
        (("strong", "two"), ("strong", "full")),  # two of three seeds
        (("frozen", "full"), ("strong", "two")),
        (("strong", "full"), ("weak", "last")),  # one seed
        (("frozen", "full"), ("frozen", "full")),  # the same
    ],
)
def test_the_browser_finds_what_python_finds(
    uneven: tuple[Site, Path], show_page: Callable[..., playwright.Page],
    a: tuple[str, str], b: tuple[str, str],
) -> None:  # fmt: skip
    """p agrees within a millionth and the interval within 1e-6 points; shares as far as packed."""
    site, path = uneven
    contest = site.contests["demo/paperdolls"]
    names = entry_names(contest)
    seeds = contest.ledger.common_seeds((a, b))
    first, second = (restrict(contest.answers[entry], seeds) for entry in (a, b))
    found = compared(show_page(path), names[a], names[b])
    for metric in METRICS:
        values = first.values[metric], second.values[metric]
        ours = compare(*values, first.people, contest.ledger.spreads[metric])
        theirs = found[metric]
        points, share = (1e-6, 1e-6) if metric in EXACT else (1e-3, 5e-3)
        assert theirs["a"] == pytest.approx(values[0].mean(), abs=points)
        for end in ("difference", "low", "high"):
            assert theirs[end] == pytest.approx(getattr(ours, end), abs=points)
        assert theirs["p"] == pytest.approx(ours.p_value, rel=share)
        assert theirs["real"] == ours.is_real
        assert theirs["wins"] + theirs["ties"] + theirs["losses"] == ours.queries
        if metric in EXACT:
            assert (theirs["wins"], theirs["losses"]) == (ours.wins, ours.losses)


def test_the_browser_asks_the_two_alone_where_the_board_tells_nothing(show: Show) -> None:
    """Without a spread of the board, that of the two entries is taken, as Python does."""
    site, page = show()
    contest = site.contests["demo/paperdolls"]
    page.evaluate(
        "async (ground) => { (await leaderboard.load(`${ground}/contest`)).spread = {}; }", GROUND
    )
    found = compared(page, "middling-full", "strong-w-o-SDM")
    a, b = contest.answers["middling", "full"], contest.answers["strong", "w/o SDM"]
    for metric in EXACT:
        ours = compare(a.values[metric], b.values[metric], a.people)
        assert found[metric]["p"] == pytest.approx(ours.p_value, rel=1e-6)
        assert found[metric]["high"] == pytest.approx(ours.high, abs=1e-6)


def test_the_browser_knows_students_t(show: Show) -> None:
    """p-values and quantiles are right for any degrees of freedom, from 0.3 to 10,000."""
    _, page = show()
    degrees = [0.3, 1.0, 1.7, 2.0, 8.25, 97.3, 999.0, 10_000.0]
    sizes = [1e-6, 0.1, 1.0, 1.7, 1.9599, 3.0, 12.0, 37.0, 1e5]
    script = """([degrees, sizes]) => degrees.map((of) => [
      sizes.map((t) => leaderboard.student.pValue(t, of)),
      [0.05, 0.001].map((p) => leaderboard.student.quantile(p, of)),
    ])"""
    found = page.evaluate(script, [degrees, sizes])
    for of, (p_values, quantiles) in zip(degrees, found, strict=True):
        expected = 2 * stats.t.sf(sizes, of)
        assert p_values == pytest.approx(expected, rel=1e-9, abs=1e-290)
        assert quantiles == pytest.approx(stats.t.isf([0.025, 0.0005], of), rel=1e-9)


def test_the_browser_writes_numbers_as_python_does(show: Show) -> None:
    """Halves go to the even digit, thousands have commas, and what is printed as zero no sign."""
    _, page = show()
    values = [6.25, 6.75, -6.25, 0.35, 0.125, -0.375, 1234.56, -0.04, 0.04, -0.004, 0.0, 2.4e-10]
    script = """(values) => [1, 2].map((decimals) =>
      values.map((value) => leaderboard.verdict.fixed(value, decimals)))"""
    for decimals, written in zip((1, 2), page.evaluate(script, values), strict=True):
        assert written == [fixed(value, decimals) for value in values]


def test_verdict_interval_and_p_are_those_of_the_family(
    uneven: tuple[Site, Path], show_page: Callable[..., playwright.Page]
) -> None:
    """Of every published pair by every metric, zero is inside exactly when it is not told apart.

    What is written is what the family of all pairs says.
    """
    site, path = uneven
    contest = site.contests["demo/paperdolls"]
    page = show_page(path)
    of_metrics = {metric: published_pairs(contest, metric) for metric in METRICS}
    decided = set()
    for files in of_metrics["r1"]:
        choose(page, *files)
        rows = page.locator(".by-metric tbody tr")
        said = page.locator(".verdict").inner_text()
        assert ("not told apart" in said) != of_metrics["r1"][files].is_real
        for row, (metric, of_pairs) in enumerate(of_metrics.items()):
            one = of_pairs[files]
            decided.add(one.is_real)
            assert (one.low <= 0 <= one.high) != one.is_real
            quiet = rows.nth(row).locator("td.quiet").count()
            assert quiet == (0 if one.is_real else 4)
            cells = figures(page)[METRICS[metric]]
            decimals = len(cells[0].split(".")[1])
            assert cells[2].split("\n")[0].split(",")[0] == signed(one.difference, decimals)
            assert cells[4] == f"{signed(one.low, decimals)} to {signed(one.high, decimals)}"
            assert cells[5] == probability(one.adjusted).removeprefix("p ")
            if metric in EXACT:
                assert cells[6:] == [str(n) for n in (one.wins, one.ties, one.losses)]
    assert decided == {True, False}


def test_the_terminal_and_the_index_say_the_same(
    uneven: tuple[Site, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """p, interval and verdict of every published pair are those of the family, as printed."""
    site, _ = uneven
    contest = site.contests["demo/paperdolls"]
    write_site(ranking.make_files(site), tmp_path / "index")
    index = read_data(tmp_path / f"index/data/{GROUND}/ranking.js")
    for metric in METRICS:
        family = contest.family(metric)
        assert family
        show_families(compare_methods(site.results, "demo", [], metric), as_json=True)
        (told,) = json.loads(capsys.readouterr().out)
        assert len(told["pairs"]) == len(family.comparisons)
        for pair in told["pairs"]:
            one = family.between(f"{pair['a']}/full", f"{pair['b']}/full")
            said = [pair[end] for end in ("adjusted", "low", "high")]
            assert said == pytest.approx([one.adjusted, one.low, one.high], rel=1e-9)
        packed = index["metrics"][metric]
        pairs = [
            family.between(f"{a}/full", f"{b}/full") for a, b in combinations(index["keys"], 2)
        ]
        ends = unpack(packed["low"], "u2") / 10 ** packed["decimals"] - index["largest"]
        step = 0.5001 / 10 ** packed["decimals"]
        assert ends == pytest.approx([one.low for one in pairs], abs=step)
        p_values = unpack(packed["p"], "u4") / index["pSteps"]
        assert p_values == pytest.approx([one.adjusted for one in pairs], abs=1e-9)
        assert read_flags(packed["real"], len(pairs)) == [one.is_real for one in pairs]


def test_the_script_is_told_figures_as_exactly_as_they_are_printed(
    uneven: tuple[Site, Path],
) -> None:
    """Of every published pair, p, reach and verdict are packed within a billionth."""
    site, path = uneven
    contest = site.contests["demo/paperdolls"]
    told = read_data(path.parent / f"data/{GROUND}/contest.js")
    for metric in METRICS:
        found, packed = published_pairs(contest, metric).values(), told["published"][metric]
        p_values, reach = (unpack(packed[key], "u4") / told["steps"] for key in ("p", "reach"))
        assert p_values == pytest.approx([one.adjusted for one in found], abs=1e-9)
        halves = [one.high - one.difference for one in found]
        assert reach * packed["largest"] == pytest.approx(halves, abs=1e-9 * packed["largest"])
        assert read_flags(packed["real"], len(halves)) == [one.is_real for one in found]


def test_two_of_three_seeds_are_compared_and_named(
    uneven: tuple[Site, Path], show_page: Callable[..., playwright.Page]
) -> None:
    """A variant with fewer seeds is compared on those that both have; the page says so."""
    site, path = uneven
    contest = site.contests["demo/paperdolls"]
    page = show_page(path, anchor=link("strong-full", "strong-two"))
    said = page.locator(".comparison").inner_text()
    assert "means over seeds 0 and 1, which both have" in said
    assert "STRONG also ran with seed 2." in said
    assert "for this pair alone" in said
    assert "in the order of the seeds 0 and 1" in said
    a = contest.answers["strong", "full"].values["r1"][:2].mean()
    cells = figures(page)["R1"]
    assert cells[0] == fixed(a, len(cells[0].split(".")[1]))


def test_without_a_common_seed_there_are_no_figures(
    uneven: tuple[Site, Path], open_page: Callable[..., playwright.Page]
) -> None:
    """Two entries that share no seed are not compared, and the page says why."""
    page = open_page(uneven[1], anchor=link("weak-first", "weak-last"))
    expect(page.locator(".verdict")).to_contain_text("they have no seed in common")
    said = page.locator(".comparison").inner_text()
    assert "WEAK: first ran with seed 0, WEAK: last ran with seed 2." in said
    assert page.locator(".comparison table, .comparison .strip").count() == 0


def test_one_run_speaks_of_other_people_only(
    uneven: tuple[Site, Path], show_page: Callable[..., playwright.Page],
    recorder: Recorder, build: Callable[[Path], tuple[Site, Path]],
    read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """A method without randomness says so beside others, in the comparison and in the table."""
    page = show_page(uneven[1], anchor=link("frozen-full", "weak-full"))
    assert "FROZEN is one run: other people only." in page.locator(".comparison").inner_text()
    assert "means over seeds 0, 1 and 2;" in page.locator(".comparison").inner_text()
    rows = page.locator(".pair-table tbody tr").all_inner_texts()
    noted = ["FROZEN is one run: other people only" in row for row in rows]
    assert noted == ["FROZEN" in row for row in rows]
    choose(page, "strong-full", "weak-last")
    said = page.locator(".comparison").inner_text()
    assert "Each is here with one run: other people only." in said
    assert "compared on seed 2, which both have. STRONG also ran with seeds 0 and 1." in said
    for method, skill in {"one": 1.0, "two": 1.2}.items():
        recorder.add_answers(method, skill, supervision="none")
    text = " ".join(read_page(build(recorder.results)[1]).text.split())
    assert "Would the difference in R1 hold for other people?" in text
    assert "each is one run: other people only" in text


def test_no_word_is_left_of_other_procedures(
    uneven: tuple[Site, Path], show_page: Callable[..., playwright.Page]
) -> None:
    """Neither the page, with its comparison, nor its scripts speak of flips, resamples or MaxT."""
    page = show_page(uneven[1])
    scripts = [uneven[1].parent / f"assets/{name}.js" for name in ("compare", "paired", "verdict")]
    said = page.locator("main").inner_text() + "".join(map(Path.read_text, scripts))
    dead = r"\bflip|bootstrap|resampl|maxt|\bwide(ly)?\b|too short|more seeds|corrected"
    assert re.findall(dead, said, re.IGNORECASE) == []


def test_six_thousand_queries_take_no_time(
    show: Show,
) -> None:
    """A comparison of 6,156 queries of 1,000 people takes less than 0.3 s."""
    _, page = show()
    script = """() => {
      const people = Array.from({ length: 6156 }, (_, i) => i % 1000);
      const names = ["r1", "r5", "r10", "map", "minp"];
      const row = (shift, seed) =>
        Uint16Array.from(people, (_, i) => (i * (7919 + shift + 13 * seed)) % 65536);
      const side = (shift) => leaderboard.paired.restrict({
        seeds: [0, 1, 2], ranks: [0, 1, 2],
        values: Object.fromEntries(names.map((name) => [name,
          { bySeed: [0, 1, 2].map((seed) => row(shift, seed)), unit: 1 }])),
      }, [0, 1, 2]);
      const named = (value) => Object.fromEntries(names.map((name) => [name, value]));
      const contest = {
        metrics: named(""), spread: named({ own: 1, degrees: 12 }), prior: 2, level: 0.05 };
      const times = [1, 2, 3].map(() => {
        const start = performance.now();
        leaderboard.paired.compare(side(0), side(12), people, contest);
        return performance.now() - start;
      });
      return Math.min(...times);
    }"""
    assert page.evaluate(script) < 300


def test_entries_of_six_thousand_queries_are_small(
    results: Path, add_answers: Callable[..., Path], build: Callable[[Path], tuple[Site, Path]]
) -> None:
    """A variant takes less than 130 KB for 6,156 queries of three seeds, a method less than 350."""
    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
        add_answers("one", 1.0, seed=seed, variant="v")
    site, path = build(results)
    queries = len(site.contests["demo/paperdolls"].answers["one", "full"].queries)
    for name, limit in {"one-v": 130_000, "one-full": 350_000}.items():
        size = (path.parent / f"data/{GROUND}/entries/{name}.js").stat().st_size
        assert (size - 200) * 6156 / queries + 200 < limit


def test_the_page_opens_with_the_best_two(
    show: Show,
) -> None:
    """Without a choice the two best methods are compared, as they are in the ranking."""
    site, page = show()
    contest = site.contests["demo/paperdolls"]
    best = sorted(contest.published, key=lambda e: -contest.answers[e].values["r1"].mean())[:2]
    assert chosen(page) == [f"{method}-full" for method, _ in best]
    family = contest.family("r1")
    assert family
    one = difference(family, *best)
    cells = figures(page)["R1"]
    assert float(cells[2].split(",")[0]) == pytest.approx(one.difference, abs=0.06)
    assert cells[5] == probability(one.adjusted).removeprefix("p ")
    assert "for all 3 pairs of methods as published at once" in page.locator("main").inner_text()


def test_the_page_says_the_same_on_every_visit(
    show: Show,
) -> None:
    """Nothing is left to chance."""
    _, page = show()
    before = figures(page)
    page.reload()
    page.wait_for_selector(".by-metric")
    assert figures(page) == before


def test_the_choice_is_in_the_address_and_the_browser_goes_back(
    show: Show,
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


def test_differences_by_seed_are_listed(show: Show) -> None:
    """How R1 differs under each seed stands with the comparison."""
    site, page = show(anchor=link("strong-full", "weak-full"))
    contest = site.contests["demo/paperdolls"]
    a, b = (contest.answers[method, "full"].values["r1"].mean(1) for method in ("strong", "weak"))
    first, second, third = (signed(one, 1) for one in a - b)
    said = page.locator(".comparison").inner_text()
    assert f"by seed, R1 differs by {first}, {second} and {third} points" in said


def test_swapping_mirrors_the_figures(show: Show) -> None:
    """With A and B swapped, wins are losses and differences change their sign."""
    _, page = show()
    before = figures(page)
    page.get_by_role("button", name="Swap A and B").click()
    expect(page.locator(".by-metric td").first).not_to_have_text(before["R1"][0])
    for metric, cells in figures(page).items():
        assert cells[:2] == before[metric][1::-1]
        assert cells[-3:] == before[metric][:-4:-1]


def test_the_keyboard_is_enough(show: Show) -> None:
    """A choice can be made, and the disagreements filtered, without a mouse."""
    _, page = show()
    before = page.locator(".verdict").inner_text()
    page.get_by_label("B", exact=True).focus()
    page.keyboard.press("End")
    expect(page.locator(".verdict")).not_to_have_text(before)
    page.locator("input[value=both]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("input[value=a]").is_checked()


def test_the_matrix_says_what_the_family_says(show: Show) -> None:
    """Of every pair, by every metric: the difference, whether it is real, and both in words."""
    site, page = show()
    for metric, name in METRICS.items():
        page.get_by_role("radio", name=name, exact=True).check()
        expect(page.locator(".all .by")).to_have_text(name)
        expected = matrix_of(site, metric)
        rows = page.locator("table.matrix tbody tr").all()
        found = [
            [
                (cell.text_content(), cell.get_attribute("aria-label"))
                for cell in row.locator("td").all()
            ]
            for row in rows
        ]
        assert found == expected


def matrix_of(site: Site, metric: str) -> list[list[tuple[str, str]]]:
    """Return the text and the sentence of every cell, the best method first."""
    contest = site.contests["demo/paperdolls"]
    family = contest.family(metric)
    assert family is not None
    means = {entry: contest.answers[entry].values[metric].mean() for entry in contest.published}
    ordered = sorted(means, key=lambda entry: -means[entry])

    def cell(row: tuple[str, str], column: tuple[str, str]) -> tuple[str, str]:
        if row == column:
            return "", "the same"
        found = difference(family, row, column)
        points = fixed(abs(found.difference), 1)
        sign, side = (MINUS, "below") if found.difference < 0 else ("+", "above")
        first, second = (site.addresses.titles[method] for method, _ in (row, column))
        said = f"{first} is {points} points of {METRICS[metric]} {side} {second}"
        if found.is_real:
            return f"{sign}{points}", said
        return f"\N{ALMOST EQUAL TO}\N{THIN SPACE}{sign}{points}", f"{said}, not told apart"

    return [[cell(row, column) for column in ordered] for row in ordered]


def test_a_cell_chooses_its_pair(show: Show) -> None:
    """By arrows and Enter; A and B, the address and what is said follow, and so does the focus."""
    site, page = show()
    cells = page.locator("table.matrix tbody tr >> nth=0 >> td")
    assert cells.nth(1).get_attribute("aria-selected") == "true"
    cells.nth(1).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".verdict")).to_be_focused()
    contest = site.contests["demo/paperdolls"]
    means = {entry: contest.answers[entry].values["r1"].mean() for entry in contest.published}
    ordered = sorted(means, key=lambda entry: -means[entry])
    files = entry_names(contest)
    assert chosen(page) == [files[ordered[1]], files[ordered[2]]]
    assert f"a={files[ordered[1]]}&b={files[ordered[2]]}" in page.url
    stops = page.locator("table.matrix td").evaluate_all(
        "cells => cells.filter((cell) => cell.tabIndex === 0).map((cell) => cell.ariaSelected)"
    )
    assert stops == ["true"]


def test_the_matrix_of_sixty_is_signs(
    results: Path, add_answers: Callable[..., Path], show: Show
) -> None:
    """Its cells are small, each still says the difference, and nothing else scrolls sideways."""
    for number in range(60):
        add_answers(f"m{number:02d}", number / 20)
    _, page = show(results)
    texts = page.locator("table.matrix td:not(.same)").all_text_contents()[1:]
    assert len([text for text in texts if text]) == 60 * 59
    assert {text for text in texts if text} == {"+", MINUS, "\N{ALMOST EQUAL TO}"}
    box = page.locator("table.matrix").bounding_box()
    assert box is not None
    assert box["width"] < 1400
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0


def test_the_verdict_is_live(show: Show) -> None:
    """It stays one element while pair and metric change, so that a screen reader hears it."""
    _, page = show()
    verdict = page.locator(".verdict")
    assert verdict.get_attribute("role") == "status"
    expect(page.locator(".comparison .banner", has_text="Drawn data.")).to_be_visible()
    before, element = verdict.inner_text(), verdict.element_handle()
    page.get_by_role("radio", name="mINP", exact=True).check()
    expect(verdict).not_to_have_text(before)
    page.get_by_label("B", exact=True).select_option("strong-w-o-SDM")
    expect(verdict).to_contain_text("w/o SDM")
    assert element.evaluate("element => element.isConnected && element.matches('.verdict')")


def test_printed_it_takes_four_pages(
    recorder: Recorder, build: Callable[[Path], tuple[Site, Path]],
    show_page: Callable[..., playwright.Page],
) -> None:  # fmt: skip
    """Seven methods with the matrix, all tables and some queries; links say where they lead."""
    colours = ("red", "blue", "green")
    captions = [f"A man with a {colours[n // 4 % 3]} bag and black shoes, {n}" for n in range(96)]
    recorder.add_digest(captions=captions)
    for number in range(7):
        for seed in range(3):
            recorder.add_answers(f"m{number}", 0.5 + number / 4, seed=seed)
    page = show_page(build(recorder.results)[1])
    pages = re.findall(rb"/Type /Page\b(?!s)", page.pdf(prefer_css_page_size=True))
    assert 1 <= len(pages) <= 4
    page.emulate_media(media="print")
    assert page.locator("table.matrix").is_visible()
    assert page.locator(".confusions").is_visible()
    assert page.locator(".choice select >> visible=true").count() == 0
    link = page.locator(".sides a").first
    spelt = link.evaluate("link => getComputedStyle(link, '::after').content")
    assert str(link.get_attribute("href")).split("/")[-1] in spelt


def test_disagreements_are_those_that_the_answers_have(
    answered: Path, add_digest: Callable[..., Path],
    show: Show,
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
    show: Show,
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
    assert rows[1][2] == f"{signed(one.low, 1)} to {signed(one.high, 1)}"
    assert rows[1][3] == probability(one.adjusted).removeprefix("p ")
    grey = [
        row.locator(".estimate.quiet").count() for row in page.locator(".pair-table tbody tr").all()
    ]
    pairs = [("strong", "middling"), ("strong", "weak"), ("middling", "weak")]
    real = [family.between(f"{a}/full", f"{b}/full").is_real for a, b in pairs]
    assert [not one for one in grey] == real


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
    show: Show,
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


@pytest.mark.parametrize("dark", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_no_barriers(
    answered: Path, add_digest: Callable[..., Path], dark: bool,
    show: Show,
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """Axe finds nothing serious on the page once it has compared."""
    add_digest()
    _, page = show(answered, dark=dark)
    assert find_barriers(page) == []


def test_a_phone_scrolls_only_tables_sideways(
    answered: Path, add_digest: Callable[..., Path],
    show: Show,
) -> None:  # fmt: skip
    """At 390 px nothing is wider than the screen but what a frame holds."""
    add_digest()
    _, page = show(answered, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".comparison .strip .shots").first.bounding_box()["width"] <= 358


def test_a_spoilt_address_opens_the_usual_pair(
    show: Show,
) -> None:
    """What the address names and is not there is passed over."""
    _, page = show(anchor="ground=%E0%A4%A&a=__proto__&b=weak-full")
    assert chosen(page) == ["strong-full", "weak-full"]
