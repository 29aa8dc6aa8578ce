from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.results import METRICS
from leaderboard.drawing.whiskers import Interval, draw_middle, draw_span, is_cut, shared_scale
from leaderboard.ranking.bars import draw_bars
from leaderboard.ranking.cells import verdict
from leaderboard.ranking.labels import place_labels
from leaderboard.ranking.panels import Cost, Point, draw_panels, pareto_front


@pytest.mark.parametrize(
    ("printed", "said"),
    [("70.0", "below"), ("70.94", "below"), ("71.0", "inside"), ("70.9", "inside"),
     ("73.1", "inside"), ("73.2", "above"), ("73", "inside"), ("74", "above")],
)  # fmt: skip
def test_a_printed_figure_is_inside_where_anything_that_rounds_to_it_is(
    printed: str, said: str
) -> None:
    """The verdict takes a figure for what it may have been before it was printed."""
    assert verdict(printed, 70.95, 73.1) == f"{said} our interval"


def test_one_method_far_below_does_not_squeeze_the_whiskers() -> None:
    """The scale holds the close ones; the far one's whisker is cut and points to where it is."""
    close = [Interval(mean - 2, mean, mean + 2) for mean in (2.0, 3.0, 4.0)]
    far = Interval(-21.0, -19.0, -17.0)
    scale = shared_scale([*close, far])
    assert scale.low >= -2
    assert not any(is_cut(one, scale) for one in close)
    assert is_cut(far, scale)
    assert draw_middle(far, scale) == ""
    assert draw_span(far, scale).count("M") == 2
    assert draw_span(close[0], scale).count("M") == 1


def test_the_line_of_no_difference_is_always_on_the_scale() -> None:
    """Also where the baseline is a clear winner, far from all others, which stand together."""
    scale = shared_scale(
        [Interval(0.0, 0.0, 0.0), *(Interval(m - 1, m, m + 1) for m in (-30, -31))]
    )
    assert scale.low <= -32 < 0 <= scale.high
    assert draw_middle(Interval(0.0, 0.0, 0.0), scale)


def test_methods_spread_evenly_are_all_on_the_scale() -> None:
    """Nothing is cut where methods lie at all distances from one another, nor where two are."""
    even = [Interval(mean - 1.0, mean, mean + 1.0) for mean in np.linspace(30.0, 80.0, 60)]
    for intervals in (even, even[:2], [even[0], even[-1]], even[:1]):
        scale = shared_scale(intervals)
        assert not any(is_cut(one, scale) for one in intervals)


def test_bars_stand_in_as_few_lanes_as_they_need() -> None:
    """Groups that overlap or meet have lanes of their own, others share one; who is beside is
    marked."""
    assert draw_bars([(), ()]) == [(), ()]
    assert draw_bars([(0,), (0,), (), (1,), (1,)]) == [
        ("first",), ("last",), ("",), ("first",), ("last",),
    ]  # fmt: skip
    assert draw_bars([(0,), (0,), (1,), (1,)]) == [
        ("first", ""), ("last", ""), ("", "first"), ("", "last"),
    ]  # fmt: skip
    assert draw_bars([(0,), (0, 1), (1,)]) == [
        ("first", ""), ("last", "first"), ("", "last"),
    ]  # fmt: skip
    assert draw_bars([(0,), (1,), (0, 1), (2,)]) == [
        ("first", ""), ("beside", "first"), ("last", "last"), ("", ""),
    ]  # fmt: skip
    assert draw_bars([(0,)] * 60) == [("first",), *[("inner",)] * 58, ("last",)]


def test_the_front_holds_what_no_cheaper_one_betters() -> None:
    """Of equally dear methods the better counts, and no worse one that costs more."""
    costs = [1.0, 2.0, 2.0, 3.0, 4.0, 0.5]
    means = [50.0, 55.0, 56.0, 54.0, 60.0, 40.0]
    assert pareto_front(costs, means) == [5, 0, 2, 4]


def points(costs: Sequence[float]) -> list[Point]:
    """Return methods of which the dearer are the better."""
    return [
        Point(f"m{i}", f"Method {i}", "", cost, dict.fromkeys(METRICS, i + 50.0))
        for i, cost in enumerate(costs)
    ]


def test_a_panel_places_costs_by_their_logarithm() -> None:
    """Equal ratios are equal distances, and everything lies between the ends of the axis."""
    (panel,) = draw_panels([Cost("p", "Time", "ms", points([1.5, 3.0, 6.0, 48.0]))])
    x = [float(dot.x) for dot in panel.dots]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert x[3] - x[2] == pytest.approx(3 * (x[1] - x[0]), abs=0.3)
    ticks = [float(at) for at, _ in panel.ticks]
    assert min(ticks) <= min(x)
    assert max(ticks) >= max(x)
    assert [text for _, text in panel.ticks] == ["1", "2", "5", "10", "20", "50"]


def test_a_panel_leaves_out_what_was_not_measured() -> None:
    """A cost of zero has no logarithm: the method is named as left out, and one dot is no panel."""
    (panel,) = draw_panels([Cost("p", "Time", "ms", points([0.0, 3.0, 6.0]))])
    assert [dot.name for dot in panel.dots] == ["Method 1", "Method 2"]
    assert panel.left_out == "Without this cost, so not drawn: Method 0."
    assert draw_panels([Cost("p", "Time", "ms", points([0.0, 3.0]))]) == ()


def test_panels_beside_one_another_have_one_scale_up() -> None:
    """A method that one of them leaves out moves no other: each stands as high in both."""
    time, size = points([0.0, 3.0, 6.0]), points([2.0, 3.0, 6.0])
    panels = draw_panels([Cost("t", "Time", "ms", time), Cost("s", "Size", "M", size)])
    heights = [
        {dot.name: place.y for dot, place in zip(panel.dots, panel.layouts["r1"].dots, strict=True)}
        for panel in panels
    ]
    assert heights[0].items() < heights[1].items()
    assert panels[0].layouts["r1"].ticks == panels[1].layouts["r1"].ticks


def test_labels_of_sixty_methods_do_not_cover_one_another() -> None:
    """Names on a long front keep clear of each other and of the frame; some are left to hover."""
    draw = np.random.default_rng(0)
    dots = [(float(x), float(y)) for x, y in draw.uniform((40, 40), (400, 215), (60, 2))]
    frame = (34.0, 30.0, 418.0, 222.0)
    placed = place_labels({i: f"Method number {i}" for i in range(60)}, dots, frame)
    boxes = []
    for label in placed.values():
        width = 5.7 * len(label.text)
        left = float(label.x) - width * {"start": 0, "middle": 0.5, "end": 1}[label.anchor]
        boxes.append((left, float(label.y) - 10, left + width, float(label.y) + 2))
        assert frame[0] <= left
        assert left + width <= frame[2]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart = (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )
            assert apart
    assert 8 < len(placed) < 60
