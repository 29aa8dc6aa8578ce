"""Runs whose selection is audited: what test says of every epoch, apart from what is ranked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import results
from harness.cli.display.running import _state
from harness.cli.planning import plan_runs
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.files import read_table, write_table
from harness.plan import keys
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.registry import Plugin, list_methods
from harness.results import SELECTED, SELECTION_AUDIT, TEST_EVALUATION, TEST_SELECTED, RunRecord
from harness.run.execute import execute
from harness.run.further import Evaluated
from harness.run.options import Options
from harness.training import Interrupted

WAVERING = '''
"""A method that knows the answers, and gives them in some epochs on val and in others on test."""

import torch
from torch import nn
from torch.nn.functional import one_hot

from harness.method import Config, Encoded, Method, Recipe, Stage
from harness.registry import register

PERSON = {people!r}  # caption -> the place of its person
IMAGES = {images}  # of a person, one after the other
GOOD = {good!r}  # captions asked for -> the epochs whose answers are right
STAGE = Stage(epochs=3, learning_rate=0.01, batch_size=16)


@register("wavering", title="Wavering")
class Wavering(Method):
    """Right or wrong, by epoch and split."""

    config_class = Config
    recipes = {{"tiny": Recipe("", (32, 16), (STAGE,), 1, config={{"losses": {{"a": 1.0}}}})}}

    def __init__(self, config, train):
        super().__init__(config, train)
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.long))

    def begin_epoch(self, run):
        self.epoch.fill_(run.epoch + 1)

    def encode_images(self, images):
        return one_hot(torch.arange(len(images)) // IMAGES, 50).float()

    def encode_texts(self, captions):
        wrong = int(self.epoch) not in GOOD.get(len(captions), ())
        people = torch.tensor([PERSON.get(caption, 0) + wrong for caption in captions])
        return one_hot(people, 50).float()

    def training_losses(self, batch, run):
        return {{"a": self.weight.square()}}


@register("looking-twice", title="Looking twice")
class LookingTwice(Wavering):
    """The same, with the first eight turned around on test alone."""

    recipes = {{
        "tiny": Recipe("", (32, 16), (STAGE,), 1, candidates=8, config={{"losses": {{"a": 1.0}}}})
    }}

    def encode_images(self, images):
        embedding = super().encode_images(images)
        return Encoded(embedding, embedding[:, None])

    def encode_texts(self, captions):
        embedding = super().encode_texts(captions)
        return Encoded(embedding, embedding[:, None])

    def rescore(self, texts, images, image_of_text):
        return -(texts.embedding * images.embedding[image_of_text]).sum(1)
'''
VAL, TEST = 48, 64  # captions of the small dolls
Plan = Callable[..., RunSpec]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def threads() -> Any:
    """A run sets torch's threads for its process; here the process goes on."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def write_wavering(small_dolls: Path, tmp_path: Path) -> Write:
    """Write the plugin, with the epochs that are right on val and on test."""

    def call(val: tuple[int, ...] = (2,), test: tuple[int, ...] = (1,)) -> Path:
        located = locate(find_declaration(str(small_dolls)))
        people: dict[str, int] = {}
        for name in ("val", "test"):
            split = load_split(located, name)
            order = list(dict.fromkeys(split.person_of_image.tolist()))
            for caption, person in zip(split.captions, split.person_of_caption, strict=True):
                people[caption] = order.index(int(person))
        file = tmp_path / "plugins" / "wavering.py"
        file.parent.mkdir(exist_ok=True)
        good = {VAL: val, TEST: test}
        file.write_text(WAVERING.format(people=people, images=4, good=good), encoding="utf-8")
        return file

    return call


@pytest.fixture
def plan_run(small_dolls: Path) -> Plan:
    """Plan one run with the code as it is at the time."""

    def call(plugin: Path, name: str = "wavering", is_audited: bool | None = True) -> RunSpec:
        [spec] = plan_runs(
            [name], list_methods([plugin]), "demo", [str(small_dolls)], "0", plugins=[plugin],
            is_audited=is_audited,
        )  # fmt: skip
        return spec

    return call


def run(spec: RunSpec, folder: Path, **options: Any) -> RunRecord:
    """Execute a run in this process, and return its record."""
    record = execute(spec, Options(folder, "cpu", **options), lambda update: None)
    assert record.status == "ok", record.error
    return record


def stored(folder: Path) -> results.StoredRun:
    """Return the only run of a folder."""
    [found] = results.load_runs(folder)
    return found


