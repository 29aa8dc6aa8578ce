from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from leaderboard.method.cmc import DEPTH, cmc_view, draw_curves, match_curve, spread
from leaderboard.records.contest import Contest
from leaderboard.reported.tables import FOLDER
from leaderboard.site.addresses import Addresses
from leaderboard.site.site import load_site


@pytest.fixture
def contest(results: Path, add_answers: Callable[..., Path]) -> tuple[Contest, Addresses]:
    """Return a contest of three methods with two seeds, and where their pages are."""
    for seed in range(2):
        for method, skill in {"weak": 0.3, "middling": 1.0, "strong": 2.5}.items():
            add_answers(method, skill, seed=seed)
    site = load_site(results, FOLDER)
    return next(iter(site.contests.values())), site.addresses


def test_the_curve_is_the_share_of_queries_with_a_hit_so_far() -> None:
    """It agrees with counting, depth by depth, and hits beyond its end never count."""
    first = np.random.default_rng(0).geometric(0.05, size=(3, 400))
    curve = match_curve(first)
    assert curve.shape == (DEPTH,)
    for depth in (1, 2, 10, DEPTH):
        assert curve[depth - 1] == pytest.approx(100 * (first <= depth).mean())
    assert match_curve(np.full((1, 5), DEPTH + 1)).tolist() == [0.0] * DEPTH


def test_the_curve_begins_with_the_recorded_r1(contest: tuple[Contest, Addresses]) -> None:
    """Rank-1 of the curve is the mean that the ranking shows."""
    curves = draw_curves(contest[0])
    assert curves is not None
    for entry, curve in curves.by_entry.items():
        recorded = [run.record.metrics["r1"] for run in contest[0].ground.full(entry[0])]
        assert curve[0] == pytest.approx(np.mean(recorded))


def test_the_own_curve_stands_before_the_others(contest: tuple[Contest, Addresses]) -> None:
    """All methods are drawn, the page's own last and marked, and each is labelled at its end."""
    curves = draw_curves(contest[0])
    view = cmc_view(curves, ("middling", "full"), contest[1], "cmc")
    assert view is not None
    root = ElementTree.fromstring(view.chart)
    kinds = [e.attrib["class"] for e in root.iter("path") if e.attrib["class"].startswith("cmc")]
    assert kinds == ["cmc other", "cmc other", "cmc own"]
    labels = {e.text: e.attrib["class"] for e in root.iter("text") if "class" in e.attrib}
    assert labels["MIDDLING"] == "own"
    assert labels["WEAK"] == labels["STRONG"] == "other"
    assert [row.name for row in view.rows] == ["STRONG", "MIDDLING", "WEAK"]
    assert [bool(row.href) for row in view.rows] == [True, False, True]
    assert "2 other methods" in view.words


def test_curves_rise(contest: tuple[Contest, Addresses]) -> None:
    """More images never find fewer people: no curve falls on its way to the right."""
    curves = draw_curves(contest[0])
    assert curves is not None
    for path in curves.paths.values():
        points = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
        across = [float(x) for x, _ in points]
        up = [-float(y) for _, y in points]
        assert len(points) == DEPTH
        assert across == sorted(across)
        assert up == sorted(up)


def test_a_method_without_answers_has_no_curve(contest: tuple[Contest, Addresses]) -> None:
    """Nothing is drawn of what was not recorded."""
    curves = draw_curves(contest[0])
    assert cmc_view(curves, ("weak", "other"), contest[1], "cmc") is None
    assert cmc_view(None, ("weak", "full"), contest[1], "cmc") is None


def test_only_as_many_are_labelled_as_there_is_room_for(
    results: Path, add_answers: Callable[..., Path]
) -> None:
    """Of many methods the best are labelled, and always the page's own; the rest are counted."""
    for number in range(24):
        add_answers(f"m{number:02d}", 0.1 * number)
    site = load_site(results, FOLDER)
    curves = draw_curves(next(iter(site.contests.values())))
    view = cmc_view(curves, ("m00", "full"), site.addresses, "cmc")
    assert view is not None
    root = ElementTree.fromstring(view.chart)
    labels = [
        e.text for e in root.iter("text") if "class" in e.attrib and e.attrib["class"] != "axis"
    ]
    assert "M00" in labels
    assert len(labels) == len(view.rows) < 24
    assert f"{24 - len(labels)} are not" in view.words
    heights = sorted(float(e.attrib["y"]) for e in root.iter("text") if e.text in labels)
    assert min(np.diff(heights)) >= 11.9


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([10.0, 50.0], [10.0, 50.0]),
        ([10.0, 12.0], [10.0, 20.0]),
        ([98.0, 99.0, 100.0], [80.0, 90.0, 100.0]),
        ([], []),
    ],
)
def test_labels_are_moved_apart_and_stay_inside(places: list[float], expected: list[float]) -> None:
    """Places keep their order and their distance, and none leaves the drawing."""
    assert spread(places, 10.0, 0.0, 100.0) == expected
