"""Runs whose scoring is of other code: their stored weights are evaluated, not trained again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import results
from harness.cli.planning import plan_runs
from harness.files import read_table
from harness.plan import keys
from harness.plan.spec import RunSpec
from harness.registry import Plugin, list_methods
from harness.results import RunRecord
from harness.run.execute import execute
from harness.run.folder import prepare_folder
from harness.run.options import Options

Plan = Callable[[], RunSpec]


@pytest.fixture
def plan_toy(small_dolls: Path, toy: Path) -> Plan:
    """Plan the one run of these tests with the code as it is at the time."""

    def call() -> RunSpec:
        data = [str(small_dolls)]
        [spec] = plan_runs(["toy"], list_methods([toy]), "demo", data, "0", plugins=[toy])
        return spec

    return call


@pytest.fixture
def other_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the code that scores be another one from now on."""
    as_it_was = keys.Codes.of

    def of(codes: keys.Codes, plugin: Plugin, uses: Iterable[str] = ()) -> keys.Code:
        return replace(as_it_was(codes, plugin, uses), figures="other")

    monkeypatch.setattr(keys.Codes, "of", of)


def run(spec: RunSpec, folder: Path, **options: str) -> RunRecord:
    """Execute a run in this process, and return its record."""
    return execute(spec, Options(folder, "cpu", **options), lambda update: None)


def state(spec: RunSpec, folder: Path) -> tuple[list[dict[str, object]], bytes]:
    """Return what training has left: its history, and the weights that val selected."""
    path = spec.path(folder)
    weights = (path / results.WEIGHTS / results.SELECTED).read_bytes()
    return read_table(path / results.HISTORY), weights


@pytest.mark.parametrize("keep", ["selected", "all"])
def test_weights_are_scored_anew(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest, keep: str
) -> None:
    """Another key, the same training: history and weights stay, and figures of them are had."""
    before, trained = run(plan_toy(), tmp_path, keep=keep), plan_toy()
    kept = state(trained, tmp_path)
    request.getfixturevalue("other_scoring")
    spec = plan_toy()
    assert spec.key != before.key
    assert spec.weights_key == before.weights_key
    assert not spec.is_trained(tmp_path)
    after = run(spec, tmp_path, keep=keep)
    assert (after.status, after.key) == ("ok", spec.key)
    assert state(spec, tmp_path) == kept
    assert after.metrics == before.metrics
    assert after.train_seconds == before.train_seconds
    assert after.total_seconds > before.total_seconds
    assert after.environment.keys() - before.environment.keys() == {"scored anew"}
    [stored] = results.load_runs(tmp_path)
    last = results.LAST_EVALUATION in stored.evaluations()
    assert last is (keep == "all" or after.selected_epoch == len(stored.history()))
    assert run(spec, tmp_path) == after  # complete


def test_what_was_not_kept_is_trained_again(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Without weights there is nothing to score."""
    before = run(plan_toy(), tmp_path, keep="none")
    request.getfixturevalue("other_scoring")
    after = run(plan_toy(), tmp_path)
    assert after.status == "ok"
    assert after.train_seconds != before.train_seconds
    assert "scored anew" not in after.environment


def test_a_failure_loses_no_weights(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether scoring raises or its process dies, the next try trains nothing."""
    before = run(plan_toy(), tmp_path)
    kept = state(plan_toy(), tmp_path)
    request.getfixturevalue("other_scoring")
    spec = plan_toy()
    for broken_function in ("harness.evaluation.encode_split", "harness.run.execute.open_run"):
        with monkeypatch.context() as broken:
            broken.setattr(broken_function, lambda *arguments: 1 / 0)
            failed = run(spec, tmp_path, keep="none")
        assert failed.error
        assert failed.error["kind"] == "ZeroDivisionError"
        assert state(spec, tmp_path) == kept
    results.write_failure(replace(spec.record(), status="killed"), spec.path(tmp_path))
    assert state(spec, tmp_path) == kept
    after = run(spec, tmp_path)
    assert after.status == "ok"
    assert after.metrics == before.metrics
    assert after.train_seconds == before.train_seconds


def test_what_training_left_must_be_whole(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Without its history a run is trained again, as without its weights."""
    run(plan_toy(), tmp_path)
    (plan_toy().path(tmp_path) / results.HISTORY).unlink()
    request.getfixturevalue("other_scoring")
    after = run(plan_toy(), tmp_path)
    assert after.status == "ok"
    assert "scored anew" not in after.environment


def test_a_death_of_a_run_that_is_forced_takes_nothing_over(plan_toy: Plan, tmp_path: Path) -> None:
    """It was to be trained anew: the next call goes on from its own checkpoint."""
    spec = plan_toy()
    run(spec, tmp_path)
    failed = replace(spec.record(), status="killed")
    results.write_failure(failed, spec.path(tmp_path), trained_anew=True)
    assert spec.stored_training(tmp_path) is None


def test_a_checkpoint_outlives_a_change_of_scoring(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Training goes on where it was stopped."""
    spec, options = plan_toy(), Options(tmp_path, "cpu")
    checkpoint = prepare_folder(spec, options) / results.WEIGHTS / "last.pt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"half way")
    request.getfixturevalue("other_scoring")
    prepare_folder(plan_toy(), options)
    assert checkpoint.read_bytes() == b"half way"


def test_the_plan_and_verification_say_so(
    plan_toy: Plan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What would only be scored is told from what would be trained."""
    from harness.cli.display.running import _state

    spec = plan_toy()
    assert _state(spec, tmp_path, True) == "to do"
    run(spec, tmp_path)
    assert _state(spec, tmp_path, False) == "complete"
    request.getfixturevalue("other_scoring")
    assert _state(plan_toy(), tmp_path, True) == "to score anew"
