from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import playwright.sync_api as playwright
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect
from scipy import stats

from harness.significance import LEVEL, compare
from leaderboard.build import build_site
from leaderboard.compare.data_files import pack_traits
from leaderboard.method.confusions import confusion_table
from leaderboard.records.contest import Contest
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site
from leaderboard.strips.exhibits import find_exhibits
from leaderboard.strips.mistakes import NAMES, ORDER, MistakeFinder, shares_of
from leaderboard.strips.section import retrieved_by_seed, strip_section
from leaderboard.typography import interval_end, probability, signed

Shares = NDArray[np.float64]

COLOURS = ("red", "blue", "green", "black")
CAPTIONS = [
    f"A {'man' if person % 2 else 'woman'} with a {COLOURS[person % 4]} bag and"
    f" {COLOURS[(person + caption) % 3]} shoes <b>"
    for person in range(24)
    for caption in range(4)
]


@pytest.fixture
def told(results: Path, add_answers: Callable[..., Path], add_digest: Callable[..., Path]) -> Path:
    """Return results of four methods with three seeds, and captions that tell people apart."""
    add_digest(captions=CAPTIONS)
    for seed in range(3):
        for method, skill in {"weak": 0.6, "fair": 1.5, "good": 2.0, "strong": 2.5}.items():
            add_answers(method, skill, seed=seed)
    return results


def contest_of(results: Path) -> Contest:
    """Return the contest of these results."""
    return load_site(results, FOLDER).contests["demo/paperdolls"]


def count_mistakes(contest: Contest, method: str) -> dict[str, Shares]:
    """Return by category which queries (S, Q) a wrong first image contradicts, found one by one."""
    by_seed = retrieved_by_seed(contest, (method, "full"), find_exhibits(contest))
    described = contest.described
    assert described is not None
    found = {category: np.zeros((len(by_seed), len(CAPTIONS))) for category in ORDER}
    for seed, retrieved in enumerate(by_seed):
        for query in range(len(CAPTIONS)):
            if not retrieved.right[query, 0]:
                for one in described.contradictions(query, int(retrieved.rows[query, 0])):
                    found[one.trait.category][seed, query] = 100.0
    return found


def test_mistakes_are_those_of_the_first_images(told: Path) -> None:
    """Counted query by query: wrong at rank 1, and its captions name another value."""
    contest = contest_of(told)
    by_seed = retrieved_by_seed(contest, ("weak", "full"), find_exhibits(contest))
    assert len(by_seed) == 3
    flags = MistakeFinder(contest).find(("weak", "full"))
    assert flags is not None
    found = shares_of(flags)
    for category, shares in count_mistakes(contest, "weak").items():
        assert np.array_equal(found[category], shares)
    digest = contest.digest
    assert digest is not None
    for category, pattern in (("bag", r"(\w+) bag"), ("sex", r"A (man|woman)")):
        for seed, retrieved in enumerate(by_seed):
            for query, caption in enumerate(CAPTIONS):
                row = retrieved.rows[query, 0]
                of_image = [c for c, image in zip(CAPTIONS, digest.image_of_caption, strict=True)
                            if image == row]  # fmt: skip
                values = {re.search(pattern, one)[1] for one in of_image}
                wrong = not retrieved.right[query, 0]
                differs = bool(values) and re.search(pattern, caption)[1] not in values
                assert found[category][seed, query] == (100.0 if wrong and differs else 0.0)


def test_the_table_has_means_and_intervals_the_most_frequent_first(told: Path) -> None:
    """A row a category, whose mean is that of the counts, inside its interval."""
    contest = contest_of(told)
    table = confusion_table(MistakeFinder(contest), "weak", "here")
    assert table is not None
    counts = count_mistakes(contest, "weak")
    shares = [float(row.share) for row in table.rows]
    assert shares == sorted(shares, reverse=True)
    (bag,) = (row for row in table.rows if row.name == "bag")
    assert float(bag.share) == pytest.approx(counts["bag"].mean(), abs=0.051)
    low, high = map(float, bag.interval.split(" to "))
    assert low <= float(bag.share) <= high


