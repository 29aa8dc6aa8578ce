from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from leaderboard.build import build_site
from leaderboard.reported.figures import OwnFigures
from leaderboard.reported.tables import read_paper
from leaderboard.typography import ABSENT as DASH
from methods.mefa import Mefa

ABLATION = (("Table 5", "B+LRCI", 1),)
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}</table>'


@pytest.fixture
def add_dgia(add_run: Callable[..., Path]) -> Callable[..., None]:
    """Return a function that adds runs of dgia, one of them a row of its Table 5."""

    def add(dataset: str, scale: str) -> None:
        place = {"suite": "s", "dataset": dataset, "scale": scale}
        add_run("dgia", 60.0, tables=(("Table 4", "B+LRC+GSRC-FR+IASC-CL", 4),), **place)
        add_run("dgia", 50.0, variant="image", tables=ABLATION, **place)

    return add


@pytest.fixture
def build(
    results: Path, tmp_path: Path, read_page: Callable[[Path], Any]
) -> Callable[..., dict[str, Any]]:
    """Return a function that builds the site and returns its parsed pages by name."""

    def build(**options: Path) -> dict[str, Any]:
        site = build_site(results, tmp_path / "site", **options).parent
        return {path.stem: read_page(path) for path in site.rglob("*.html")}

    return build


def main_part(page: Any) -> str:
    """Return what stands before the tables of the paper, spaces made one."""
    before, _, _ = page.text.rpartition("Figures as printed in")
    return " ".join((before or page.text).split())


def row_of(index: Any, title: str) -> list[str]:
    """Return the row of a method in the ranking, where more may stand below its title."""
    (found,) = [row for row in index.rows if row[1].startswith(title)]
    return found


def test_another_evaluation_stands_beside_its_own_line_alone(tmp_path: Path) -> None:
    """Where the method has a dash, a re-ranked figure of it does not fill the cell."""
    text = {
        "method": "one", "paper": "One", "scale": "paper",
        "tables": [{
            "title": "Table 1", "columns": ["cuhk-pedes/r1", "cuhk-pedes/map"],
            "rows": [
                {"label": "One", "method": "one", "values": [60, None]},
                {"label": "RR", "method": "one", "scored": "re-ranked", "values": [70, 50]},
            ],
        }],
    }  # fmt: skip
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    found = OwnFigures("one", "cuhk-pedes", read_paper(tmp_path / "one.yaml").tables)
    assert {metric: figure.text for metric, figure in found.of_method().items()} == {"r1": "60"}
    assert set(found.of_labels(["RR"])) == {"r1", "map"}


def test_the_paper_stands_beside_ours_on_its_own_ground(
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]]
) -> None:
    """With the dataset and the scale of the paper, each cell it fills shows its figure."""
    add_dgia("icfg-pedes", "paper")
    page = build()["dgia"]
    ranked = next(row for row in page.rows if row[0].startswith("text-to-image"))
    assert ranked[1] == "60.0, paper 63.71"
    assert ranked[4] == "56.5, paper 36.87"
    assert "paper" not in page.row("image-to-text")[1]
    (ours, _) = [row for row in page.rows if row[0] == "B+LRCI"]
    assert ours[1].startswith("50.0, paper 51.32, suspect: ")
    assert not [cell for cell in ours[2:] if "paper" in cell]
    reference = next(row for row in page.rows if row[0] == "as published")
    assert "paper 63.71" in reference[1]
    assert "Small beside ours stands what the paper prints for this dataset" in page.text


def test_the_ranking_shows_what_the_methods_own_paper_prints(
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]],
    add_run: Callable[..., Path],
) -> None:  # fmt: skip
    """Another paper's figure of a method is not its own, and is not shown beside it."""
    add_dgia("icfg-pedes", "paper")
    add_run("clip-itc", 61.0, suite="s", dataset="icfg-pedes", scale="paper")
    index = build()["index"]
    assert row_of(index, "DGIA")[3] == "70.0paper 79.90"
    assert not [cell for cell in row_of(index, "CLIP-ITC") if "paper" in cell]
    assert "own paper prints for this dataset at the same scale" in index.text


