from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from leaderboard.literature.__main__ import describe, main
from leaderboard.literature.drift import differing, find_drift
from leaderboard.literature.methods import ReportedMethod, find_methods
from leaderboard.literature.rows import Papers, find_rows, fold
from leaderboard.literature.spread import STATED, find_spread
from leaderboard.literature.timeline import Step, best_by_year, find_points, find_undated
from leaderboard.reported.tables import FOLDER, load_papers, read_paper
from leaderboard.site.site import load_site

# A paper by its own file, what others print of it, a baseline that each trains for itself.
ONE = {
    "method": "one", "title": "One", "paper": "One, 2020", "year": 2020, "scale": "paper",
    "names": {"B": "CLIP (baseline)"}, "variants": ["One without x"],
    "years": {2018: ["Old(2018)"], 2019: ["TWO (ours)"]},
    "tables": [
        {"title": "Table 1", "columns": ["cuhk-pedes/r1", "cuhk-pedes/r5"], "rows": [
            {"label": "Old(2018)", "values": [50, 60]},
            {"label": "TWO (ours)", "values": [51.5, None]},
            {"label": "B", "values": [40, 55.5]},
            {"label": "One without x", "values": [52, 70]},
            {"label": "One", "method": "one", "values": [55, 75], "suspect": [
                {"columns": ["cuhk-pedes/r1"], "why": "the text prints 56"}]},
            {"label": "One RR", "method": "one", "scored": "re-ranked", "values": [60, 80]},
        ]},
        {"title": "Table 2", "compares": "variants", "columns": ["cuhk-pedes/r1"], "rows": [
            {"label": "x", "values": [53]},
            {"label": "One", "method": "one", "values": [56]},
        ]},
    ],
}  # fmt: skip
TWO = {
    "method": "late", "title": "Late", "paper": "Late", "scale": "paper",
    "years": {2017: ["old"], 2021: ["one"], 2022: ["New(AAAI\u201922)"]},
    "names": {"B": "CLIP (baseline)"},
    "tables": [{"title": "Table 1", "columns": ["cuhk-pedes/r1", "cuhk-pedes/r5"], "rows": [
        {"label": "old", "values": [50.5, 60.0]},
        {"label": "one", "values": [10, 75.2]},
        {"label": "New(AAAI\u201922)", "values": [56.4, 74.98]},
        {"label": "B", "values": [45, 55.5]},
        {"label": "Late", "method": "late", "values": [70, 90]},
    ]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> Papers:
    """Return the papers that come with the project."""
    return load_papers(FOLDER)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Return two small papers."""
    for content in (ONE, TWO):
        path = tmp_path / f"{content['method']}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_papers(tmp_path)


def named(papers: Papers) -> dict[str, ReportedMethod]:
    """Return the methods of papers by name."""
    return {method.name: method for method in find_methods(papers)}


def test_every_figure_of_every_paper_is_of_one_method_at_one_address(shipped: Papers) -> None:
    """Nothing is lost or told twice, and an address is of one figure."""
    addresses = [
        row.figure_address(column)
        for method in find_methods(shipped)
        for row in method.rows
        for column, _ in row.figures()
    ]
    printed = [
        figure
        for paper in shipped.values()
        for table in paper.tables
        for row in table.rows
        for figure in row.figures
        if figure
    ]
    assert len(addresses) == len(set(addresses)) == len(printed) > 1300


def test_a_paper_more_moves_no_address(shipped: Papers) -> None:
    """What was sent by link stays where it was when another paper comes in."""
    whole = {row.address for row in find_rows(shipped)}
    alone = {row.address for name in shipped for row in find_rows({name: shipped[name]})}
    assert whole == alone
    assert "dgia/Table-1/IRRA" in whole


@pytest.mark.parametrize(
    ("method", "spelled"),
    [
        ("IRRA", "IRRA IRRA(CVPR\u201923) IRRA(2023) IRRA_(ours)"),
        ("LCR²S", "LCR²S LCR²S(2023)"),
        ("Dual-path", "Dual-path Dual_Path"),
        ("CFine", "Cfine CFine(2023) CFine(TIP\u201923) CFine"),
        ("TBPS-CLIP", "TBPS-CLIP(2023) TBPS-CLIP(AAAI\u201924) TBPS TBPS-CLIP_(ViT-B/16)"),
        ("Han et al.", "Han_et_al. Han_et_al.2021 TPSLD"),
        ("BiLMa", "BiLMa BiLMA"),
        ("CLIP (baseline)", "B CLIP CLIP(ViT-B/16)"),
    ],
)
def test_spellings_of_a_method_are_one(method: str, spelled: str, shipped: Papers) -> None:
    """However papers write it, a method is one, under the name that most give it."""
    found = named(shipped)[method]
    assert {row.row.label for row in found.published} >= {
        label.replace("_", " ") for label in spelled.split()
    }


def test_no_two_methods_have_names_that_differ_in_signs_alone(shipped: Papers) -> None:
    """Who adds a paper whose spelling is new learns here that a name is missing, or is one."""
    folded = Counter(fold(method.name) for method in find_methods(shipped))
    assert set(folded.values()) == {1}


def test_a_form_of_a_method_is_no_figure_of_it(papers: Papers) -> None:
    """Variants, and what is scored otherwise, stand apart under the method that they are of."""
    one = named(papers)["One"]
    assert [row.row.label for row in one.variants] == ["One without x", "One RR", "x"]
    assert [row.row.label for row in one.published] == ["one", "One", "One"]


def test_drift_is_told_with_who_prints_what(shipped: Papers) -> None:
    """IRRA's R5 on CUHK-PEDES is 83.93 in one paper and 89.93 in all others."""
    drift = find_drift(find_methods(shipped))
    assert [one.size for one in drift] == sorted((one.size for one in drift), reverse=True)
    (found,) = [
        one for one in drift if (one.method.name, str(one.column)) == ("IRRA", "cuhk-pedes/r5")
    ]
    prints = {str(value): {row.paper.method for row in rows} for value, rows in found.prints}
    assert prints["83.93"] == {"dgia"}
    assert prints["89.93"] >= {"irra", "laip", "mefa", "ogen", "rde"}


@pytest.mark.parametrize(
    ("method", "column", "printed"),
    [
        ("C₂A₂", "cuhk-pedes/r1", "64.82 67.94"),
        ("TBPS-CLIP", "cuhk-pedes/map", "64.97 65.38"),
        ("LGUR", "icfg-pedes/r5", "74.97 75.32"),
        ("APTM", "rstpreid/r10", "90.60 91.45"),
        ("CLIP (baseline)", "rstpreid/r1", "54.05 54.60 56.15 56.67"),
        ("ViTAA", "cuhk-pedes/r1", "54.92 55.97"),
        ("MANet", "icfg-pedes/r10", "82.75 85.75"),
    ],
)
def test_known_drift_is_found(method: str, column: str, printed: str, shipped: Papers) -> None:
    """What people who read the papers side by side found is there."""
    drift = find_drift([named(shipped)[method]])
    values = {str(one.column): [str(value) for value, _ in reversed(one.prints)] for one in drift}
    assert set(values[column]) >= set(printed.split())


def test_a_figure_that_is_another_one_rounded_is_no_drift() -> None:
    """89.2 is 89.21 with fewer decimals; 89.3 is not."""

    def left(*printed: str) -> list[str]:
        return list(map(str, differing([Decimal(text) for text in printed])))

    assert left("89.2", "89.21") == ["89.21"]
    assert left("89.3", "89.21") == ["89.3", "89.21"]
    assert left("89", "89.2", "89.21") == ["89.21"]
    assert left("7", "8") == ["7", "8"]


def test_the_timeline_counts_by_own_papers_and_earliest_years(papers: Papers) -> None:
    """A value is the own paper's, first what is not suspect, else the median of all others."""
    points = find_points(find_methods(papers), "cuhk-pedes", reach=1.0)
    found = {one.method.name: (one.year, str(one.value), one.over, one.step) for one in points}
    assert found == {
        "old": (2017, "50.25", None, Step.FIRST),
        "TWO": (2019, "51.5", Decimal("1.25"), Step.GAIN),
        "One": (2020, "56", Decimal("4.5"), Step.GAIN),
        "New": (2022, "56.4", Decimal("0.4"), Step.WITHIN),
    }
    assert [one.year for one in points] == sorted(one.year for one in points)
    undated = find_undated(find_methods(papers), "cuhk-pedes")
    assert [one.name for one in undated] == ["Late"]


def test_a_gain_is_over_all_earlier_years(papers: Papers) -> None:
    """A greater spread makes more gains grey and takes none away; less than before is no gain."""
    methods = find_methods(papers)
    steps = [one.step for one in find_points(methods, "cuhk-pedes", reach=2.0)]
    assert steps == [Step.FIRST, Step.WITHIN, Step.GAIN, Step.WITHIN]
    points = find_points(methods, "cuhk-pedes", reach=0.4)
    assert [one.step for one in points][-1] == Step.GAIN  # just as much is enough
    best = {one.method.name for one in best_by_year(points)}
    assert best == {"old", "TWO", "One", "New"}


def test_years_are_those_that_labels_tell(shipped: Papers) -> None:
    """Where a label has a year, the file gives it that; and OGEN's, which nobody gives, is none."""
    told = 0
    for row in find_rows(shipped):
        digits = row.row.label.removesuffix(")")[-5:]
        if row.row.label.endswith(")") and digits[-4:].isdigit():
            assert row.year == int(digits[-4:]), row.row.label
            told += 1
        elif digits[-3:-2] == "\u2019":
            assert row.year == 2000 + int(digits[-2:]), row.row.label
            told += 1
    assert told > 40
    assert named(shipped)["OGEN"].year is None
    assert named(shipped)["CFine"].year == 2022  # on arXiv, says LAIP's paper; in print 2023


def test_the_spread_of_seeds_is_that_of_the_board(
    results: Path, add_answers: Callable[..., Path], add_run: Callable[..., Path]
) -> None:
    """Two runs of one seed more than 1.96 times the root of twice the variance apart are not; what
    drawn people's runs differ by is of no photographs."""
    for seed in range(3):
        add_answers("one", 1.0, seed=seed)
    assert find_spread(load_site(results, FOLDER), "cuhk-pedes") is STATED
    photographs = {"title": "ICFG-PEDES", "drawn": False}
    found: dict[str, list[float]] = {}
    for seed in range(3):
        for method in ("alpha", "beta"):
            path = add_answers(method, 1.2, seed=seed, dataset="icfg-pedes", data=photographs)
            record = yaml.safe_load((path / "run.json").read_text(encoding="utf-8"))
            found.setdefault(method, []).append(record["metrics"]["r1"])
    variance = statistics.fmean(statistics.variance(values) for values in found.values())
    site = load_site(results, FOLDER)
    for dataset, elsewhere in (("cuhk-pedes", True), ("icfg-pedes", False)):
        spread = find_spread(site, dataset)
        assert spread.reach == pytest.approx(1.96 * math.sqrt(2 * variance), rel=1e-3)
        assert f"standard deviation of {math.sqrt(variance):.2f} points" in spread.words
        assert "4 degrees of freedom" in spread.words
        assert ("Nothing was run with several seeds" in spread.words) == elsewhere


def test_a_file_is_checked_before_it_is_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How much it holds and which names are new; what is wrong is one line, and a status."""
    sound, wrong = tmp_path / "one.yaml", tmp_path / "late.yaml"
    sound.write_text(yaml.safe_dump(ONE), encoding="utf-8")
    wrong.write_text(yaml.safe_dump(TWO | {"year": "soon"}), encoding="utf-8")
    assert main([str(sound)]) == 0
    assert capsys.readouterr().out.strip() == (
        "one.yaml: 13 figures in 2 tables, 1 of them suspect. No other paper here prints Old, TWO;"
        " what is a new spelling of a name that is known belongs under `names`."
    )
    assert main([str(wrong), str(tmp_path / "none.yaml"), str(sound)]) == 1
    told = capsys.readouterr()
    assert "year: 'soon' is no year; a year is a whole number" in told.err
    assert "none.yaml" in told.err
    assert "13 figures" in told.out


def test_a_new_spelling_of_a_method_that_is_known_is_told(shipped: Papers, tmp_path: Path) -> None:
    """A name that folds to a known one is none that is new."""
    content = {
        "method": "mine", "paper": "Mine", "scale": "paper",
        "tables": [{"title": "T", "columns": ["cuhk-pedes/r1"], "rows": [
            {"label": "irra (2023)", "values": [1]}, {"label": "Irra", "values": [2]},
            {"label": "TBPS clip", "values": [3]},
        ]}],
    }  # fmt: skip
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "No other paper" not in describe(read_paper(path), dict(shipped))
    content["tables"][0]["rows"][1]["label"] = "IRRA+"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "No other paper here prints IRRA+;" in describe(read_paper(path), dict(shipped))
