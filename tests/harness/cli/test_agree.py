from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leaderboard.agreement import find_agreements

from ...command_line import CommandLine
from ...leaderboard.recorder import Recorder

PLACES = {"B": (("Table 4", "B", 0),), "full": (("Table 4", "B+LRC+GSRC-FR+IASC-CL", 4),)}
COUNTS = {"agree", "disagree", "tied", "wrong_and_told_apart"}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Four methods, one of them printed nowhere, and a row of an ablation, on two datasets."""
    recorder = Recorder(tmp_path / "results")
    for dataset in ("paperdolls", "streetdolls"):
        for method, skill in (("dgia", 1.6), ("irra", 1.5), ("clip-itc", 2.6), ("clip", 1.0)):
            tables = PLACES["full"] if method == "dgia" else ()
            recorder.add_answers(method, skill, dataset=dataset, tables=tables)
    recorder.add_answers("dgia", 0.4, variant="B", tables=PLACES["B"])
    return recorder.results


def test_it_tells_by_dataset_what_stands(harness: CommandLine, results: Path) -> None:
    """Figures with their sources, both differences of each claim, and the counts in a sentence."""
    done = harness("agree", results)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.count("R1; papers: CUHK-PEDES") == 2
    (pair,) = [line for line in lines if line[:3] == ["dgia", "-", "dgia:B"]]
    assert pair[3] == "+8.37"
    assert "0 of 2 pairs of methods stand as their papers report on CUHK-PEDES" in done.stdout
    assert "1 more is a tie in print." in done.stdout
    assert "1 of 1 difference between rows stands" in done.stdout
    assert "Kendall's tau -1.00 (95 %: " in done.stdout
    told = " ".join(done.stderr.split())
    assert "Left out: clip, no paper that is held here prints it for CUHK-PEDES." in told
    assert "No paper measured streetdolls" in told


def test_scripts_read_counts_and_single_pairs(harness: CommandLine, results: Path) -> None:
    """The counts of all datasets, then of each, whose claims can be counted again."""
    found = json.loads(harness("agree", results, "--json").stdout)
    agreements = find_agreements(results)
    assert len(found["datasets"]) == len(agreements) == 2
    for kind, listed in (("pairs", "pairs_of_methods"), ("rows", "differences_of_rows")):
        totals = dict.fromkeys(COUNTS, 0)
        for one in found["datasets"]:
            outcomes = [claim["outcome"] for claim in one[listed]]
            wrong = [c for c in one[listed] if c["outcome"] == "disagrees" and c["told_apart"]]
            counts = {
                "agree": outcomes.count("agrees"), "disagree": outcomes.count("disagrees"),
                "tied": outcomes.count("tied"), "wrong_and_told_apart": len(wrong),
            }  # fmt: skip
            assert one[kind] == counts
            totals = {name: totals[name] + count for name, count in counts.items()}
        assert found[kind] == totals
    balance = found["pairs"]["agree"] - found["pairs"]["disagree"]
    assert found["tau"] == balance / (found["pairs"]["agree"] + found["pairs"]["disagree"])
    low, high = found["tau_interval"]
    assert low <= found["tau"] <= high
    claim = found["datasets"][0]["pairs_of_methods"][0]
    tried = agreements[0].pairs[0]
    assert (claim["printed"], claim["measured"]) == (
        float(tried.claim.difference), tried.found.difference
    )  # fmt: skip


def test_another_dataset_may_stand_in(harness: CommandLine, results: Path) -> None:
    """Figures that are printed for it are compared with, for the datasets that are asked for."""
    found = json.loads(
        harness("agree", results, "--json", "--on", "rstpreid", "--dataset", "paperdolls").stdout
    )
    (one,) = found["datasets"]
    assert (one["dataset"], one["printed_on"]) == ("paperdolls", "RSTPReid")
    assert one["differences_of_rows"][0]["printed"] == 6.7  # 61.30 less 54.60


def test_zero_has_no_sign(harness: CommandLine, tmp_path: Path) -> None:
    """Of methods that answer alike, whichever of the two was run first."""
    recorder = Recorder(tmp_path / "results")
    file = "evaluations/text-to-image/queries.parquet"
    runs = [recorder.add_answers(name, 1.0) for name in ("clip-itc", "irra")]
    (runs[1] / file).write_bytes((runs[0] / file).read_bytes())
    compare = "compare", "irra", "clip-itc", "--results", recorder.results
    for command in (("agree", recorder.results), compare):
        done = harness(*command)
        assert done.returncode == 0, done.stderr
        assert "+0.00" in done.stdout
        assert "0.00 to 0.00" in done.stdout
        assert "-0.0" not in done.stdout
        assert "-0.0" not in harness(*command, "--json").stdout


@pytest.mark.parametrize("drawn", [True, False])
def test_only_drawn_people_are_told_from_photographs(
    drawn: bool, harness: CommandLine, tmp_path: Path
) -> None:
    """A user's own photographs are another dataset than those of the papers, and no more."""
    recorder = Recorder(tmp_path / "results")
    for name in ("irra", "clip-itc"):
        recorder.add_answers(name, 1.0, dataset="mine", data={"title": "Mine", "drawn": drawn})
    told = " ".join(harness("agree", recorder.results).stderr.split())
    holds = "photographs" if drawn else "another dataset"
    assert f"No paper measured mine; what holds on {holds} need not there." in told
    assert ("photographs" in told) == drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "cuhk"), "Did you mean 'cuhk-pedes'"),
        (("--suite", "dem"), "Did you mean 'demo'"),
        (("--dataset", "paperdols"), "Did you mean 'paperdolls'"),
    ],
)
def test_names_that_are_not_there_are_refused(
    arguments: tuple[str, str], message: str, harness: CommandLine, results: Path
) -> None:
    """With what was probably meant, and a status of 2."""
    done = harness("agree", results, *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda recorder: None, "harness run --all"),
        (lambda recorder: recorder.add_answers("one", 1.0), "one: no paper that is held here"),
        (lambda recorder: recorder.add_answers("irra", 1.0), "irra is alone"),
        (
            lambda recorder: [recorder.add_run(name, status="killed") for name in ("irra", "dgia")],
            "irra: its runs failed",
        ),
    ],
)
def test_results_of_which_papers_claim_nothing_are_one_message(
    fill: Callable[[Recorder], object], message: str, harness: CommandLine, tmp_path: Path
) -> None:
    """No run, no method that is printed, one alone, and none that finished: each is said."""
    recorder = Recorder(tmp_path / "results")
    fill(recorder)
    for arguments in ((), ("--json",)):
        done = harness("agree", recorder.results, *arguments)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert not done.stdout
