"""What choosing by test would have added, against figures that are added up one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.files import write_json, write_table
from harness.results import RunRecord, StoredRun, finish_run, load_runs, run_path, working_folder
from harness.results.inflation import Inflation, compare_on_average, measure_inflation

PEOPLE = np.repeat(np.arange(20), 4)
DRAW = np.random.default_rng(0)


def write_answers(folder: Path, right: np.ndarray) -> None:
    """Write an evaluation: which queries are answered."""
    write_json(folder / "metrics.json", {"r1": 100.0 * float(right.mean())})
    write_table(
        folder / "queries.parquet",
        {
            "query_id": np.arange(len(right)),
            "person_id": PEOPLE[: len(right)],
            "first_hit": np.where(right, 1, 4),
            "average_precision": np.where(right, 1.0, 0.25),
            "inverse_negative_penalty": np.where(right, 1.0, 0.25),
        },
    )


def add(
    folder: Path, method: str, seed: int, selected: np.ndarray, tested: np.ndarray | None
) -> None:
    """Finish a run whose selection was audited, or, without answers by test, was not."""
    record = RunRecord(
        "ok", "key", "demo", "dolls", method, "full", seed, "tiny", method,
        data={"fingerprint": "feed"}, protocol={"version": 2}, supervision="pairs",
        metrics={"r1": 100.0 * float(selected.mean()), "tied": 0.0}, selected_epoch=2,
        test_selected_epoch=None if tested is None else 1 + seed,
    )  # fmt: skip
    path = run_path(folder, "demo", "dolls", method, "full", seed)
    work = working_folder(path)
    write_answers(work / "evaluations/text-to-image", selected)
    write_json(work / "evaluations/last-epoch/metrics.json", {"r1": 10.0 + seed})
    if tested is not None:
        write_answers(work / "evaluations/test-selected", tested)
    finish_run(record, path)


def draw(chance: float) -> np.ndarray:
    """Return which of 80 queries are answered."""
    return DRAW.random(len(PEOPLE)) < chance


def runs_of(folder: Path, method: str) -> list[StoredRun]:
    """Return the runs of a method."""
    return [run for run in load_runs(folder) if run.record.method == method]


def measured(folder: Path, method: str) -> Inflation:
    """Return the inflation of a method, which has one."""
    found = measure_inflation(method, runs_of(folder, method))
    assert found is not None
    return found


def test_the_gain_is_the_mean_over_seeds_and_queries(tmp_path: Path) -> None:
    """Of the audited seeds alone: query by query by test, less by val."""
    answers = [(draw(0.5), draw(0.7)) for _ in range(3)]
    for seed, (selected, tested) in enumerate(answers):
        add(tmp_path, "one", seed, selected, tested)
    add(tmp_path, "one", 3, draw(0.1), None)
    found = measured(tmp_path, "one")
    total = 0.0
    for selected, tested in answers:
        for by_val, by_test in zip(selected, tested, strict=True):
            total += 100.0 * (float(by_test) - float(by_val)) / (3 * len(PEOPLE))
    assert found.gain == pytest.approx(total)
    assert found.seeds == (0, 1, 2)
    assert found.epochs == ((2, 1), (2, 2), (2, 3))
    assert found.last == pytest.approx(11.0)
    assert found.comparison is not None
    assert found.comparison.difference == pytest.approx(total)
    assert found.comparison.low < total < found.comparison.high
    assert found.comparison.seeds == 3


def test_the_interval_is_of_people_and_seeds(tmp_path: Path) -> None:
    """Queries of one person that go together make it wider than as many that do not."""
    apart, together = draw(0.3), np.repeat(DRAW.random(20) < 0.3, 4)
    for method, more in (("apart", apart), ("together", together)):
        for seed in range(3):
            selected = np.zeros(len(PEOPLE), bool)
            selected[seed::9] = True
            add(tmp_path, method, seed, selected, selected | more)
    widths = []
    for method in ("apart", "together"):
        found = measured(tmp_path, method).comparison
        assert found is not None
        assert found.clusters == 20
        widths.append(found.high - found.low)
    assert widths[1] > widths[0]


def test_where_test_chooses_as_val_did_nothing_is_added(tmp_path: Path) -> None:
    """The gain is zero, and no interval claims that it would be so for other people and seeds."""
    for seed in range(3):
        answers = draw(0.5)
        add(tmp_path, "one", seed, answers, answers)
    found = measured(tmp_path, "one")
    assert found.gain == 0
    assert found.comparison is None


def test_what_was_not_audited_has_no_inflation(tmp_path: Path) -> None:
    """Nothing is made of nothing."""
    add(tmp_path, "one", 0, draw(0.5), None)
    assert measure_inflation("one", runs_of(tmp_path, "one")) is None
    assert compare_on_average([]) is None


def test_answers_that_are_lost_leave_the_means(tmp_path: Path) -> None:
    """Without the queries there is no interval; of one seed there is one, for other people."""
    add(tmp_path, "one", 0, draw(0.5), draw(0.7))
    assert measured(tmp_path, "one").comparison is not None
    [run] = runs_of(tmp_path, "one")
    (run.path / "evaluations/test-selected/queries.parquet").write_text("PAR1")
    found = measured(tmp_path, "one")
    assert found.comparison is None
    assert found.tested > 0
    for figure in ("12", float("nan"), 101, True):
        write_json(run.path / "evaluations/test-selected/metrics.json", {"r1": figure})
        assert measure_inflation("one", [run]) is None


def test_the_mean_over_methods_is_compared_as_one(tmp_path: Path) -> None:
    """It is the mean of their gains, for methods with the same seeds alone."""
    for method in ("one", "two"):
        for seed in range(2):
            add(tmp_path, method, seed, draw(0.4), draw(0.6))
    add(tmp_path, "three", 0, draw(0.4), draw(0.6))
    one, two, three = (measured(tmp_path, method) for method in ("one", "two", "three"))
    found = compare_on_average([one, two])
    assert found is not None
    assert found.difference == pytest.approx((one.gain + two.gain) / 2)
    assert found.seeds == 2
    assert compare_on_average([one, two, three]) is None


def test_no_comparison_or_listing_reads_the_audit(tmp_path: Path) -> None:
    """The evaluations of a run do not have it."""
    add(tmp_path, "one", 0, draw(0.5), draw(0.7))
    [run] = runs_of(tmp_path, "one")
    assert "test-selected" not in run.evaluations()
    assert run.test_selected().keys() == {"r1"}
