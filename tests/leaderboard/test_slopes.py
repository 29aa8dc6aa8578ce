from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.significance import compare_all
from leaderboard import ranking
from leaderboard.ranking.competitors import make_board
from leaderboard.ranking.slopes import LINE, draw_slopes, spread_labels
from leaderboard.records.elsewhere import find_elsewhere
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

Add = Callable[..., Path]
SKILLS = {"one <b>": (3.5, 0.2), "two": (0.4, 3.5), "three": (0.2, 0.4)}


@pytest.fixture
def tested(results: Path, add_answers: Add, add_queries: Add) -> Path:
    """Return results of three methods that were tested on other data, where another is first."""
    for seed in range(2):
        for number, (title, (here, there)) in enumerate(SKILLS.items()):
            run = add_answers(f"m{number}", here, seed=seed, title=title)
            path = add_queries(run, "on-street", there + seed / 100)
            record = json.loads((path / "evaluation.json").read_text())
            on = {"name": "street", "title": "Street & co", "fingerprint": "ab", "drawn": True}
            (path / "evaluation.json").write_text(json.dumps({**record, "queries": "", "on": on}))
    return results


def test_both_axes_are_those_of_the_paired_tests(tested: Path) -> None:
    """A dot is filled exactly where no other is better there; figures are the means."""
    site = load_site(tested, FOLDER)
    board = make_board(site, site.grounds[0])
    (chart,) = draw_slopes(board)
    (elsewhere,) = find_elsewhere(site.grounds[0])
    values = {name: one.values["r1"] for name, one in elsewhere.answers.items()}
    people = next(iter(elsewhere.answers.values())).people
    there = compare_all(values, people)
    leaders = [one.name for one in there.standings() if one.rank == 1]
    assert leaders == ["m1"]
    drawing = str(chart.drawing)
    groups = re.findall(r'<g class="slopes[^"]*"><title>(.*?):.*?</g>', drawing)
    assert groups == ["one &lt;b&gt;", "two", "three"]
    filled = [re.findall(r'circle class="(\w+)"', part) for part in drawing.split("<g ")[1:]]
    assert filled == [["leads", "follows"], ["follows", "leads"], ["follows", "follows"]]
    for name, figures in values.items():
        title = site.addresses.titles[name].replace("<", "&lt;").replace(">", "&gt;")
        assert f">{figures.mean():.1f} {title}<" in drawing
    assert chart.words == (
        "On PaperDolls none is better than one <b>; on Street & co, none is better than two."
    )


def test_each_interval_is_told_from_the_others(tested: Path) -> None:
    """A line leads from each name through the mean of its own interval, which stands apart."""
    site = load_site(tested, FOLDER)
    (chart,) = draw_slopes(make_board(site, site.grounds[0]))
    drawn = re.findall(
        r'"leader" d="M\S+ \S+L(\S+) (\S+)H(\S+)"/><path class="reach" d="M(\S+) (\S+)V(\S+)"/>',
        str(chart.drawing),
    )
    dots = re.findall(r'cx="(\S+)" cy="(\S+)" r', str(chart.drawing))
    assert len(drawn) == len(dots) == 2 * len(SKILLS)
    assert len({x for x, *_ in drawn}) == len(drawn)
    assert sorted((axis, mean) for _, mean, axis, *_ in drawn) == sorted(dots)
    for x, mean, _, reach_x, low, high in drawn:
        assert x == reach_x
        assert float(high) <= float(mean) <= float(low)  # y grows downwards


def test_the_ranking_shows_it_and_says_it(
    tested: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> None:
    """The chart stands on the page with its title, and the verdict says the same."""
    path = tmp_path / "index.html"
    files = ranking.make_files(load_site(tested, FOLDER))
    path.write_text(str(files["index.html"]), encoding="utf-8")
    text = " ".join(read_page(path).text.split())
    assert "Does it hold elsewhere?" in text
    assert "on Street & co, without training on it, two is best." in text


def test_what_was_tested_here_alone_has_no_chart(results: Path, add_answers: Add) -> None:
    """Neither without other data nor where one method alone saw it."""
    add_answers("one", 1.0)
    add_answers("two", 1.0)
    site = load_site(results, FOLDER)
    assert draw_slopes(make_board(site, site.grounds[0])) == ()


def test_labels_stand_a_line_apart_inside_their_range() -> None:
    """They keep their order, and move no further than they must."""
    wanted = [50.0, 52.0, 51.0, 120.0, 199.0, 198.0]
    placed = spread_labels(wanted, 40.0, 200.0)
    ordered = sorted(range(6), key=lambda index: wanted[index])
    gaps = [placed[b] - placed[a] for a, b in itertools.pairwise(ordered)]
    assert min(gaps) >= LINE - 1e-9
    assert 40.0 <= min(placed) <= max(placed) <= 200.0
    assert placed[3] == 120.0
