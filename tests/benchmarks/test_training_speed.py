"""What the training loop costs beside a bare loop over the same batches and the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import TrainView
from harness.method import Method, Recipe, Stage, Supervision
from harness.registry.settings import build
from harness.seeding import seed_everything
from harness.training import Watchers, train

from .bounds import Bound

METHOD = "clip-itc"  # the smallest model that trains, on which the loop weighs most
BATCH = 64
CAPTIONS = 1_600  # of an epoch, a third of those of PaperDolls
ROUNDS = 12
LARGEST_RATIO = 1.03
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def view(small_dolls: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainView:
    """Return a training split with cached pixels."""
    split = load_split(locate(find_declaration(str(small_dolls))), "train")
    times = CAPTIONS // len(split.captions)
    split = replace(
        split,
        captions=split.captions * times,
        image_of_caption=np.tile(split.image_of_caption, times),
    )
    pixels = open_pixels(split, (96, 32), tmp_path_factory.mktemp("pixels"))
    return TrainView(split, pixels, Supervision.PAIRS, 0)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as the recipe does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fresh(view: TrainView) -> Method:
    """Return the method with its starting weights."""
    listing = registry.find_method(METHOD, registry.list_methods())
    assert listing.description is not None
    registration = registry.load_method(METHOD, listing.plugin)
    seed_everything(0, "weights")
    values = listing.description["scales"]["tiny"]["config"]
    return registration.method(build(registration.method.config_class, values), view.summary())


class Bare:
    """What `Run` offers to this method."""

    losses = {"itc": 1.0}

    def spread(self, function: Any, *rows: Tensor) -> Any:
        return function(*rows)


class Row:
    """A batch as this method reads it."""

    def __init__(self, view: TrainView, captions: Tensor) -> None:
        self.images = view.pixels(view.image_of_caption[captions])
        self.captions = [view.captions[index] for index in captions.tolist()]


def bare_steps(method: Any, view: TrainView) -> Iterator[None]:
    """Train as a script would: batches, loss, gradient, step."""
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    method.train()
    generator = torch.Generator().manual_seed(0)
    for rows in torch.split(torch.randperm(len(view.captions), generator=generator), BATCH):
        loss = method.training_losses(Row(view, rows), Bare())["itc"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield


class AfterBareStep:
    """The losses of a method, before which a bare loop takes a step of its own."""

    def __init__(self, losses: Callable[..., Any], bare: Iterator[None]) -> None:
        self.losses = losses
        self.bare = bare
        self.began: list[float] = []  # processor time at the start of each bare step
        self.ended: list[float] = []

    def __call__(self, batch: Any, run: Any) -> Any:
        self.began.append(process_time())
        next(self.bare)
        self.ended.append(process_time())
        return self.losses(batch, run)


def both_loops(view: TrainView, folder: Path) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """Train twice, through the harness and bare, a step of each in turn.

    Returns:
        processor seconds of our steps but the last, of the rest, from the start to a checkpoint,
        and of the bare steps.
    """
    method = fresh(view)
    losses = AfterBareStep(method.training_losses, bare_steps(fresh(view), view))
    method.training_losses = losses  # type: ignore[method-assign]  # a step before each of ours
    recipe = Recipe("tiny-clip", (96, 32), (Stage(1, 1e-3, batch_size=BATCH),), threads=1)
    start = process_time()
    train(method, view, recipe, 0, CPU, folder, Watchers())
    end = process_time()
    began, ended = np.array(losses.began), np.array(losses.ended)  # (steps,)
    return began[1:] - ended[:-1], began[0] - start + end - ended[-1], ended - began


@pytest.mark.benchmark
def test_the_loop_costs_little(
    benchmark: Any, bound: Bound, view: TrainView, one_thread: None, tmp_path: Path
) -> None:
    """Training through the harness takes at most 3 % more processor time than a bare loop.

    A machine whose speed changes is slow for a step of ours and the bare ones around it alike, and
    the median over the steps leaves out those in which it changed.
    """
    if not benchmark.enabled:
        pytest.skip("one round tells nothing: run with --benchmark-enable")
    rounds: list[tuple[NDArray[Any], float, NDArray[Any]]] = []

    def train_rounds() -> None:
        rounds.extend(both_loops(view, tmp_path / str(number)) for number in range(ROUNDS))

    benchmark.pedantic(train_rounds, rounds=1)
    ours = np.stack([steps for steps, _, _ in rounds])  # (rounds, steps - 1)
    bare = np.stack([steps for _, _, steps in rounds])  # (rounds, steps)
    around = (bare[:, :-1] + bare[:, 1:]) / 2  # (rounds, steps - 1)
    step = float(np.median(ours / around))
    # The rest holds our last step too; a step more or less counts for the start and the end.
    rest = np.array([rest for _, rest, _ in rounds]) / np.median(bare, axis=1)  # (rounds,) in steps
    ratio = (step * ours.shape[1] + float(np.median(rest))) / bare.shape[1]
    benchmark.extra_info |= {"bare": float(bare.sum()), "of_a_step": step}
    bound(ratio, LARGEST_RATIO, of="times a bare loop")