def test_a_suspect_figure_says_why_where_it_stands(
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]]
) -> None:
    """The word and the reason stand in the cell, in the ranking as on the method's page."""
    add_dgia("icfg-pedes", "paper")
    pages = build()
    cell = row_of(pages["index"], "DGIA")[6]
    assert "paper 6.20; suspect: below CPCL" in cell
    assert cell.endswith("6.31, so not the best of its group")
    (ours, _) = [row for row in pages["dgia"].rows if row[0] == "B+LRCI"]
    assert "suspect: below B, which the text says it outperforms" in ours[1]


@pytest.mark.parametrize(
    ("dataset", "scale", "difference"),
    [
        ("paperdolls", "tiny", "other data and another scale"),
        ("cuhk-pedes", "tiny", "another scale"),
        ("paperdolls", "paper", "other data"),
    ],
)
def test_elsewhere_no_figure_of_the_paper_stands_beside_ours(
    dataset: str, scale: str, difference: str,
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]],
) -> None:  # fmt: skip
    """Other data or another scale is no comparison: a sentence says so and leads to the tables."""
    add_dgia(dataset, scale)
    pages = build()
    said = f"The figures in the paper are for {difference}, so none of them stands beside ours."
    assert said in main_part(pages["dgia"])
    assert "#reported" in pages["dgia"].attributes("href")
    assert not re.search(r"paper \d", main_part(pages["dgia"]) + pages["index"].text)
    assert "own paper prints" not in pages["index"].text


@pytest.mark.parametrize(
    ("dataset", "title", "label", "printed"),
    [
        ("cuhk-pedes", "Table 1", "EvaCLIP(baseline)", "66.51"),
        ("icfg-pedes", "Table 2", "EvaCLIP", "57.44"),
        ("rstpreid", "Table 3", "EvaCLIP", "57.81"),
        ("paperdolls", "Table 1", "EvaCLIP(baseline)", ""),
    ],
)
def test_of_tables_with_the_same_rows_the_one_for_the_dataset_is_shown(
    dataset: str, title: str, label: str, printed: str,
    add_run: Callable[..., Path], build: Callable[..., dict[str, Any]],
) -> None:  # fmt: skip
    """MeFa's paper prints its backbones once a dataset: each row beside its own figures, once."""
    rows = {f"Table {n}": Mefa.recipes["paper"].ablations[f"Table {n}"] for n in (1, 2, 3)}
    variants = ["CLIP(ViT-B/16)", "EvaCLIP(baseline)", "MeFa(CLIP)", "full"]
    for position, variant in enumerate(variants):
        places = tuple((table, list(labels)[position], position) for table, labels in rows.items())
        add_run(
            "mefa", 50.0 + position, variant=variant, tables=places,
            suite="s", dataset=dataset, scale="paper",
        )  # fmt: skip
    page = build()["mefa"]
    shown = main_part(page)
    assert [table for table in rows if table in shown] == [title]
    (row,) = [row for row in page.rows if row[0] == label and row[1].startswith("51.0")]
    assert row[1] == (f"51.0, paper {printed}" if printed else "51.0") or "suspect" in row[1]
    assert printed in row[1]


def test_runs_at_two_scales_are_not_compared_with_the_paper(
    add_dgia: Callable[..., None], add_run: Callable[..., Path],
    build: Callable[..., dict[str, Any]],
) -> None:  # fmt: skip
    """A mean in which one seed ran at another scale has nothing in print beside it."""
    add_dgia("icfg-pedes", "paper")
    add_run("dgia", 61.0, seed=1, suite="s", dataset="icfg-pedes", scale="tiny")
    assert "paper 63.71" not in build()["dgia"].text


