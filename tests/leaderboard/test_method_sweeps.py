from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from leaderboard.ablations.corrected import Ledger
from leaderboard.ablations.section import find_ablations
from leaderboard.ablations.sweeps import find_sweep, sweep_charts, sweep_words
from leaderboard.method.ground_statistics import measure
from leaderboard.records.load import load_grounds
from leaderboard.reported.tables import FOLDER
from leaderboard.site.site import load_site

Add = Callable[..., Path]


def add_rows(add: Add, field: str, values: Sequence[Any], published: Any, figure: float) -> None:
    """Run a row for each value of a field, and the method as published where it has another."""
    config = {field: published, "losses": {"itc": 1.0}}
    if published not in values:
        add("one", figure, config=config)
    for position, value in enumerate(values):
        is_full = value == published
        add(
            "one", figure + position, variant="full" if is_full else f"v{position}",
            changes={} if is_full else {field: value}, config={**config, field: value},
            tables=(("Figure 3", f"{field} {value}", position),),
        )  # fmt: skip


def test_rows_that_change_one_number_are_a_sweep(add_run: Add, results: Path) -> None:
    """The values are those of the rows, sorted, with the full method's own among them."""
    add_rows(add_run, "share", [0.3, 0.1, 0.2], published=0.2, figure=30.0)
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    sweep = find_sweep(ablation)
    assert sweep is not None
    assert sweep.field == "share"
    assert [value for value, _ in sweep.rows] == [0.1, 0.2, 0.3]
    assert sweep.published == 0.2
    assert "share is all that these variants change." in sweep_words(sweep)
    assert "The method as published has 0.2." in sweep_words(sweep)


def test_a_published_value_that_is_no_row_belongs_to_the_curve(add_run: Add, results: Path) -> None:
    """The method as published is a point of the curve wherever it ran."""
    add_rows(add_run, "share", [0.1, 0.4], published=0.2, figure=30.0)
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    sweep = find_sweep(ablation)
    assert sweep is not None
    assert [value for value, _ in sweep.rows] == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    "values", [["a", "b", "c"], [True, False, 1.5], [0.1], [{"itc": 1.0}, 0.1, 0.2], [None, 1, 2]]
)
def test_other_tables_are_no_sweep(values: list[Any], add_run: Add, results: Path) -> None:
    """Words, switches, mappings and too few values make no curve."""
    add_rows(add_run, "share", values, published=9.0, figure=30.0)
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    assert find_sweep(ablation) is None


def test_rows_that_change_more_than_one_setting_are_no_sweep(add_run: Add, results: Path) -> None:
    """A curve is drawn only where nothing but its number changes."""
    for position, value in enumerate((0.1, 0.2, 0.3)):
        changes = {"share": value, "depth": position}
        add_run("one", 30.0, variant=f"v{position}", changes=changes, config=changes,
                tables=(("T", f"row {position}", position),))  # fmt: skip
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    assert find_sweep(ablation) is None


def test_a_curve_has_its_values_band_and_mark(results: Path, add_answers: Add) -> None:
    """The means stand over their values within a band, and the published value is marked."""
    for seed in range(2):
        for position, (value, skill) in enumerate([(0.1, 0.5), (0.2, 2.0), (0.3, 1.0)]):
            is_full = value == 0.2
            add_answers(
                "one", skill, seed=seed, variant="full" if is_full else f"v{position}",
                changes={} if is_full else {"share": value}, config={"share": value},
                tables=(("Figure 3", f"share {value}", position),),
            )  # fmt: skip
    site = load_site(results, FOLDER)
    statistics = measure(next(iter(site.contests.values())), site.papers)
    sweep = find_sweep(statistics.ablations["one"][0])
    assert sweep is not None
    charts = sweep_charts(sweep, statistics.ledger, "sweep")
    assert len(charts) == 2
    root = ElementTree.fromstring(charts[0])
    texts = [element.text for element in root.iter("text")]
    assert {"0.1", "0.2", "0.3", "share", "R1 (%)", "as published"} <= set(texts)
    dots = [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in root.iter("circle")]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert dots[1][1] == min(y for _, y in dots)
    (mark,) = [e for e in root.iter("path") if e.attrib["class"] == "stage"]
    assert mark.attrib["d"].startswith(f"M{dots[1][0]:.1f} ")
    (band,) = root.iter("polygon")
    corners = [tuple(map(float, c.split(","))) for c in band.attrib["points"].split()]
    for (x, y), high, low in zip(dots, corners[:3], reversed(corners[3:]), strict=True):
        assert high[0] == low[0] == x
        assert high[1] <= y <= low[1]
    assert "0.2: " in str(root.findtext("desc"))
    assert "interval" in str(root.findtext("desc"))


def test_no_band_is_drawn_across_a_value_without_an_interval(
    results: Path, add_answers: Add
) -> None:
    """A value of other seeds has its mean, and the band stops before it and goes on after."""
    values = (0.1, 0.2, 0.3, 0.4)
    for position, value in enumerate(values):
        for seed in (7,) if value == 0.3 else (0, 1):
            add_answers(
                "one", 1.0, seed=seed, variant="full" if position == 0 else f"v{position}",
                changes={"share": value} if position else {}, config={"share": value},
                tables=(("Figure 3", f"share {value}", position),),
            )  # fmt: skip
    site = load_site(results, FOLDER)
    statistics = measure(next(iter(site.contests.values())), site.papers)
    sweep = find_sweep(statistics.ablations["one"][0])
    assert sweep is not None
    root = ElementTree.fromstring(sweep_charts(sweep, statistics.ledger, "sweep")[0])
    bands = [element.attrib["points"].split() for element in root.iter("polygon")]
    assert [len(corners) for corners in bands] == [4, 2]
    assert len(list(root.iter("circle"))) == 4


def test_values_far_apart_stand_on_a_logarithmic_axis(add_run: Add, results: Path) -> None:
    """Values over several powers of ten stand at equal distances, not in a heap."""
    add_rows(add_run, "rate", [1e-5, 1e-4, 1e-3], published=1e-4, figure=30.0)
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    sweep = find_sweep(ablation)
    assert sweep is not None
    charts = sweep_charts(sweep, Ledger(), "sweep")
    x = [float(e.attrib["cx"]) for e in ElementTree.fromstring(charts[0]).iter("circle")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert not list(ElementTree.fromstring(charts[0]).iter("polygon"))


def test_values_too_near_to_be_read_are_not_all_written(add_run: Add, results: Path) -> None:
    """Every value is a point, but no two figures of the axis run into each other."""
    values = [0.1, 0.101, 0.102, 0.5, 0.9]
    add_rows(add_run, "share", values, published=0.5, figure=30.0)
    (ablation,) = find_ablations("one", load_grounds(results)[0])
    sweep = find_sweep(ablation)
    assert sweep is not None
    root = ElementTree.fromstring(sweep_charts(sweep, Ledger(), "sweep")[0])
    assert len(list(root.iter("circle"))) == 5
    written = [e.text for e in root.iter("text") if e.text in {str(value) for value in values}]
    assert written == ["0.1", "0.5", "0.9"]
