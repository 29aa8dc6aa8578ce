from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.files import write_json
from harness.metrics import score_rows, summarize
from harness.plan.spec import PROTOCOL
from harness.significance import simultaneous
from leaderboard import protocol
from leaderboard.agreement import find_agreements
from leaderboard.protocol import worked_example as example
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site
from leaderboard.typography import signed

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


def test_selection_inflation_is_shown_where_it_was_audited(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """The gap is the mean over audited seeds, to the figure that val selected for the same seed."""
    for seed, (selected, tested) in enumerate(((40.0, 41.0), (42.0, 45.0))):
        run = add_run("one", selected, seed=seed)
        write_json(run / "evaluations/test-selected/metrics.json", {"r1": tested})
        write_json(run / "evaluations/last-epoch/metrics.json", {"r1": selected - 1})
    add_run("one", 10.0, seed=2)
    add_run("two", 50.0)
    page = read_page(build())
    assert page.row("ONE") == ["ONE", "demo/paperdolls", "41.00", "40.00", "43.00", "2.00", "2"]
    assert not [row for row in page.rows if "TWO" in row]
    assert "No run in these results was audited" not in page.text


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
