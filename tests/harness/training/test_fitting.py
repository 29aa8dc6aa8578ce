"""How many chunks fit on a graphics card that is pretended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.method import Batch, Config, Method, Recipe, Run, Stage
from harness.training import Watchers, loop, train
from harness.training.checkpoints import LAST
from harness.training.fitting import fewest_chunks

from .test_loop import CPU, view

CUDA = torch.device("cuda")
GIGABYTE = 10**9


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Callable[[int], None]]:
    """Return a function that pretends a card of 10 GB and returns a step that takes so much."""
    held = [0]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * GIGABYTE, 10 * GIGABYTE))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2 * GIGABYTE)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held[0])
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *device: None)

    def taking(gigabytes: int) -> Callable[[int], None]:
        def step(count: int) -> None:
            held[0] = gigabytes * GIGABYTE // count
            if held[0] > 10 * GIGABYTE:
                raise torch.OutOfMemoryError

        return step

    return taking


@pytest.mark.parametrize(
    ("gigabytes", "count"), [(8, 1), (10, 2), (18, 2), (19, 3), (80, 9), (100, 12), (540, 60)]
)
def test_the_smallest_number_that_fits_is_found(
    card: Callable[[int], Callable[[int], None]], gigabytes: int, count: int
) -> None:
    """With a tenth of the card to spare, whether a step fails or only comes near."""
    assert fewest_chunks(CUDA, card(gigabytes), most=64) == count


def test_what_fits_in_no_number_is_refused(card: Callable[[int], Callable[[int], None]]) -> None:
    """With what is free, and what to do."""
    with pytest.raises(HarnessError, match=r"into 9.0 of the 10.0 GB.*batch_size"):
        fewest_chunks(CUDA, card(600), most=64)


def test_without_a_card_nothing_is_tried() -> None:
    """Nothing bounds the processor's memory."""

    def step(count: int) -> None:
        raise AssertionError

    assert fewest_chunks(CPU, step, most=64) == 1


class Spreading(Method):
    """Keeps what a step leaves in every place: a buffer, another that is None first, a list."""

    spreads = True

    def __init__(self) -> None:
        super().__init__(Config(losses={"fit": 1.0}), None)  # type: ignore[arg-type]  # a summary is not needed
        self.layer = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 2))
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("memory", None)
        self.chunks: list[int] = []

    def encode_images(self, images: Tensor) -> Tensor:
        return self.layer(images.float().mean((2, 3)))  # type: ignore[no-any-return]  # a module

    def encode_texts(self, captions: Any) -> Tensor:
        return torch.ones(len(captions), 2)

    def training_losses(self, batch: Batch, run: Any) -> dict[str, Tensor]:
        self.chunks.append(run.chunks)
        run.report_pairs("all", batch.image_index, batch.caption_index)
        if run.chunks == 4:
            run.report_clean(torch.ones(40))
        found = run.spread(self.encode_images, batch.images)
        return {"fit": (found @ found.T).square().mean()}

    def after_step(self, batch: Batch, run: Run) -> None:
        self.steps += 1
        self.memory = torch.full((int(self.steps),), float(run.step))


def trained(folder: Path, chunks: Any, **watch: Any) -> tuple[Spreading, dict[str, Tensor]]:
    """Train two stages in chunks; return the method and its last weights."""
    torch.manual_seed(0)
    method = Spreading()
    stage = Stage(epochs=2, learning_rate=0.01, batch_size=10)
    recipe = Recipe("", (4, 2), (stage, stage), chunks=chunks)
    found = train(method, view(), recipe, 0, CPU, folder, Watchers(**watch))
    assert [row["pairs/all/count"] for row in found.history] == [40] * 4
    return method, dict(torch.load(folder / LAST, weights_only=True)["method"])


def test_what_was_tried_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has found its number ends with the bits of one that was given it, and a stage
    that needs fewer than an earlier one takes as many."""
    numbers = iter([3, 2])

    def fewest(device: torch.device, step: Callable[[int], None], most: int) -> int:
        assert most == 10
        for count in (1, 4, 3):
            step(count)
        return next(numbers)

    monkeypatch.setattr(loop, "fewest_chunks", fewest)
    method, weights = trained(tmp_path / "auto", "auto")
    _, expected = trained(tmp_path / "three", 3)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    history = torch.load(tmp_path / "auto" / LAST, weights_only=True)["history"]
    assert not any("clean/count" in row for row in history)  # reported in four chunks alone
    assert method.chunks == 2 * [1, 1, 4, 4, 3, 3, *[3] * 8]


class Killed(BaseException):
    """Stands for kill -9: nothing handles it."""


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_chunks_and_their_number_outlive_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    """What goes on takes the number that was found, and ends with the same bits."""

    def die(progress: Any) -> None:
        if progress.epoch > stop_after:
            raise Killed

    monkeypatch.setattr(loop, "fewest_chunks", lambda device, step, most: 4)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", "auto", report=die)
    monkeypatch.setattr(loop, "fewest_chunks", lambda device, step, most: 1)
    _, weights = trained(tmp_path / "killed", "auto")
    _, expected = trained(tmp_path / "whole", 4)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_what_sees_the_whole_batch_is_refused(tmp_path: Path) -> None:
    """Batch norm over a chunk would be another method."""
    method = Spreading()
    method.layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    recipe = Recipe("", (4, 2), (Stage(epochs=1, learning_rate=0.01, batch_size=10),), chunks=2)
    with pytest.raises(HarnessError, match="batch norm"):
        train(method, view(), recipe, 0, CPU, tmp_path, Watchers())
