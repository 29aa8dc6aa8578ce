from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.files import write_json, write_table
from harness.metrics import score_rows, summarize
from harness.plan.spec import PROTOCOL
from harness.results import StoredRun, read_record
from harness.results.inflation import measure_inflation
from harness.significance import simultaneous
from leaderboard import protocol
from leaderboard.agreement import find_agreements
from leaderboard.build import build_site
from leaderboard.protocol import worked_example as example
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site
from leaderboard.typography import signed

from .recorder import draw_queries

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def build(results: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that writes the page of the protocol and nothing else."""

    def write() -> Path:
        site = load_site(results, FOLDER)
        write_site({**render.make_assets(site), **protocol.make_files(site)}, tmp_path / "site")
        return tmp_path / "site/protocol.html"

    return write


def test_the_worked_example_is_what_the_harness_scores() -> None:
    """The figures of the example are those that the harness gives for its scores and people."""
    people = ["ABCD".index(person) for person, _ in example.GALLERY]
    scores = np.array([[score for _, score in example.GALLERY]], np.float32)
    found = score_rows(scores, [people[-1]], people, top=5)
    by_name = {name: float(value) for name, _, value in example.worked_example().metrics}
    summary = {name: value / 100 for name, value in summarize(found).items()}
    assert by_name == {
        "R1": summary["r1"],
        "R5": summary["r5"],
        "AP": pytest.approx(summary["map"]),
        "INP": pytest.approx(summary["minp"]),
    }
    order = example.rank([score for _, score in example.GALLERY])
    assert order == found.top_rows[0].tolist()


def test_the_example_holds_a_tie() -> None:
    """Two rows of the example score the same, and the earlier one ranks first."""
    rows = {row.rank: row for row in example.worked_example().rows}
    assert rows["4"].score == rows["5"].score
    assert int(rows["4"].gallery_row) < int(rows["5"].gallery_row)
    assert example.worked_example().tied == "4 and 5"


def test_constants_are_those_of_the_code(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The page follows the code: with another number of draws it says another number."""
    add_run("one", 40.0)
    assert "So 10,000 times the means" in " ".join(read_page(build()).text.split())
    monkeypatch.setattr(simultaneous, "DRAWS", 2_500)
    text = " ".join(read_page(build()).text.split())
    assert "So 2,500 times the means" in text
    assert "cannot fall below 1 / 2,501" in text


def test_what_simulations_found_is_that_of_their_table(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """False alarms, coverage and those of sign flips are the ends of docs/significance.csv."""
    add_run("one", 40.0)
    text = " ".join(read_page(build()).text.split())
    with (DOCS / "significance.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:20]  # of seven methods that spread alike
    alarms, coverage, flips = (
        sorted(float(row[name]) for row in rows)
        for name in ("false alarms, %", "coverage, %", "false alarms of sign flips, %")
    )
    assert f"told apart in {alarms[0]} to {alarms[-1]} % of cases" in text
    assert f"true difference in {coverage[0]} to {coverage[-1]} %" in text
    assert f"told equal methods apart in up to {flips[-1]} %" in text


def test_recorded_protocols_are_shown(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """What runs recorded of their protocol stands with the number of these runs."""
    for seed in range(3):
        add_run("one", 40.0, seed=seed, protocol=PROTOCOL)
    add_run("two", 40.0, protocol={"queries": "only some"})
    text = " ".join(read_page(build()).text.split())
    assert "3 runs recorded this protocol" in text
    assert "1 run recorded this protocol" in text
    assert PROTOCOL["order"] in text
    assert "only some" in text


def audit(run: Path, tested: float, last: float, epochs: list[float]) -> None:
    """Add an audit without answers to the folder of a run."""
    write_json(run / "evaluations/test-selected/metrics.json", {"r1": tested})
    write_json(run / "evaluations/last-epoch/metrics.json", {"r1": last})
    numbers = list(range(1, len(epochs) + 1))
    curve = {"epoch": numbers, "test_r1": epochs, "test_map": epochs}
    write_table(run / "selection-audit.parquet", curve)


def test_selection_inflation_is_shown_where_it_was_audited(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """The gap is the mean over audited seeds, to the figure that val selected for the same seed."""
    for seed, (selected, tested) in enumerate(((40.0, 41.0), (42.0, 45.0))):
        run = add_run("one", selected, seed=seed, test_selected_epoch=2 + seed)
        audit(run, tested, selected - 1, [20.0, tested, 30.0])
    add_run("one", 10.0, seed=2)
    add_run("two", 50.0)
    audit(add_run("three", 30.0, test_selected_epoch=2), 30.0, 29.0, [25.0, 30.0, 29.0])
    page = read_page(build())
    found = ["ONE", "41.00", "40.00", "43.00", "+2.00", "\N{EN DASH}", "1 of 2", "2"]
    assert page.row("ONE") == found
    assert page.row("THREE")[4:] == ["0.00", "\N{EN DASH}", "0 of 1", "1"]
    assert not [row for row in page.rows if "TWO" in row]
    assert "No run in these results was audited" not in page.text
    words = " ".join(page.text.split())
    assert (
        "On demo/paperdolls, choosing the epoch by test would have added 1.00 points of R1 on "
        "average over 2 methods, from 0.00 (THREE) to 2.00 (ONE)."
    ) in words
    assert "ONE: test R1 by epoch" in words
    assert "seed 1: 20 at epoch 1, 30 at epoch 3; epoch 3 was selected." in words


def test_selection_inflation_has_an_interval_where_answers_are_stored(
    add_answers: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    """It is that of the comparison of the same runs, and stands in the sentence too."""
    runs = [add_answers("one", 1.0, seed=seed, test_selected_epoch=1) for seed in range(3)]
    for run in runs:
        better, worse = draw_queries("one/full", int(run.name[-1]), 1.6), run / "evaluations"
        write_table(worse / "test-selected/queries.parquet", better[0])
        write_json(worse / "test-selected/metrics.json", {"r1": better[1]})
    found = measure_inflation("one", [StoredRun(read_record(run), run) for run in runs])
    assert found
    assert found.comparison
    ends = (found.comparison.low, found.comparison.high)
    within = " to ".join(f"{end:+.2f}".replace("-", "\N{MINUS SIGN}") for end in ends)
    page = read_page(build())
    assert page.row("ONE")[5] == within
    words = " ".join(page.text.split())
    assert f"points of R1 to ONE (95 % interval {within})." in words
    assert "It takes the chosen epochs as they were" in words


def test_where_test_would_choose_what_val_chose_nothing_is_added(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """It is said in words, without a range of zeros."""
    for name in ("one", "two"):
        audit(add_run(name, 30.0, test_selected_epoch=2), 30.0, 29.0, [25.0, 30.0, 29.0])
    words = " ".join(read_page(build()).text.split())
    assert "choosing the epoch by test would have added nothing to ONE and TWO." in words


def test_a_damaged_audit_stops_no_page(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """What cannot be read is not drawn; `harness verify` tells of it."""
    run = add_run("one", 40.0, test_selected_epoch=2)
    audit(run, 41.0, 39.0, [1.0])
    (run / "selection-audit.parquet").write_text("PAR1", encoding="utf-8")
    page = read_page(build())
    assert page.row("ONE")[3] == "41.00"
    assert "test R1 by epoch" not in page.text


def test_what_test_would_have_chosen_stands_on_this_page_alone(
    add_answers: Callable[..., Path], results: Path, tmp_path: Path
) -> None:
    """No ranking, comparison, page of a method or download holds a figure of an audit."""
    for name in ("one", "two"):
        for seed in range(2):
            run = add_answers(name, 1.0, seed=seed, test_selected_epoch=1)
            audit(run, 76.54321, 20.0, [76.54321, 20.0, 20.0])
    build_site(results, tmp_path / "site")
    holding = {
        file.relative_to(tmp_path / "site").as_posix()
        for file in (tmp_path / "site").rglob("*")
        if file.is_file() and re.search(rb"76\.54|test-selected|7654321", file.read_bytes())
    }
    assert holding == {"protocol.html"}


def test_what_stands_as_papers_report_is_counted(
    results: Path, add_answers: Callable[..., Path], build: Callable[[], Path],
    read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Pairs of methods and rows of a table stand with both differences, sources and the verdict."""
    places = {"B": (("Table 4", "B", 0),), "full": (("Table 4", "B+LRC+GSRC-FR+IASC-CL", 4),)}
    for seed in range(2):
        add_answers("dgia", 1.6, seed=seed, tables=places["full"])
        add_answers("dgia", 0.4, seed=seed, variant="B", tables=places["B"])
        add_answers("clip-itc", 2.6, seed=seed)
        add_answers("clip", 1.0, seed=seed)
    page = read_page(build())
    (agreement,) = find_agreements(results)
    (pair,), (row,) = agreement.pairs, agreement.rows
    text = " ".join(page.text.split())
    assert "No paper measured PaperDolls: what papers print for CUHK-PEDES stands in." in text
    assert "0 of 1 pair of methods stands as their papers report on CUHK-PEDES; 1 does not" in text
    assert "tau is \u22121.00; of fewer than three methods it has no interval" in text
    assert "1 of 1 difference between rows stands as their papers report on CUHK-PEDES." in text
    assert "Left out: CLIP; no paper that is held here prints it for CUHK-PEDES." in text
    told = page.row("DGIA \u2212 CLIP-ITC")
    assert told[1:3] == ["no", "+7.85"]
    assert told[3].startswith(signed(pair.found.difference, 1))
    ablated = page.row("B+LRC+GSRC-FR+IASC-CL \u2212 B")
    assert ablated[1:3] == ["yes", "+8.37"]
    assert ablated[3].startswith(signed(row.found.difference, 1))
    figures = page.row("CLIP-ITC")
    assert figures[1] == "65.21"
    assert "DGIA, Table 4: B" in figures[3]
    assert "agreement-demo-paperdolls" in page.attributes("id")


@pytest.mark.parametrize(
    ("dataset", "drawn", "told"),
    [
        ("mine", True, "People that were drawn ask other things of a method than photographs do."),
        ("mine", False, "A dataset that no paper measured asks other things of a method"),
        ("cuhk-pedes", False, ""),
    ],
)
def test_why_a_difference_may_not_stand_is_said_of_its_own_data(
    dataset: str, drawn: bool, told: str, add_answers: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Of drawn people that they are drawn, of others that no paper measured them, if none did."""
    for name in ("irra", "clip-itc"):
        add_answers(name, 1.0, dataset=dataset, data={"title": "Mine", "drawn": drawn})
    text = " ".join(read_page(build()).text.split())
    _, _, why = text.partition("Why a difference may not stand ")
    assert why.startswith(told or "Recipes of scale")
    assert why.count("asks other things") + why.count("ask other things") == bool(told)


def test_a_row_and_a_method_that_failed_are_left_out_by_their_names(
    add_answers: Callable[..., Path], add_run: Callable[..., Path], build: Callable[[], Path],
    results: Path, read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """With the titles that pages give them; a folder without a record has only its own name."""
    add_answers("dgia", 1.6, tables=(("Table 4", "B+LRC+GSRC-FR+IASC-CL", 4),))
    add_answers("irra", 1.6)
    add_run("dgia", variant="B", tables=(("Table 4", "B", 0),), status="error")
    add_run("laip", status="error")
    (results / "demo/paperdolls/ogen/full/seed-0.unfinished").mkdir(parents=True)
    text = " ".join(read_page(build()).text.split())
    assert "Left out: DGIA: B; its runs failed." in text
    assert "Left out: LAIP; its runs failed." in text
    assert "Left out: ogen; it began a run, of which there is no record that can be read." in text


def test_it_is_said_that_papers_claim_nothing(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Methods that no paper prints give no table, and a sentence that says so."""
    add_run("one", 40.0)
    text = " ".join(read_page(build()).text.split())
    assert "Of what ran here papers claim no difference" in text
    assert "Why a difference may not stand" not in text


def test_it_is_said_that_nothing_was_audited(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Without a test-selected figure the page says that the inflation is not known."""
    add_run("one", 40.0)
    assert "No run in these results was audited" in read_page(build()).text
