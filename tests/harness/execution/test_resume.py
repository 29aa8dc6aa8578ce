"""Training that stops within an epoch and goes on ends with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.data.schema import Split, TrainView
from harness.method import Batch, Config, Method, Recipe, Run, Stage, Supervision, TrainSet
from harness.results import SELECTED
from harness.training import Interrupted, TrainingResult, Watchers, train
from harness.training.checkpoints import LAST

from ...methods.test_contract import CPU, NAMES, Case, case, rarely, variants_of

CAPTIONS = 20
RECIPE = Recipe(
    "",
    (4, 2),
    (
        Stage(epochs=2, learning_rate=0.01, batch_size=4, warmup_epochs=1),
        Stage(epochs=1, learning_rate=0.02, batch_size=7, losses=("fit",)),
    ),
)
STEPS = 2 * 5 + 3
REPRESENTATIVE = "dgia"  # of the methods: it keeps memory banks and mined relations
METHODS = [pytest.param(name, marks=rarely(name != REPRESENTATIVE)) for name in NAMES]


class Stateful(Method):
    """Has all that a checkpoint must hold: dropout, noise drawn at every place, reported pairs and
    clean ones, buffers, one of which grows from nothing."""

    def __init__(self) -> None:
        super().__init__(Config(losses={"fit": 1.0, "noise": 0.1}), None)  # type: ignore[arg-type]  # a summary is not needed
        self.layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("epoch_noise", torch.zeros(4))
        self.register_buffer("memory", None)

    def encode_images(self, images: Tensor) -> Tensor:
        return self.layer(images.float().mean((2, 3)))  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Any) -> Tensor:
        return torch.ones(len(captions), 4)

    def prepare(self, train: TrainSet, run: Run) -> None:
        self.prepared = torch.rand(4) + torch.rand(4, generator=run.generator("prepared"))

    def begin_epoch(self, run: Run) -> None:
        self.epoch_noise.copy_(torch.rand(4) + torch.rand(4, generator=run.generator("epoch")))
        run.report_clean(torch.rand(CAPTIONS))

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        kept = torch.rand(len(batch.captions)) < 0.7
        run.report_pairs("kept", batch.image_index[kept], batch.caption_index[kept])
        images = self.encode_images(batch.images)
        noise = torch.rand(4, generator=run.generator("noise")) + self.epoch_noise + self.prepared
        noise = noise if self.memory is None else noise + self.memory.mean(0)
        terms = {
            "fit": (images - self.mean).square().mean(),
            "noise": (images * noise).sum() + np.random.rand(),
        }
        return {name: weight * terms[name] for name, weight in run.losses.items()}

    def after_step(self, batch: Batch, run: Run) -> None:
        self.mean.lerp_(torch.rand(4), 0.1)
        seen = torch.rand(1, 4, generator=run.generator("memory"))
        self.memory = seen if self.memory is None else torch.cat([self.memory, seen])  # (step, 4)


def view() -> TrainView:
    """Return 20 grey images, one caption each, of five people."""
    rows = np.arange(CAPTIONS)
    names = tuple(map(str, rows))
    split = Split("train", lambda row: b"", names, names, rows, rows // 4)
    images = torch.arange(CAPTIONS, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 2)
    return TrainView(split, lambda rows: images[rows], Supervision.PAIRS, seed=0)


def train_stateful(folder: Path, asked_to_end: Callable[[int], bool]) -> TrainingResult:
    """Train from fixed weights; `asked_to_end` is told the steps that this call has taken."""
    torch.manual_seed(0)
    taken: list[int] = []
    watchers = Watchers(
        validate=lambda method: {"r1": float(method.state_dict()["mean"].sum()), "map": 0.0},
        judge_pairs=lambda images, captions: int((images % 2 == captions % 2).sum()),
        judge_clean=lambda clean: {"clean/recall": float(clean[: CAPTIONS // 2].sum())},
        report=lambda progress: taken.append(progress.step),
        asked_to_end=lambda: asked_to_end(len(taken)),
    )
    return train(Stateful(), view(), RECIPE, 0, CPU, folder, watchers)


def results_of(trained: TrainingResult, folder: Path) -> tuple[Any, ...]:
    """Return all that training leaves but times."""
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in trained.history]
    last = torch.load(folder / LAST, weights_only=True)["method"]
    return (
        rows,
        trained.selected_epoch,
        _bits(last),
        _bits(torch.load(folder / SELECTED, weights_only=True)),
    )


def _bits(state: dict[str, Tensor]) -> dict[str, bytes]:
    return {name: value.cpu().numpy().tobytes() for name, value in state.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What training leaves that nothing stops."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return results_of(train_stateful(folder, lambda taken: False), folder)


@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopped_behind_any_step_it_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: tuple[Any, ...], step: int
) -> None:
    """Weights, buffers, history, reported pairs and the selection are those of one training."""
    with pytest.raises(Interrupted):
        train_stateful(tmp_path, lambda taken: taken >= step)
    trained = train_stateful(tmp_path, lambda taken: False)
    assert results_of(trained, tmp_path) == undisturbed
    assert all("clean/recall" in row for row in trained.history)


def test_stopped_behind_every_step_it_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: tuple[Any, ...]
) -> None:
    """One step a call is enough to come to the end."""
    for _ in range(STEPS - 1):
        with pytest.raises(Interrupted):
            train_stateful(tmp_path, lambda taken: taken >= 1)
    trained = train_stateful(tmp_path, lambda taken: False)
    assert results_of(trained, tmp_path) == undisturbed


def test_a_checkpoint_that_cannot_be_read_is_none(
    tmp_path: Path, undisturbed: tuple[Any, ...]
) -> None:
    """Cut short by a disk, it is no reason to fail: training begins again."""
    with pytest.raises(Interrupted):
        train_stateful(tmp_path, lambda taken: taken >= 7)
    whole = (tmp_path / LAST).read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / LAST).write_bytes(whole[:size])
        assert results_of(train_stateful(tmp_path, lambda taken: False), tmp_path) == undisturbed


@pytest.mark.parametrize("name", METHODS)
def test_a_method_stopped_within_an_epoch_ends_with_the_same_bits(
    small_dolls: Path, tmp_path: Path, name: str
) -> None:
    """Banks, queues, momentum copies and all else that a method keeps is in a checkpoint."""
    published = variants_of(name)[0]
    cases = [case(small_dolls, name, published) for _ in range(3)]
    if not cases[0].recipe.stages:
        pytest.skip(f"{name} is not trained")
    whole = train_case(cases[0], tmp_path / "whole", stop_after=1000)
    for stopped in cases[1:]:
        try:
            train_case(stopped, tmp_path / "cut", stop_after=3)
        except Interrupted:
            continue
    cut = train_case(case(small_dolls, name, published), tmp_path / "cut", stop_after=1000)
    assert cut == whole


def train_case(tried: Case, folder: Path, stop_after: int) -> tuple[Any, ...]:
    """Train each stage for two epochs of two steps, or until so many steps are taken."""
    size = -(-len(tried.view.captions) // 2)
    stages = tuple(replace(stage, epochs=2, batch_size=size) for stage in tried.recipe.stages)
    taken: list[int] = []
    watchers = Watchers(
        judge_pairs=tried.judge,
        report=lambda progress: taken.append(progress.step),
        asked_to_end=lambda: len(taken) >= stop_after,
    )
    recipe = replace(tried.recipe, stages=stages)
    trained = train(tried.method, tried.view, recipe, 0, CPU, folder, watchers)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in trained.history]
    return rows, _bits(torch.load(folder / LAST, weights_only=True)["method"])
