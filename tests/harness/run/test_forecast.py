"""Forecasts: what a few steps tell of whole runs, and what becomes of many of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.run.costs import COSTS, Costs, read_costs, write_costs
from harness.run.execute import execute
from harness.run.forecast import (
    forecast_runs,
    memory_of_all,
    missing_pixels,
    stored_bytes,
    time_of_all,
)
from harness.run.options import Options
from harness.training import probing

COSTS_OF_ONE = Costs(
    opening=1.0, preparing=2.0, stages=[10.0, 100.0], auditing=0.0, evaluating=5.0, weights=100,
    checkpoint=300, stored=7, memory=500.0, device_memory=0.0, images_per_second=50.0,
)  # fmt: skip


def specs_of(
    dolls: Path, plugin: Path, seeds: tuple[int, ...] = (0,), audited: bool = False
) -> list[RunSpec]:
    """Plan runs of the toy."""
    suite = plan.Suite("demo", "Demo", "tiny", seeds, ())
    choices = plan.choose(["toy"], registry.list_methods([plugin]), "tiny", False)
    located = [locate(find_declaration(str(dolls)))]
    return plan.plan(suite, located, choices, seeds, {}, is_audited=audited)


def probed(spec: RunSpec, folder: Path) -> tuple[Costs, list[str]]:
    """Probe a run in this process; return what was found and what was said."""
    said: list[str] = []
    probe = plan.probe(spec, "a device", 1)
    options = Options(folder, keep="none")
    record = execute(probe, options, lambda update: said.append(update.doing))
    assert record.status == "ok", record.error
    assert probe.is_complete(folder)
    costs = read_costs(probe.path(folder))
    assert costs is not None
    return costs, said


def test_a_few_steps_tell_what_a_run_takes(
    small_dolls: Path, toy: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """A forecast counts every epoch by the steps that were taken: with a clock that steps move
    alone, it is exact, whatever the machine does."""
    now = [0.0]
    (spec,) = specs_of(small_dolls, toy)
    monkeypatch.setattr(probing, "seconds", lambda device: now[0])
    monkeypatch.setattr(probing, "MOST", 3)
    step = probing.Loop.run_step

    def slow(self: Any, *given: Any) -> Any:
        now[0] += 2.0
        return step(self, *given)

    monkeypatch.setattr(probing.Loop, "run_step", slow)
    costs, said = probed(spec, tmp_path)
    captions, size, epochs = 96, 16, 2
    assert costs.images_per_second == pytest.approx(size / 2.0)
    trained = epochs * captions / size * 2.0
    assert costs.stages[0] == pytest.approx(trained, abs=2.0)  # and val's figures, really timed
    assert costs.stages[0] > trained
    assert costs.memory > 100
    assert costs.weights > 4 * 1064
    assert costs.checkpoint > 2 * costs.weights  # Adam's two moments
    assert costs.stored > 1000
    assert "trying steps of stage 1" in said


def test_a_probe_is_of_a_variant_on_a_device(small_dolls: Path, toy: Path) -> None:
    """One for all seeds; another device, other threads or an audit are tried by themselves."""
    first, second = specs_of(small_dolls, toy, (0, 1))
    (audited,) = specs_of(small_dolls, toy, audited=True)
    keys = [
        plan.probe(first, "cpu", 1).key,
        plan.probe(first, "cuda", 1).key,
        plan.probe(audited, "cpu", 1).key,
        plan.probe(replace(first, recipe={**first.recipe, "precision": "bf16"}), "cpu", 1).key,
        plan.probe(replace(first, recipe={**first.recipe, "threads": None}), "cpu", 1).key,
        plan.probe(replace(first, recipe={**first.recipe, "threads": None}), "cpu", 2).key,
    ]
    assert len(set(keys)) == len(keys)
    assert plan.probe(second, "cpu", 2).key == keys[0]  # the recipe says one thread


def test_an_audit_is_counted(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Each epoch on test besides."""
    (audited,) = specs_of(small_dolls, toy, audited=True)
    costs, _ = probed(audited, tmp_path)
    assert costs.auditing > 0


