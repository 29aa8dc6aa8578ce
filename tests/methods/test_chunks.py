"""A step in chunks is that of the whole batch, for every method that spreads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import TrainView
from harness.method import Method, Recipe, Supervision
from harness.registry.settings import build
from harness.seeding import derive, seed_everything
from harness.structures import map_tensors, tensors_of, with_tensors
from harness.training.feeding import gather
from harness.training.handed import TrainingRun, preparation
from harness.training.loop import _active

CPU = torch.device("cpu")
ROWS = 16
SETTINGS: dict[str, dict[str, Any]] = {
    "mefa": {"tagger": "lexicon"},
    "laip": {"tagger": "lexicon"},
    "tbps-clip": {"dropout": 0.0},  # of attention, which is no module of its own
}
LISTINGS = {
    listing.name: listing
    for listing in registry.list_methods()
    if listing.description and listing.description["spreads"]
}
# A dual encoder, and what re-scores with momentum and queues; the others are for `tox -e full`.
REPRESENTATIVES = {"irra", "laip"}
Spread = Callable[..., Any]


class Prepared:
    """A method at scale tiny, ready for its last stage; each step is taken by a copy of it."""

    def __init__(self, dolls: Path, name: str) -> None:
        listing = LISTINGS[name]
        assert listing.description is not None
        scale = listing.description["scales"]["tiny"]
        registration = registry.load_method(name, listing.plugin)
        own = {**scale["config"], **SETTINGS.get(name, {})}
        self.config = build(registration.method.config_class, own)
        self.recipe = build(Recipe, scale["recipe"])
        split = load_split(locate(find_declaration(str(dolls))), "train")
        pixels = open_pixels(split, self.config.image_size, None)
        self.view = TrainView(split, pixels, Supervision(self.config.supervision), 0)
        seed_everything(0, "weights")
        self.method = registration.method(self.config, self.view.summary())
        self.method.prepare(self.view, self._run(self.method))

    def _run(self, method: Method) -> TrainingRun:
        return preparation(method, self.view, self.recipe, 0, CPU, lambda doing: None)

    def step(
        self, dtype: torch.dtype, chunks: int, drop: Callable[[Method, TrainingRun], None]
    ) -> dict[str, Tensor]:
        """Return losses and gradients of a step on so many chunks."""
        method = copy.deepcopy(self.method).to(dtype).train()
        run = self._run(method)
        run.stage = len(self.recipe.stages) - 1
        run.losses = _active(self.config.losses, self.recipe.stages[-1])
        run.steps_per_epoch, run.chunks = 1, chunks
        drop(method, run)
        seed_everything(0, "step")
        losses = method(gather(self.view, torch.arange(ROWS)), run)
        torch.stack([loss.to(dtype) for loss in losses.values()]).sum().backward()
        gradients = {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
        return {**{name: loss.detach() for name, loss in losses.items()}, **gradients}


@pytest.fixture(scope="module")
def prepared(small_dolls: Path) -> Callable[[str], Prepared]:
    """Return a function that makes each method ready once."""
    return cache(lambda name: Prepared(small_dolls, name))


def drop_by_row(method: Method, run: TrainingRun) -> None:
    """Drop out behind every norm that rows pass while they are spread, each row by its own draws.

    So the draws are the same however rows are divided. Other dropout is off.
    """
    rows: list[int] = []  # of the batch, that are encoded
    calls = 0
    spread = run.spread

    def numbered(function: Spread, *inputs: Any) -> Any:
        def noted(numbers: Tensor, *part: Any) -> Any:
            nonlocal calls
            calls, rows[:] = 0, numbers.tolist()
            found = function(*part)
            rows.clear()
            return found

        return spread(noted, torch.arange(len(tensors_of(inputs)[0])), *inputs)

    def drop(module: nn.Module, given: Any, output: Tensor) -> Tensor:
        nonlocal calls
        if len(output) != len(rows):
            return output
        calls += 1
        kept = [
            torch.rand(output.shape[1:], generator=torch.Generator().manual_seed(seed)) > 0.1
            for seed in (derive(calls, "row", row) for row in rows)
        ]
        return output * torch.stack(kept)

    for module in method.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(drop)
    run.spread = numbered  # type: ignore[method-assign]  # of this run alone


def drop_as_torch_does(method: Method, run: TrainingRun) -> None:
    """Drop out behind every norm, from torch's own stream."""
    for module in method.modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_hook(lambda module, given, output: F.dropout(output, 0.1))


def keep_graphs(method: Method, run: TrainingRun) -> None:
    """The same with the same chunks, all in one graph."""
    drop_as_torch_does(method, run)

    def spread(function: Spread, *inputs: Any) -> Any:
        size = -(-len(tensors_of(inputs)[0]) // run.chunks)
        parts = [list(tensor.split(size)) for tensor in tensors_of(inputs)]
        found = [function(*with_tensors(inputs, of_chunk)) for of_chunk in zip(*parts, strict=True)]
        whole = zip(*map(tensors_of, found), strict=True)
        return with_tensors(map_tensors(torch.detach, found[0]), map(torch.cat, whole))

    run.spread = spread  # type: ignore[method-assign]  # of this run alone


def assert_alike(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> None:
    """Losses and gradients are the same, and the same parameters have one."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        scale = max(1.0, float(value.abs().max()))
        torch.testing.assert_close(
            other[name] / scale, value / scale, rtol=0, atol=tolerance, msg=name
        )


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        pytest.param(
            name, dtype, tolerance, id=f"{name}-{bits}",
            marks=() if bits == 64 and name in REPRESENTATIVES else pytest.mark.exhaustive,
        )
        for bits, dtype, tolerance in ((64, torch.float64, 1e-10), (32, torch.float32, 1e-5))
        for name in LISTINGS
    ],
)  # fmt: skip
def test_a_step_is_the_same_in_any_number_of_chunks(
    prepared: Callable[[str], Prepared], name: str, dtype: torch.dtype, tolerance: float
) -> None:
    """Losses and gradients in one, two and eight, with dropout that each row has as its own."""
    one, two, eight = (prepared(name).step(dtype, count, drop_by_row) for count in (1, 2, 8))
    assert_alike(one, two, tolerance)
    assert_alike(one, eight, tolerance)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.exhaustive)
        for name in LISTINGS
    ],
)
def test_dropout_is_the_same_on_the_way_back(
    prepared: Callable[[str], Prepared], name: str
) -> None:
    """Gradients are those of one graph over the same chunks, draw by draw."""
    method = prepared(name)
    again = method.step(torch.float64, 8, drop_as_torch_does)
    assert_alike(method.step(torch.float64, 8, keep_graphs), again, 1e-10)
