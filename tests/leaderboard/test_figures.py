from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from leaderboard.drawing.figures import Line, line_chart
from leaderboard.records.estimates import round_scale


def curves(chart: str) -> list[str]:
    """Return the path commands of every curve."""
    return [
        path.attrib["d"]
        for path in ElementTree.fromstring(chart).iter("path")
        if path.attrib["class"].startswith("line ")
    ]


def test_a_chart_names_its_axes_and_describes_its_lines() -> None:
    """A chart is one image with title, description, axis labels and a curve for every line."""
    lines = [Line("seed 0", ((1, 2.0), (2, 1.0)), selected=2), Line("seed 1", ((1, 3.0), (2, 0.5)))]
    chart = line_chart("c", "itc loss", "nats", lines)
    root = ElementTree.fromstring(chart)
    texts = [element.text for element in root.iter("text")]
    assert "itc loss (nats)" in texts
    assert "epoch" in texts
    assert root.findtext("title") == "itc loss by epoch"
    assert root.findtext("desc") == (
        "seed 0: 2 at epoch 1, 1 at epoch 2; epoch 2 was selected. "
        "seed 1: 3 at epoch 1, 0.5 at epoch 2."
    )
    assert len(curves(chart)) == 2
    assert len(list(root.iter("circle"))) == 1


def test_a_curve_rises_where_its_values_do() -> None:
    """Higher values stand higher, which in SVG is a smaller y, and epochs run to the right."""
    (path,) = curves(line_chart("c", "t", "", [Line("a", ((1, 0.0), (2, 10.0), (3, 5.0)))]))
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x1 < x2 < x3
    assert y2 < y3 < y1
    assert y3 == pytest.approx((y1 + y2) / 2, abs=0.1)


def test_gaps_stay_gaps() -> None:
    """A missing value interrupts the curve, and a point between two gaps is a dot."""
    points = ((1, 1.0), (2, None), (3, 2.0), (4, None), (5, 3.0), (6, 4.0))
    (path,) = curves(line_chart("c", "t", "", [Line("a", points)]))
    assert path.count("M") == 3
    assert path.count("L") == 1


def test_nothing_is_drawn_of_nothing() -> None:
    """Lines without values make no chart."""
    assert line_chart("c", "t", "", [Line("a", ((1, None),)), Line("b", ())]) == ""


def test_a_label_cannot_leave_the_drawing() -> None:
    """Names are escaped within SVG as well."""
    chart = line_chart("c", "<b>&", "", [Line("</svg><script>", ((1, 1.0),))])
    assert "<b>" not in chart
    assert "<script" not in chart
    assert ElementTree.fromstring(chart).findtext("title") == "<b>& by epoch"


@pytest.mark.parametrize(
    "values", [(3.0,), (0.0, 0.0), (-2.5, 7.25), (1e-40, 2e-40), (1e90, 3e90), (99.99, 100.0)]
)
def test_a_scale_holds_its_values(values: tuple[float, ...]) -> None:
    """Every value lies between the ends, which differ even where the values do not."""
    scale = round_scale(values)
    assert scale.low < scale.high
    rounding = 1e-12 * max(abs(value) for value in values)
    assert scale.low <= min(values) + rounding
    assert max(values) <= scale.high + rounding