def test_a_method_that_is_not_trained_is_only_evaluated(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """No stage, no weights, no pace."""
    stage = "(Stage(epochs=2, learning_rate=0.01, batch_size=16),), 1)"
    toy.write_text(toy_source.replace(stage, "(), 1)"), encoding="utf-8")
    (spec,) = specs_of(small_dolls, toy)
    costs, _ = probed(spec, tmp_path)
    assert (list(costs.stages), costs.weights, costs.images_per_second) == ([], 0, 0.0)
    assert costs.seconds() == pytest.approx(costs.opening + costs.evaluating)


RESCORING = """
    def rescore(self, texts, images, image_of_text):
        import time
        time.sleep(0.002 * len(image_of_text))
        return (texts.embedding * images.embedding[image_of_text]).sum(dim=1)

    def training_losses("""
TOKENS = """Encoded(found := {}, found[:, None], torch.ones(len(found), 1, dtype=torch.bool))"""


def test_re_scoring_is_counted_by_the_pair(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Of 2 ms a pair, 64 captions with 4 candidates each take half a second, twice."""
    source = toy_source.replace("    def training_losses(", RESCORING.lstrip("\n"), 1)
    source = source.replace("import Config,", "import Config, Encoded,")
    for line in ("self.images(images.float().mean((2, 3)) / 255)", "self.texts(letters)"):
        source = source.replace(f"return {line}", f"return {TOKENS.format(line)}")
    for call in ("self.encode_images(batch.images)", "self.encode_texts(batch.captions)"):
        source = source.replace(f"normalize({call}", f"normalize({call}.embedding")
    source = source.replace("batch_size=16),), 1)", "batch_size=16),), 1, candidates=4)")
    toy.write_text(source, encoding="utf-8")
    (spec,) = specs_of(small_dolls, toy)
    costs, _ = probed(spec, tmp_path)
    pairs = 2 * 64 * 4 * 0.002
    assert pairs < costs.evaluating < pairs + 20  # and all else, on a machine that is busy


def test_shared_stages_are_counted_once(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """The first run trains them, the others take them up; what is on the disk nobody trains."""
    first, second, third = specs_of(small_dolls, toy, (0, 1, 2))
    specs = [replace(first, stage_keys=("a",)), replace(second, stage_keys=("a",))]
    specs += [replace(third, stage_keys=("b",))]
    (specs[2].shared_stages(tmp_path)[0]).mkdir(parents=True)
    costs: dict[str, Costs | str] = {str(spec): COSTS_OF_ONE for spec in specs}
    seconds = [one.seconds for one in forecast_runs(specs, costs, tmp_path)]
    assert seconds == [118.0, 108.0, 108.0]


def test_what_could_not_be_tried_keeps_its_reason(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Others are forecast all the same."""
    first, second = specs_of(small_dolls, toy, (0, 1))
    costs: dict[str, Costs | str] = {str(first): "ValueError: it broke", str(second): COSTS_OF_ONE}
    found = forecast_runs([first, second], costs, tmp_path)
    assert [one.reason for one in found] == ["ValueError: it broke", ""]
    assert found[0].costs is None


def test_many_runs_end_when_the_last_does() -> None:
    """In order, each where the next place is free."""
    assert time_of_all([3.0, 1.0, 1.0, 5.0], 2) == 7.0
    assert time_of_all([3.0, 1.0], 8) == 3.0
    assert memory_of_all([5.0, 9.0, 7.0], 2) == 16.0


def test_disk_is_counted_by_what_is_kept(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Weights as asked, and the checkpoints of as many runs as go on at a time."""
    specs = specs_of(small_dolls, toy, (0, 1, 2))
    costs: dict[str, Costs | str] = {str(spec): COSTS_OF_ONE for spec in specs}
    found = forecast_runs(specs, costs, tmp_path)
    assert stored_bytes(found, "selected", 2) == 3 * (7 + 100) + 2 * 400
    assert stored_bytes(found, "none", 1) == 3 * 7 + 400


def test_pixels_are_counted_where_they_are_not(
    small_dolls: Path, toy: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Once a dataset and size; of the splits that are decoded nothing."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    specs = specs_of(small_dolls, toy, (0, 1))
    [pixels] = missing_pixels(specs)
    assert (pixels.dataset, pixels.size) == ("small-dolls", (32, 16))
    assert pixels.bytes == 4 * (12 + 6 + 8) * 3 * 32 * 16
    probed(specs[0], tmp_path)
    assert missing_pixels(specs) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"opening": "long"}', "null"])
def test_costs_that_cannot_be_read_are_none(text: str, tmp_path: Path) -> None:
    """They are found anew."""
    write_costs(tmp_path, COSTS_OF_ONE)
    assert read_costs(tmp_path) == COSTS_OF_ONE
    (tmp_path / COSTS).write_text(text, encoding="utf-8")
    assert read_costs(tmp_path) is None


def test_a_probe_that_is_asked_to_end_does(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Behind the step that it is at."""
    from harness.training import Interrupted

    (spec,) = specs_of(small_dolls, toy)
    probe = plan.probe(spec, "a device", 1)
    said: list[Update] = []
    with pytest.raises(Interrupted):
        execute(probe, Options(tmp_path), said.append, lambda: True)
    assert not probe.is_complete(tmp_path)


def test_a_split_of_one_batch_is_timed_by_it(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """No step is left to warm up on; the only one is what there is to tell by."""
    toy.write_text(toy_source.replace("batch_size=16", "batch_size=10_000"), encoding="utf-8")
    (spec,) = specs_of(small_dolls, toy)
    costs, _ = probed(spec, tmp_path)
    assert costs.seconds() > 0
    assert costs.images_per_second > 0
