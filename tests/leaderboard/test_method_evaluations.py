"""The evaluations of a method: what re-ranking gains and costs, and where it failed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import playwright.sync_api as playwright
import pytest

from leaderboard import compare, method, ranking
from leaderboard.typography import ABSENT

Open = Callable[..., playwright.Page]
WIDTHS = """() => {
  const root = document.documentElement;
  const wide = [...document.querySelectorAll(".frame")]
    .filter((frame) => getComputedStyle(frame).overflowX === "visible")
    .map((frame) => frame.scrollWidth - frame.clientWidth);
  return Math.max(root.scrollWidth - root.clientWidth, 0, ...wide);
}"""
ERROR = {
    "kind": "HarnessError",
    "message": "its weights were <b>not</b> kept </script>\u202e: train it again",
    "traceback": "Traceback (most recent call last):\nHarnessError",
}


@pytest.fixture
def build(write_pages: Callable[..., dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return a function that writes the pages of the methods and parses them."""
    return partial(write_pages, method, compare, ranking)


@pytest.fixture
def add_reranked(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path]
) -> Callable[..., None]:
    """Return a function that adds a method with three seeds, re-ranked to good and to no effect."""

    def add(name: str = "one", reported_as: tuple[str, ...] = (), **fields: Any) -> None:
        for seed in range(3):
            run = add_answers(name, 1.5, seed=seed, **fields)
            add_reranking(run, "k-reciprocal", 2.5, reported_as=reported_as)
            setting = "visual-neighbours:weight=0.05,nearest=3"
            add_reranking(run, setting, 1.501, reported_as=reported_as)

    return add


def cells(page: Any, label: str) -> list[str]:
    """Return the cells of the row whose first cell begins so."""
    (found,) = [row for row in page.rows if row and row[0].startswith(label)]
    return [" ".join(cell.split()) for cell in found]