def test_the_epoch_that_is_best_on_test_is_evaluated_apart(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """Val chooses epoch 2 and test would choose epoch 1: its curve and its answers are there."""
    said: list[str] = []
    spec = plan_run(write_wavering(val=(2,), test=(1,)))
    record = execute(spec, Options(tmp_path, "cpu"), lambda update: said.append(update.doing))
    found = stored(tmp_path)
    assert (record.selected_epoch, record.test_selected_epoch) == (2, 1)
    by_epoch = [row["test_r1"] for row in found.selection_audit()]
    assert [row["epoch"] for row in found.selection_audit()] == [1, 2, 3]
    assert by_epoch[0] == found.test_selected()["r1"] > 90
    assert by_epoch[1] == record.metrics["r1"] < 10
    hits = [query["first_hit"] == 1 for query in found.queries(TEST_EVALUATION)]
    assert 100 * sum(hits) / len(hits) == found.test_selected()["r1"]
    assert "epoch 3 on test, for the audit" in said
    weights = torch.load(found.path / results.WEIGHTS / TEST_SELECTED, weights_only=True)
    assert int(weights["epoch"]) == 1


def test_what_test_says_stands_nowhere_else(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """Neither the evaluations nor the history nor the ranked metrics hold a figure of the audit."""
    record = run(plan_run(write_wavering()), tmp_path)
    found = stored(tmp_path)
    assert set(found.evaluations()) == {"text-to-image", "image-to-text", "last-epoch"}
    assert not [name for row in found.history() for name in row if "test" in name]
    assert found.evaluations()["text-to-image"] == record.metrics
    assert record.command.endswith(" --audit-selection")


def test_what_follows_an_audit_is_made_with_the_ranked_weights(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further evaluations, and where a method looks, are of the epoch that val chose."""
    epochs: list[int] = []

    def note(folder: Path, wanted: Any, evaluated: Evaluated) -> None:
        epochs.append(int(evaluated.method.epoch))  # type: ignore[arg-type]  # a buffer

    monkeypatch.setattr("harness.run.execute.add_evaluations", note)
    record = run(plan_run(write_wavering()), tmp_path)
    assert (record.test_selected_epoch, epochs) == (1, [2])


@pytest.mark.parametrize("name", ["toy", "wavering"])
def test_an_audit_changes_no_bit_of_a_run(
    write_wavering: Write, plan_run: Plan, toy: Path, tmp_path: Path, name: str
) -> None:
    """Keys, weights, history and every answer are the same with it and without."""
    plugin = toy if name == "toy" else write_wavering()
    specs = [plan_run(plugin, name, is_audited) for is_audited in (True, False)]
    assert specs[0].key == specs[1].key
    assert specs[0].weights_key == specs[1].weights_key
    places = tmp_path / "with", tmp_path / "without"
    records = [run(s, place, keep="all") for s, place in zip(specs, places, strict=True)]
    assert records[0].metrics == records[1].metrics
    assert records[0].selected_epoch == records[1].selected_epoch
    one, two = map(stored, places)
    for file in (SELECTED, "last.pt"):
        first, second = (
            torch.load(run.path / results.WEIGHTS / file, weights_only=True) for run in (one, two)
        )
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in run.history()]
        for run in (one, two)
    ]
    assert rows[0] == rows[1]
    assert one.evaluations() == two.evaluations()
    for evaluation in one.evaluations():
        assert one.queries(evaluation) == two.queries(evaluation)
    assert one.selection_audit()
    assert not two.selection_audit()
    assert not (two.path / results.EVALUATIONS / TEST_EVALUATION).exists()


@pytest.mark.parametrize(("val", "test"), [((2,), (2,)), ((1,), (3,)), ((1, 3), (1, 3))])
def test_what_is_evaluated_already_is_taken_from_there(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, val: tuple[int, ...],
    test: tuple[int, ...],
) -> None:  # fmt: skip
    """Of the epoch that val chose, and of the last, the answers are those of their evaluations."""
    record = run(plan_run(write_wavering(val, test)), tmp_path)
    found, epoch = stored(tmp_path), test[0]
    assert record.test_selected_epoch == epoch
    same = "text-to-image" if epoch == record.selected_epoch else "last-epoch"
    assert found.queries(TEST_EVALUATION) == found.queries(same)
    kept = [file.name for file in sorted((found.path / results.WEIGHTS).iterdir())]
    assert kept == ([SELECTED] if same == "text-to-image" else [SELECTED, TEST_SELECTED])


def test_a_method_that_re_scores_is_audited_by_what_chooses_on_val(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """Epochs are told apart by cosine, as on val; the one that is chosen is scored as is ranked."""
    record = run(plan_run(write_wavering(), "looking-twice"), tmp_path)
    found = stored(tmp_path)
    assert record.test_selected_epoch == 1
    assert found.selection_audit()[0]["test_r1"] > 90  # by cosine
    assert found.test_selected()["r1"] < 10  # with all that was right turned around


def test_a_run_that_was_stopped_ends_with_the_same_audit(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """What test said before the stop is not asked again, and is not lost."""
    spec = plan_run(write_wavering(test=(1,)))
    run(spec, tmp_path / "whole")
    said: list[str] = []

    def note(update: Update) -> None:
        said.append(update.doing)

    def asked_to_end() -> bool:
        return any("epoch 2 on test" in one for one in said)

    options = Options(tmp_path / "stopped", "cpu")
    with pytest.raises(Interrupted):
        execute(spec, options, note, asked_to_end)
    assert not [one for one in said if "epoch 3 on test" in one]
    said.clear()
    record = execute(spec, options, note)
    assert [one for one in said if "on test" in one] == ["epoch 3 on test, for the audit"]
    whole, stopped = stored(tmp_path / "whole"), stored(tmp_path / "stopped")
    assert record.test_selected_epoch == whole.record.test_selected_epoch == 1
    assert stopped.selection_audit() == whole.selection_audit()
    assert stopped.queries(TEST_EVALUATION) == whole.queries(TEST_EVALUATION)


def test_what_is_finished_without_an_audit_is_not_trained_again(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """The plan says what lacks it; --force trains it again, and then it is there."""
    plugin = write_wavering()
    before = run(plan_run(plugin, is_audited=False), tmp_path)
    spec = plan_run(plugin)
    assert spec.is_complete(tmp_path)
    assert spec.lacks_audit(tmp_path)
    assert _state(spec, tmp_path, False) == "complete, not audited"
    assert run(spec, tmp_path) == before
    assert not plan_run(plugin, is_audited=False).lacks_audit(tmp_path)
    after = run(spec, tmp_path, force=True)
    assert after.test_selected_epoch == 1
    assert after.metrics == before.metrics
    assert not spec.lacks_audit(tmp_path)
    assert _state(spec, tmp_path, False) == "complete"


def test_what_is_not_trained_has_nothing_to_audit(small_dolls: Path, glance: Path) -> None:
    """A method without epochs is not asked for any."""
    found = plan_runs(
        ["blank", "glance"], list_methods([glance]), "demo", [str(small_dolls)], "0",
        plugins=[glance], is_audited=True,
    )  # fmt: skip
    assert [(spec.method, spec.is_audited) for spec in found] == [
        ("blank", False),
        ("glance", True),
    ]


@pytest.fixture
def other_scoring(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what lets the code that scores be another one from then on."""
    as_it_was = keys.Codes.of

    def of(codes: keys.Codes, plugin: Plugin, uses: Iterable[str] = ()) -> keys.Code:
        return replace(as_it_was(codes, plugin, uses), figures="other")

    return lambda: monkeypatch.setattr(keys.Codes, "of", of)


@pytest.mark.parametrize("is_audited", [True, False])
def test_an_audit_stays_with_weights_that_are_scored_anew(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, other_scoring: Callable[[], None],
    is_audited: bool,
) -> None:  # fmt: skip
    """Whether or not it is asked for again, it belongs to the training."""
    plugin = write_wavering()
    run(plan_run(plugin), tmp_path)
    before, curve = stored(tmp_path).test_selected(), stored(tmp_path).selection_audit()
    other_scoring()
    record = run(plan_run(plugin, is_audited=is_audited), tmp_path)
    assert "scored anew" in record.environment
    assert record.test_selected_epoch == 1
    assert (stored(tmp_path).test_selected(), stored(tmp_path).selection_audit()) == (before, curve)


def test_without_its_weights_an_audit_is_not_claimed(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, other_scoring: Callable[[], None]
) -> None:
    """Scored anew, a run whose audited weights were removed is ranked as ever and has no audit."""
    plugin = write_wavering()
    before = run(plan_run(plugin), tmp_path)
    (stored(tmp_path).path / results.WEIGHTS / TEST_SELECTED).unlink()
    other_scoring()
    spec = plan_run(plugin)
    record = run(spec, tmp_path)
    assert record.metrics == before.metrics
    assert record.test_selected_epoch is None
    assert not (stored(tmp_path).path / SELECTION_AUDIT).exists()
    assert spec.lacks_audit(tmp_path)


Damage = Callable[[Path], Any]


def in_rows(**columns: list[Any]) -> Damage:
    """Return what writes other columns into a curve of three epochs."""
    whole = {"epoch": [1, 2, 3], "test_r1": [90.0, 1.0, 1.0], "test_map": [90.0, 1.0, 1.0]}
    return lambda run: write_table(run / SELECTION_AUDIT, {**whole, **columns})


def a_folder(run: Path) -> None:
    """Put a folder in the place of the curve."""
    (run / SELECTION_AUDIT).unlink()
    (run / SELECTION_AUDIT).mkdir()


DAMAGE: dict[str, Damage] = {
    "truncated": lambda run: os.truncate(run / SELECTION_AUDIT, 200),
    "gone": lambda run: (run / SELECTION_AUDIT).unlink(),
    "a folder": a_folder,
    "null": in_rows(test_r1=[90.0, None, 1.0]),
    "NaN": in_rows(test_map=[90.0, math.nan, 1.0]),
    "words": in_rows(test_r1=["a", "b", "c"]),
    "other columns": lambda run: write_table(run / SELECTION_AUDIT, {"r1": [1.0, 2.0, 3.0]}),
    "other epochs": in_rows(epoch=[1, 2, 4]),
    "another best epoch": in_rows(test_r1=[1.0, 1.0, 90.0]),
    "truncated weights": lambda run: os.truncate(run / results.WEIGHTS / TEST_SELECTED, 200),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_audit_stops_no_run(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, other_scoring: Callable[[], None],
    caplog: pytest.LogCaptureFixture, damage: str,
) -> None:  # fmt: skip
    """Scored anew, what is ranked is the same bits, and the audit is dropped with a word."""
    plugin = write_wavering()
    before = run(plan_run(plugin), tmp_path)
    found = stored(tmp_path)
    ranked = {name: found.queries(name) for name in found.evaluations()}
    DAMAGE[damage](found.path)
    other_scoring()
    after = run(plan_run(plugin), tmp_path)
    found = stored(tmp_path)
    assert after.metrics == before.metrics
    # The last epoch is evaluated where its weights were kept: by default they are not.
    assert all(found.queries(name) == ranked[name] for name in found.evaluations())
    assert set(found.evaluations()) == {"text-to-image", "image-to-text"}
    assert after.test_selected_epoch is None
    left = (SELECTION_AUDIT, f"{results.WEIGHTS}/{TEST_SELECTED}", f"evaluations/{TEST_EVALUATION}")
    assert not [name for name in left if (found.path / name).exists()]
    assert [one for one in caplog.messages if "audit of the selection is dropped" in one]


def test_a_damaged_audit_outlives_no_run_that_fails(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, other_scoring: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where scoring anew fails, what was trained stays, without a curve that is none."""
    plugin = write_wavering()
    run(plan_run(plugin), tmp_path)
    a_folder(stored(tmp_path).path)
    other_scoring()
    with monkeypatch.context() as failing:
        failing.setattr("harness.run.execute.score_run", lambda *arguments: 1 / 0)
        record = execute(plan_run(plugin), Options(tmp_path, "cpu"), lambda update: None)
    assert record.status == "error"
    assert stored(tmp_path).selection_audit() == []
    assert run(plan_run(plugin), tmp_path).test_selected_epoch is None


@pytest.mark.parametrize("damage", [name for name in DAMAGE if "best" not in name][:-1])
def test_a_damaged_audit_is_read_as_none(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, damage: str
) -> None:
    """Whoever asks a run for its curve has a whole one or none."""
    run(plan_run(write_wavering()), tmp_path)
    assert stored(tmp_path).selection_audit()
    DAMAGE[damage](stored(tmp_path).path)
    assert stored(tmp_path).selection_audit() == []


@pytest.mark.parametrize(
    ("before", "after", "stays"), [(True, True, True), (True, False, True), (False, True, False)]
)
def test_a_checkpoint_is_gone_on_from_where_it_tells_enough(
    write_wavering: Write, plan_run: Plan, tmp_path: Path, before: bool, after: bool, stays: bool
) -> None:
    """An audit can end at a checkpoint, and cannot begin there: the first epochs are gone."""
    plugin, options = write_wavering(), Options(tmp_path, "cpu")
    epochs: list[int] = []

    def note(update: Update) -> None:
        if update.progress:
            epochs.append(update.progress.epoch)

    with pytest.raises(Interrupted):
        execute(plan_run(plugin, is_audited=before), options, note, lambda: epochs[-1] == 2)
    epochs.clear()
    record = execute(plan_run(plugin, is_audited=after), options, note)
    assert (epochs[0] == 2) is stays
    assert (record.test_selected_epoch is not None) is after
    rows = read_table(stored(tmp_path).path / SELECTION_AUDIT)
    assert [row["epoch"] for row in rows] == ([1, 2, 3] if after else [])
    assert (stored(tmp_path).path / results.WEIGHTS / TEST_SELECTED).is_file() is after


def test_variants_share_stages_with_those_that_were_audited_alike(
    write_wavering: Write, plan_run: Plan, tmp_path: Path
) -> None:
    """A shared checkpoint without an audit is not taken for one that has it."""
    plugin = write_wavering()
    specs = [
        replace(plan_run(plugin, is_audited=is_audited), stage_keys=("a", "b"))
        for is_audited in (True, False)
    ]
    shared = [{path.name for path in spec.shared_stages(tmp_path)} for spec in specs]
    assert not shared[0] & shared[1]
