from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.files import write_json, write_table
from harness.results import RunRecord, finish_run, load_runs, run_path, working_folder
from harness.results.answers import average_datasets, read_answers, restrict
from harness.results.comparison import compare_methods

Call = Callable[..., subprocess.CompletedProcess[str]]
PEOPLE = np.repeat(np.arange(30), 4)
COLUMNS = (
    "query_id", "person_id", "first_hit", "average_precision", "inverse_negative_penalty",
)  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with two methods of two seeds, the better one far ahead."""
    folder = tmp_path / "results"
    for seed in (0, 1):
        add(folder, "good", seed, hits=0.9)
        add(folder, "good", seed, hits=0.7, variant="part")
        add(folder, "poor", seed, hits=0.2)
    return folder


def add(
    folder: Path,
    method: str,
    seed: int,
    hits: float,
    *,
    variant: str = "full",
    dataset: str = "dolls",
    fingerprint: str = "feed",
    people: Any = PEOPLE,
    status: str = "ok",
    version: int = 2,
    tied: float | None = None,
    supervision: str = "pairs",
    draw: int | None = None,
) -> None:
    """Record a run whose queries are right with a probability, drawn by its seed or by `draw`."""
    record = RunRecord(
        status, "key", "demo", dataset, method, variant, seed, "tiny", method,
        data={"fingerprint": fingerprint}, protocol={"version": version},
        metrics={} if tied is None else {"tied": tied}, supervision=supervision,
    )  # fmt: skip
    path = run_path(folder, "demo", dataset, method, variant, seed)
    work = working_folder(path)
    count = len(people)
    right = np.random.default_rng(seed if draw is None else draw).random(count) < hits
    precision = np.where(right, 1.0, 0.25)
    write_json(work / "evaluations/text-to-image/metrics.json", {})
    write_table(
        work / "evaluations/text-to-image/queries.parquet",
        {
            "query_id": np.arange(count),
            "person_id": people,
            "first_hit": np.where(right, 1, 4),
            "average_precision": precision,
            "inverse_negative_penalty": precision,
        },
    )
    finish_run(record, path)


def test_answers_are_percent_by_seed_and_query(results: Path) -> None:
    """R1 is 0 or 100 a query, R5 counts the fourth rank, AP comes in percent."""
    runs = [run for run in load_runs(results) if run.record.method == "good"]
    answers = read_answers("good", [run for run in runs if run.record.variant == "full"])
    assert answers.seeds == (0, 1)
    right = np.random.default_rng(0).random(120) < 0.9
    np.testing.assert_array_equal(answers.values["r1"][0], 100.0 * right)
    np.testing.assert_array_equal(answers.values["r5"], 100.0)
    np.testing.assert_array_equal(answers.values["map"][0], np.where(right, 100.0, 25.0))
    np.testing.assert_array_equal(answers.first_hit[0], np.where(right, 1, 4))


def test_first_hits_follow_their_seeds_and_datasets(results: Path) -> None:
    """Of some seeds only their ranks are kept; of several datasets those of all queries."""
    runs = [run for run in load_runs(results) if run.record.method == "poor"]
    answers = read_answers("poor", runs)
    assert answers.first_hit.shape == (2, 120)
    np.testing.assert_array_equal(restrict(answers, [1]).first_hit, answers.first_hit[1:])
    pooled = average_datasets([answers, answers]).first_hit
    np.testing.assert_array_equal(pooled, np.tile(answers.first_hit, 2))


def test_a_real_difference_is_found_and_ranked(results: Path) -> None:
    """The method that is far ahead holds rank 1 alone."""
    (compared,) = compare_methods(results, "demo", [], "r1")
    first, second = compared.family.standings()
    assert (first.name, first.rank, first.last_rank) == ("good", 1, 1)
    assert (second.name, second.rank, second.last_rank) == ("poor", 2, 2)
    assert compared.family.between("good", "poor").is_real


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "beef"}, "different contents of demo/dolls"),
        ({"people": PEOPLE[:100]}, "different queries"),
        ({"status": "error"}, "has no finished run"),
        ({"dataset": "other"}, "no method with runs on dolls 'third'"),
        ({"version": 1}, "version 1 of the protocol, and it is not known how many of its queries"),
        ({"version": 1, "tied": 0.25}, "version 1 of the protocol, and 0.25 % of its queries hang"),
        ({"version": 3}, "good was scored under version 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    results: Path, change: dict[str, Any], message: str
) -> None:
    """Other contents, queries, a failed run and a missing one: each says what is wrong."""
    for seed in (0, 1):
        add(results, "third", seed, 0.5, **change)
    with pytest.raises(HarnessError, match=message):
        compare_methods(results, "demo", ["good", "third"], "r1", ["dolls"])


def test_no_tie_no_difference_of_protocol(results: Path) -> None:
    """Where no query of the older runs hangs on a tie, both rules rank alike."""
    for seed in (0, 1):
        add(results, "third", seed, 0.5, version=1, tied=0.0)
    (compared,) = compare_methods(results, "demo", ["good", "third"], "r1", ["dolls"])
    assert set(compared.family.means) == {"good", "third"}


def test_seeds_of_two_protocols_are_refused(results: Path) -> None:
    """The older one is named."""
    add(results, "third", 0, 0.5, version=1)
    add(results, "third", 1, 0.5)
    with pytest.raises(HarnessError, match="seed 0 of third was scored under version 1"):
        compare_methods(results, "demo", ["good", "third"], "r1", ["dolls"])


@pytest.mark.parametrize(
    "columns",
    [{"query_id": [0] * 120}, {**dict.fromkeys(COLUMNS, [0] * 120), "first_hit": ["one"] * 120}],
    ids=["columns missing", "words for numbers"],
)
def test_a_spoilt_table_is_named(results: Path, columns: dict[str, Any]) -> None:
    """Whatever a file holds, the error says which one cannot be read."""
    folder = run_path(results, "demo", "dolls", "poor", "full", 0)
    write_table(folder / "evaluations/text-to-image/queries.parquet", columns)
    with pytest.raises(HarnessError, match=r"queries\.parquet cannot be read"):
        compare_methods(results, "demo", [], "r1")


def test_missing_seeds_are_refused_unless_left_out(results: Path) -> None:
    """Comparisons are paired by seed; --seeds names those that both have."""
    add(results, "third", 0, 0.5)
    with pytest.raises(HarnessError, match="seeds 0, 1 and 0 on demo/dolls"):
        compare_methods(results, "demo", ["good", "third"], "r1")
    (compared,) = compare_methods(results, "demo", ["good", "third"], "r1", seeds=[0])
    assert compared.seeds == (0,)
    with pytest.raises(HarnessError, match="third has no finished run with seed 1"):
        compare_methods(results, "demo", ["good", "third"], "r1", seeds=[0, 1])


@pytest.mark.parametrize("seeds", [(0,), (4,), (0, 1)])
def test_what_is_fixed_stands_beside_any_seeds(seeds: tuple[int, ...], results: Path) -> None:
    """A method without randomness is one run, however often and under which seeds it ran."""
    for seed in seeds:
        add(results, "fixed", seed, 0.5, supervision="none", draw=7)
    (compared,) = compare_methods(results, "demo", [], "r1")
    assert compared.seeds == (0, 1)
    assert compared.family.runs == {"good": 2, "poor": 2, "fixed": 1}
    assert compared.family.between("good", "fixed").holds_for == "other people and seeds"
    (restricted,) = compare_methods(results, "demo", ["good", "fixed"], "r1", seeds=[1])
    assert restricted.seeds == (1,)


def test_two_fixed_methods_tell_of_other_people_alone(results: Path) -> None:
    """Without randomness on either side nothing is said for other seeds."""
    for method, draw in (("one", 7), ("two", 8)):
        add(results, method, 0, 0.5, supervision="none", draw=draw)
    (compared,) = compare_methods(results, "demo", ["one", "two"], "r1")
    assert compared.family.between("one", "two").holds_for == "other people"


def test_a_trained_method_with_one_seed_of_many_is_refused(results: Path) -> None:
    """One run that was trained is no deterministic one: its other seeds are missing."""
    add(results, "third", 0, 0.5)
    with pytest.raises(HarnessError, match="ran with seeds 0, 1 and 0"):
        compare_methods(results, "demo", ["good", "third"], "r1")


def test_a_fixed_method_has_its_place_in_a_mean_over_datasets(results: Path) -> None:
    """Fixed on one dataset and seeded on another, it has the seeds of the others."""
    for dataset, people in (("dolls", PEOPLE), ("small", PEOPLE[:20])):
        for seed in (0, 1):
            draw = 7 if dataset == "dolls" else None
            add(results, "half", seed, 0.5, dataset=dataset, people=people, draw=draw)
            if dataset == "small":
                add(results, "good", seed, 0.9, dataset=dataset, people=people)
    *_, mean = compare_methods(results, "demo", ["good", "half"], "r1", average=True)
    assert mean.seeds == (0, 1)
    assert mean.family.runs["half"] == 2


def test_a_mean_over_datasets_needs_every_cell(results: Path) -> None:
    """Datasets weigh the same whatever their size; a missing cell is named."""
    for seed in (0, 1):
        add(results, "good", seed, 1.0, dataset="small", people=PEOPLE[:20])
    with pytest.raises(HarnessError, match="small has runs of 1 method"):
        compare_methods(results, "demo", [], "r1", average=True)
    for seed in (0, 1):
        add(results, "third", seed, 0.5, dataset="small", people=PEOPLE[:20])
    with pytest.raises(HarnessError, match="cells are missing: poor on small, third on dolls"):
        compare_methods(results, "demo", [], "r1", average=True)
    for seed in (0, 1):
        add(results, "poor", seed, 0.0, dataset="small", people=PEOPLE[:20])
    names = ["good", "poor"]
    *each, mean = compare_methods(results, "demo", names, "r1", average=True)
    expected = np.mean([family.family.between(*names).difference for family in each])
    assert mean.family.between(*names).difference == pytest.approx(expected)


def test_the_command_line_compares_and_plans(harness: Call, results: Path) -> None:
    """Tables for people, JSON for scripts, variants by name, a plan in words."""
    shown = harness("compare", "good", "good:part", "--metric", "map")
    assert shown.returncode == 0, shown.stderr
    assert "good - good:part" in shown.stdout
    told = " ".join(shown.stderr.split())
    assert "p and interval are of one comparison, good and good:part" in told
    as_json = harness("compare", "--all", "--json")
    (family,) = json.loads(as_json.stdout)
    assert [rank["name"] for rank in family["ranks"]] == ["good", "poor"]
    assert family["pairs"][0]["p_value"] < 0.05
    assert family["pairs"][0]["holds_for"] == "other people and seeds"
    assert family["not_told_apart"] == []
    plan = harness("plan-power", "good", "poor", "--difference", "0.5")
    assert "find a true difference of" in plan.stdout
    assert harness("compare", "good", "--all").returncode == 2
    wrong = harness("compare", "good", "por")
    assert wrong.returncode == 2
    assert "Did you mean 'poor'" in wrong.stderr


def test_a_variant_is_named_as_it_is_written(harness: Call, results: Path) -> None:
    """No name between colons becomes a picture."""
    for seed in (0, 1):
        add(results, "good", seed, hits=0.5, variant="one:")
    shown = harness("compare", "good", "good:one:")
    assert "good and good:one::" in " ".join(shown.stderr.split())


def test_people_must_be_two(results: Path) -> None:
    """What is of one person alone is refused in a sentence."""
    for method, seed in product(("lone", "only"), (0, 1)):
        add(results, method, seed, 0.5, dataset="single", people=np.zeros(20, int))
    with pytest.raises(HarnessError, match="All queries of demo/single are of one person"):
        compare_methods(results, "demo", ["lone", "only"], "r1", ["single"])


def test_no_p_value_is_printed_as_zero(harness: Call, results: Path) -> None:
    """One without doubt is below the last digit, not nought."""
    for method, draw, hits in (("all", 7, 1.0), ("none", 8, 0.0)):
        add(results, method, 0, hits, supervision="none", draw=draw)
    shown = harness("compare", "all", "none")
    assert "<0.0001" in shown.stdout
    assert "0.0000" not in shown.stdout