def test_what_the_paper_reports_is_shown_as_printed(
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]]
) -> None:
    """All tables with groups, dashes, datasets, source and remark; long ones stand folded."""
    add_dgia("paperdolls", "tiny")
    page = build()["dgia"]
    assert [row for row in page.rows if row[0] == "CMMT"] == [
        ["CMMT", "57.10", "78.14", "85.23", DASH, DASH]
    ]
    assert ["B+LRCT", "67.61", "56.47", "55.45"] in page.rows
    assert ["", "CUHK-PEDES", "ICFG-PEDES", "RSTPReid"] in page.rows
    assert page.rows.count(["Weakly Supervised"]) == 3
    assert page.rows.count(["Row", "R1 %", "R5 %", "R10 %", "mAP %", "mINP %"]) == 3
    assert "https://arxiv.org/abs/2507.06744" in page.attributes("href")
    text = " ".join(page.text.split())
    assert "R1 is best with a masking ratio between 0.3 and 0.5" in text
    assert "92.0 % are right on CUHK-PEDES" in text
    assert page.source.split('<section class="reported"')[1].count("<details>") == 3


def test_a_suspect_cell_is_marked_and_explained_below(
    add_dgia: Callable[..., None], build: Callable[..., dict[str, Any]]
) -> None:
    """A letter leads from the figure to the reason, and equal reasons share one."""
    add_dgia("paperdolls", "tiny")
    page = build()["dgia"]
    (trimatch, _, _) = [row for row in page.rows if row[0] == "TriMatch"]
    assert trimatch[1:4] == ["76.84", "89.90, suspect, note b", "94.17, suspect, note b"]
    assert re.search("a Suspect: IRRA.s own paper prints 89.93", page.text)
    assert "b Suspect: R5, R10 and mAP repeat PP-ReID" in page.text


def test_rows_lead_to_the_pages_of_their_methods(
    add_dgia: Callable[..., None], add_run: Callable[..., Path],
    build: Callable[..., dict[str, Any]],
) -> None:  # fmt: skip
    """A rival that has a page here is a link to it; one that has none is not."""
    add_dgia("paperdolls", "tiny")
    add_run("irra", 50.0)
    hrefs = build()["dgia"].attributes("href")
    assert hrefs.count("../methods/irra.html") == 3
    assert not [href for href in hrefs if "laip" in href]


def test_without_a_reported_file_there_is_no_section(
    small_results: Path, build: Callable[..., dict[str, Any]]
) -> None:
    """A method whose paper was not read has a page that speaks of no paper's figures."""
    page = build()["beta"]
    assert "reported" not in page.attributes("id")
    assert "the paper" not in page.text


def test_hostile_text_in_a_reported_file_is_shown_and_not_obeyed(
    add_run: Callable[..., Path], build: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Every text of the file is escaped, also where it stands beside our figures."""
    row = {"label": HOSTILE, "group": HOSTILE, "values": [51.5], "suspect": [{"why": HOSTILE}]}
    own = {"label": "own", "method": "one", "values": [52.5], "suspect": [{"why": HOSTILE}]}
    table = {"title": HOSTILE, "caption": HOSTILE, "columns": ["paperdolls/r1"], "rows": [row, own]}
    content = {
        "method": "one", "paper": HOSTILE, "url": "javascript:alert(1)", "scale": "tiny",
        "tables": [table], "remarks": [{"about": HOSTILE, "text": HOSTILE}],
    }  # fmt: skip
    folder = tmp_path / "reported"
    folder.mkdir()
    (folder / "one.yaml").write_text(yaml.safe_dump(content))
    add_run("one", 50.0)
    add_run("one", 40.0, variant="v", tables=((HOSTILE, HOSTILE, 0),))
    pages = build(reported=folder)
    assert "paper 51.5" in pages["one"].text
    assert f"suspect: {HOSTILE}" in pages["one"].text
    assert "paper 52.5" in row_of(pages["index"], "ONE")[2]
    for page in pages.values():
        scripts = [values for tag, values in page.elements if tag == "script"]
        assert all("assets/" in values["src"] for values in scripts)
        assert not [href for href in page.attributes("href") if href.startswith("javascript")]


def test_a_wrong_file_stops_the_build_and_keeps_the_site(
    add_run: Callable[..., Path], build: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """An error names the file, and the site that was there stays as it was."""
    add_run("one", 50.0)
    build()
    folder = tmp_path / "reported"
    folder.mkdir()
    (folder / "one.yaml").write_text("method: one")
    index = tmp_path / "site/index.html"
    before = index.read_bytes()
    with pytest.raises(ValueError, match=r"one\.yaml: paper, scale, tables is missing"):
        build(reported=folder)
    assert index.read_bytes() == before