def test_compare_says_of_each_category_what_a_loop_finds(
    told: Path, tmp_path: Path, open_page: Callable[..., playwright.Page]
) -> None:
    """Shares, their intervals as on the method's page, differences, and p for all rows at once."""
    contest = contest_of(told)
    finder = MistakeFinder(contest)
    shares = [count_mistakes(contest, method) for method in ("weak", "strong")]
    tables = [confusion_table(finder, method, "here") for method in ("weak", "strong")]
    site = build_site(told, tmp_path / "site").parent
    page = open_page(
        site / "compare.html", anchor="ground=demo-paperdolls&a=weak-full&b=strong-full"
    )
    table = page.locator(".comparison .confusions")
    rows = [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]
    cells = {
        row[0]: [" ".join(cell.split()).replace(" ,", ",") for cell in row[1:]] for row in rows
    }
    assert len(cells) == len(ORDER)
    decided = set()
    for category in ORDER:
        name = NAMES.get(category, category)
        a, b = (of_side[category] for of_side in shares)
        one = compare(a, b, finder.people, finder.spreads[category])
        level = LEVEL / len(ORDER)
        reach = stats.t.isf(level / 2, one.degrees) * one.error if one.error else 0.0
        ends = max(one.difference - reach, -100.0), min(one.difference + reach, 100.0)
        for column, told_of in enumerate(tables):
            assert told_of is not None
            (own,) = (row for row in told_of.rows if row.name == name)
            assert cells[name][column] == f"{own.share}, interval {own.interval}"
        difference = cells[name][3].split(",")[0]
        decimals = len(difference.split(".")[1])
        assert difference == signed(one.difference, decimals)
        assert cells[name][5] == " to ".join(interval_end(end, decimals) for end in ends)
        p = min(1.0, len(ORDER) * one.p_value)
        assert cells[name][6] == probability(p).removeprefix("p ")
        is_real = p < LEVEL
        assert is_real != (ends[0] <= 0 <= ends[1])
        assert table.locator("tr", has_text=name).locator("td.quiet").count() == (
            0 if is_real else 4
        )
        decided.add(is_real)
    assert decided == {True, False}
    said = page.locator("h3:text-is('What they confuse') + p").inner_text()
    assert said.startswith("STRONG confuses less: ")


def test_where_captions_may_not_be_shown_nothing_is_said(
    results: Path, add_answers: Callable[..., Path], add_digest: Callable[..., Path]
) -> None:
    """Neither on the page nor in what its scripts load."""
    add_digest(shown=False)
    add_answers("weak", 0.6)
    contest = contest_of(results)
    assert confusion_table(MistakeFinder(contest), "weak", "here") is None
    assert pack_traits(contest.described) is None
    section = strip_section(contest, "weak", "demo-paperdolls")
    assert section is not None
    assert not any(shot.differs for strip in section.examples for shot in strip.shots)


def test_the_browser_says_of_every_image_what_python_says(
    told: Path, tmp_path: Path, open_page: Callable[..., playwright.Page]
) -> None:
    """Below each wrong image and in its alternative text; right ones say nothing."""
    contest = contest_of(told)
    described = contest.described
    assert described is not None
    retrieved = retrieved_by_seed(contest, ("weak", "full"), find_exhibits(contest))[0]
    site = build_site(told, tmp_path / "site").parent
    page = open_page(site / "methods/weak.html")
    page.get_by_role("radio", name=re.compile("^All 96")).check()
    expect(page.locator(".strips .status")).to_contain_text("96 of 96")
    strips: list[list[list[Any]]] = page.locator(".strips .strip").evaluate_all(
        "strips => strips.map(strip => [...strip.querySelectorAll('.retrieved')].map(shot =>"
        " [shot.querySelector('.differs')?.textContent ?? '', shot.querySelector('img').alt]))"
    )
    assert len(strips) == 10
    said = 0
    for query, shots in enumerate(strips):
        for place, (words, alternative) in enumerate(shots):
            row = int(retrieved.rows[query, place])
            right = retrieved.right[query, place]
            expected = [] if right else map(str, described.contradictions(query, row))
            assert words == "; ".join(expected)
            assert alternative.endswith(f"; {words}" if words else f"image image-{row:03d}")
            said += bool(words)
    assert said > 10


def test_traits_are_packed_small(told: Path) -> None:
    """Two numbers a trait; which values contradict each other is in the bits of their meanings."""
    described = contest_of(told).described
    assert described is not None
    packed = pack_traits(described)
    assert packed is not None
    assert len(json.dumps(packed)) < 12_000
    bits = np.array([value for _, value in packed["values"]])
    assert (bits > 0).all()
    assert (bits < 2**31).all()  # as a script's bitwise operators need


def test_right_images_are_joined_between_the_two(
    told: Path, tmp_path: Path, open_page: Callable[..., playwright.Page]
) -> None:
    """Compare draws A above B, with a line for each right image that both found."""
    site = build_site(told, tmp_path / "site").parent
    page = open_page(site / "compare.html")
    page.wait_for_selector(".joins")
    first = page.locator("div.sides").first
    boxes = [first.locator(".side").nth(side).bounding_box() for side in range(2)]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    drawn = page.locator("div.sides").evaluate_all(
        """all => all.map(sides => {
          const [a, b] = [...sides.querySelectorAll('.shots')].map(shots =>
            [...shots.querySelectorAll('.right img')].map(image => image.src));
          const lines = sides.querySelectorAll('.joins path').length;
          return [a.filter(image => b.includes(image)).length, lines];
        })"""
    )
    assert all(shared == lines for shared, lines in drawn)
    assert any(lines for _, lines in drawn)