def test_a_reranking_is_named_in_words(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """Rows stand below the ranked evaluation and above the others, with their settings."""
    add_reranked()
    page = build()["one"]
    labels = [row[0] for row in page.rows if row]
    start = labels.index("text-to-imageranked")
    assert labels[start + 1 : start + 4] == [
        "re-ranked: k-reciprocal",
        "re-ranked: visual-neighbours (weight 0.05, nearest 3)",
        "image-to-text",
    ]


def test_the_gain_stands_beside_its_cost(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """A gain has interval and p-value of its table, and beside it the time with and without."""
    add_reranked()
    page = build()["one"]
    *_, r1, map_, cost, seeds = cells(page, "re-ranked: k-reciprocal")
    for gain in (r1, map_):
        assert re.match(r"\+\d+\.\d+, p < 0.001, interval \+\d+\.\d+ to \+\d+\.\d+", gain)
    assert cost.startswith("0.050 by cosine, 0.62 re-ranked, 12 times as long")
    assert cost.endswith("0.050 → 0.6212\N{MULTIPLICATION SIGN}")
    assert seeds.startswith("3")
    assert "p-values are for the table's 2 comparisons of each metric at once" in page.text
    *_, r1, _, _, _ = cells(page, "re-ranked: visual")
    assert ", not told apart" in r1


def test_the_gain_is_the_difference_of_the_means(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """What is shown as gain is the re-ranked figure less the ranked one."""
    add_reranked()
    page = build()["one"]
    ranked, reranked = (
        float(cells(page, label)[1].split(",")[0])
        for label in ("text-to-image", "re-ranked: k-reciprocal")
    )
    gain = float(cells(page, "re-ranked: k-reciprocal")[6].split(",")[0])
    assert gain == pytest.approx(reranked - ranked, abs=0.2)


def test_other_evaluations_gain_nothing(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """Image-to-text answers other queries: no difference, no cost."""
    add_reranked()
    assert cells(build()["one"], "image-to-text")[6:9] == [ABSENT] * 3


def test_what_other_data_gave_stands_on_the_methods_page(
    add_answers: Callable[..., Path], add_queries: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """By the name of the data, with the mean over seeds."""
    for seed in range(2):
        path = add_queries(add_answers("one", 1.5, seed=seed), "on-street", 0.4)
        record = json.loads((path / "evaluation.json").read_text())
        street = {"name": "streetdolls", "title": "Street"}
        (path / "evaluation.json").write_text(json.dumps({**record, "queries": "", "on": street}))
    page = build()["one"]
    there, here = cells(page, "on Street, without training on it"), cells(page, "text-to-image")
    r1_there, r1_here = (float(row[1].split(",")[0]) for row in (there, here))
    assert 0 < r1_there < r1_here


def test_a_reader_is_told_what_reranked_figures_are_not(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """Below the table: queries depend on each other, and nothing re-ranked is in the ranking."""
    add_reranked()
    page = build()["one"]
    assert "looks at all queries together" in page.text
    assert "Re-ranked figures are never in the ranking." in page.text


def test_the_caution_is_of_k_reciprocal_only(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Voting by neighbours looks at one query at a time, and no method without is told of any."""
    add_reranking(add_answers("one", 1.5), "visual-neighbours", 1.6)
    add_answers("two", 1.5)
    pages = build()
    assert "looks at all queries together" not in pages["one"].text
    assert "Re-ranked figures are never in the ranking." in pages["one"].text
    assert "Re-ranked" not in pages["two"].text


def test_the_ranking_holds_no_reranked_figure(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]], tmp_path: Path,
    read_page: Callable[[Path], Any], results: Path,
) -> None:  # fmt: skip
    """The index is the same, byte for byte, with and without re-rankings."""
    add_reranked()
    build()
    before = (tmp_path / "site/index.html").read_bytes()
    for folder in results.glob("*/*/*/*/seed-*/evaluations/*/evaluation.json"):
        shutil.rmtree(folder.parent)
    build()
    assert (tmp_path / "site/index.html").read_bytes() == before


CUHK = {"dataset": "cuhk-pedes", "scale": "paper"}


def test_the_papers_figure_stands_beside_its_reranking(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """OGEN(RR) of Table I stands by both re-rankings that it may be, OGEN by the ranked one."""
    add_reranked("ogen", ("OGEN(RR)",), **CUHK)
    page = build()["ogen"]
    assert "paper 74.37" in cells(page, "text-to-image")[1]
    for label in ("re-ranked: k-reciprocal", "re-ranked: visual"):
        row = cells(page, label)
        assert row[0].endswith("may be what the paper calls OGEN(RR)")
        assert "paper 77.30" in row[1]
        assert "paper 68.35" in row[4]


def test_a_figure_of_another_scale_stands_beside_nothing(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """On drawn data the paper's label is named and its figures are not."""
    add_reranked("ogen", ("OGEN(RR)",))
    row = cells(build()["ogen"], "re-ranked: k-reciprocal")
    assert row[0].endswith("OGEN(RR)")
    assert "paper" not in " ".join(row[1:])


def test_a_label_of_one_reranking_is_said_for_sure(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Where one re-ranking only goes by a paper's label, there is no doubt about it."""
    add_reranking(add_answers("one", 1.5), "k-reciprocal", 1.6, reported_as=("One + RR",))
    assert cells(build()["one"], "re-ranked")[0].endswith("One + RR in the paper")


def test_a_failed_reranking_says_why(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """It is a row without figures, though older ones lie beside, and leads to its message."""
    for seed in range(2):
        run = add_answers("one", 1.5, seed=seed)
        add_reranking(run, "k-reciprocal", 2.5, error=ERROR)
    page = build()["one"]
    row = cells(page, "re-ranked: k-reciprocal")
    assert row[1:6] == ["failed"] * 5
    assert "seed 0: failed" in row[-1]
    assert "re-ranked: k-reciprocal, seed 1: failed, HarnessError" in " ".join(page.text.split())
    assert "its weights were <b>not</b> kept </script>\ufffd: train it again" in page.text
    assert not [tag for tag, _ in page.elements if tag == "b"]
    places = set(page.attributes("id"))
    links = [href[1:] for href in page.attributes("href") if "-failed-" in href]
    assert len(links) == 2
    assert set(links) <= places


def test_a_reranking_without_figures_failed(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """A record without an error and without figures is said to have left none."""
    add_reranking(add_answers("one", 1.5), "k-reciprocal")
    page = build()["one"]
    assert cells(page, "re-ranked")[1] == "failed"
    assert "it left no figures that can be read" in page.text


def test_a_reranking_that_lacks_a_seed_is_not_compared(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Its figures stand, of fewer seeds, why they gain nothing is said, others are compared."""
    for seed in range(3):
        run = add_answers("one", 1.5, seed=seed)
        add_reranking(run, "visual-neighbours", 2.5)
        add_reranking(run, "k-reciprocal", 2.5, error=ERROR if seed == 2 else None)
    page = build()["one"]
    row = cells(page, "re-ranked: k-reciprocal")
    assert row[6:8] == ["not compared", "not compared"]
    assert "others have 3" in row[-1]
    assert (
        "Not compared: re-ranked: k-reciprocal (made with seeds 0 and 1 where comparisons, which"
        " are paired, take seeds 0, 1 and 2)." in page.text
    )
    assert "p < 0.001" in cells(page, "re-ranked: visual")[6]


@pytest.mark.parametrize("lost", ["text-to-image", "k-reciprocal"])
def test_answers_that_cannot_be_read_are_not_compared(
    lost: str, add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """The means stand, and the reason names the file as seen from the folder of results."""
    run = add_answers("one", 1.5)
    add_reranking(run, "k-reciprocal", 2.5)
    (run / f"evaluations/{lost}/queries.parquet").write_text("no Parquet")
    page = build()["one"]
    assert len(cells(page, "re-ranked")) == 8  # label, five metrics, cost and seeds
    reason = f"demo/paperdolls/one/full/seed-0/evaluations/{lost}/queries.parquet cannot be read"
    assert f"Not compared: re-ranked: k-reciprocal ({reason}" in page.text


def test_what_a_killed_process_left_is_no_evaluation(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """A folder that was never put in place is shown nowhere."""
    run = add_answers("one", 1.5)
    path = add_reranking(run, "k-reciprocal", 2.5)
    path.rename(path.with_name("k-reciprocal.machine-12.unfinished"))
    page = build()["one"]
    assert "k-reciprocal" not in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"rerank": 5}, {"query_milliseconds": "fast"}, {"error": "lost"}, {"command": None},
    ],
)  # fmt: skip
def test_a_record_of_wrong_types_breaks_nothing(
    change: dict[str, Any], add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """What is no record is left aside; the evaluation goes by the name of its folder."""
    path = add_reranking(add_answers("one", 1.5), "k-reciprocal", 2.5)
    file = path / "evaluation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert "re-ranked" not in build()["one"].text
    assert cells(build()["one"], "k-reciprocal")


def test_what_a_later_version_says_besides_is_passed_over(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """The rest of its record is read."""
    file = add_reranking(add_answers("one", 1.5), "k-reciprocal", 2.5) / "evaluation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"unknown": 1}))
    assert "re-ranked" in build()["one"].text


@pytest.mark.parametrize("milliseconds", [0.0, float("nan"), -1.0, 1e200])
def test_a_time_that_is_none_is_not_shown(
    milliseconds: float, add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Without a measured time there is no column of costs."""
    run = add_answers("one", 1.5)
    add_reranking(run, "k-reciprocal", 2.5, cosine_milliseconds=milliseconds)
    assert "ms a query" not in build()["one"].text


def test_a_hostile_reranking_is_text(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Names, labels and commands hold markup and marks that turn the direction as text."""
    hostile = "</script><b>\u202e\"'&"
    run = add_answers("one", 1.5)
    path = add_reranking(
        run, hostile, 2.5, reported_as=(hostile,), command=hostile, error={"kind": hostile}
    )
    add_reranking(run, f"{hostile}:{hostile}=1", 2.5, reported_as=(hostile,))
    assert path.is_relative_to(run)
    page = build()["one"]
    shown = hostile.replace("\u202e", "\ufffd")
    assert f"re-ranked: {shown} ({shown} 1)" in page.text
    assert f"what the paper calls {shown}" in page.text
    assert not [tag for tag, _ in page.elements if tag == "b"]


def test_the_ranked_evaluation_may_rescore(
    add_answers: Callable[..., Path], add_reranking: Callable[..., Path],
    build: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    """Of a method with candidates the page says that re-rankings leave its re-scoring aside."""
    run = add_answers("one", 1.5, recipe={"candidates": 32, "stages": [{"epochs": 1}]})
    add_reranking(run, "k-reciprocal", 2.5)
    run = add_answers("two", 1.5)
    add_reranking(run, "k-reciprocal", 2.5)
    pages = build()
    said = "may look again at the first 32 images of a query; re-rankings leave that aside."
    assert said in pages["one"].text
    assert "look again" not in pages["two"].text


def test_a_reranking_can_be_repeated(
    add_reranked: Callable[..., None], build: Callable[[], dict[str, Any]]
) -> None:
    """Beside the command of a run stand those of its re-rankings."""
    add_reranked()
    (row,) = [row for row in build()["one"].rows if row[:2] == ["full", "1"]]
    assert "harness run --method one --seed 1" in row[-1]
    assert "harness run one --seeds 1 --rerank k-reciprocal" in row[-1]


@pytest.fixture
def page_file(
    add_reranked: Callable[..., None], add_answers: Callable[..., Path],
    add_reranking: Callable[..., Path], build: Callable[[], dict[str, Any]], tmp_path: Path,
) -> Path:  # fmt: skip
    """Return the page of a method with figures of its paper, an ablation and a failed seed."""
    add_reranked("ogen", ("OGEN(RR)",), **CUHK)
    for seed in range(3):
        run = add_answers(
            "ogen", 1.0, seed=seed, variant="+DA", tables=(("Table II", "+DA", 0),), **CUHK
        )
        full = run.parent.parent / "full" / run.name
        add_reranking(full, "k-reciprocal:k1=5", 1.4, error=ERROR if seed else None)
        add_reranking(full, "visual-neighbours:weight=9.5", error=ERROR)
    build()
    return tmp_path / "site/methods/ogen.html"


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_reranked_rows_have_no_serious_barrier(
    dark: bool, page_file: Path, open_page: Open,
    find_barriers: Callable[[playwright.Page], list[str]],
) -> None:  # fmt: skip
    """Contrast, names and tables hold in light and in dark."""
    assert find_barriers(open_page(page_file, dark=dark)) == []


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_only_the_table_of_results_scrolls_sideways(
    width: int, page_file: Path, open_page: Open
) -> None:
    """The page is as wide as its window; the names of the rows stay in view."""
    page = open_page(page_file, width=width)
    assert page.evaluate(WIDTHS) == 0
    frame = page.get_by_role("region", name="Results on PaperDolls")
    row = frame.locator("tbody tr").filter(has_text="re-ranked: k-reciprocal").first
    row.evaluate("row => row.scrollIntoView({ block: 'center' })")
    frame.evaluate("frame => { frame.scrollLeft = 10000; }")
    playwright.expect(row.locator("th")).to_be_in_viewport(ratio=0.9)
    playwright.expect(row.locator("td.cost")).to_be_in_viewport(ratio=0.4)


def test_a_failed_seed_leads_to_its_message(page_file: Path, open_page: Open) -> None:
    """A click on the failure of a row brings its message into view."""
    page = open_page(page_file)
    frame = page.get_by_role("region", name="Results on PaperDolls")
    frame.get_by_role("link", name="seed 1: failed").first.click()
    target = page.locator("li:target")
    playwright.expect(target).to_be_in_viewport()
    assert "its weights were" in target.inner_text()


def test_a_real_gain_is_ink_and_another_grey(page_file: Path, open_page: Open) -> None:
    """As everywhere, what is not real is grey."""
    page = open_page(page_file)
    ink = page.evaluate("getComputedStyle(document.body).color")
    frame = page.get_by_role("region", name="Results on PaperDolls")
    colours = {
        "not told apart" in (cell.text_content() or ""): cell.locator(".mean").evaluate(
            "mean => getComputedStyle(mean).color"
        )
        for cell in frame.locator("td.difference:has(.p-value)").all()
    }
    assert colours[False] == ink
    assert colours[True] != ink
