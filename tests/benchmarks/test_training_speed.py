"""What the training loop costs beside a bare loop over the same batches and the same model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import TrainView
from harness.describe import build
from harness.method import Method, Recipe, Stage, Supervision
from harness.seeding import seed_everything
from harness.training import Watchers, train

METHOD = "clip-itc"  # the smallest model that trains, on which the loop weighs most
BATCH = 64
CAPTIONS = 1_600  # of an epoch, a third of those of PaperDolls
EPOCHS = 1
ROUNDS = 6  # in turn; the fastest of each counts, which other work disturbs least
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


def bare_loop(method: Any, view: TrainView) -> None:
    """Train as a script would: batches, loss, gradient, step."""
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-3)
    method.train()
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(epoch)
        for rows in torch.split(torch.randperm(len(view.captions), generator=generator), BATCH):
            loss = method.training_losses(Row(view, rows), Bare())["itc"]
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


def our_loop(method: Method, view: TrainView, folder: Path) -> None:
    """Train through the harness, with its checks, seeds, schedule, progress and checkpoint."""
    recipe = Recipe("tiny-clip", (96, 32), (Stage(EPOCHS, 1e-3, batch_size=BATCH),), threads=1)
    train(method, view, recipe, 0, CPU, folder, Watchers())


@pytest.mark.benchmark
def test_the_loop_costs_little(
    benchmark: Any, view: TrainView, one_thread: None, tmp_path: Path
) -> None:
    """Training through the harness takes at most 3 % more processor time than a bare loop."""
    if not benchmark.enabled:
        pytest.skip("one round tells nothing: run with --benchmark-enable")
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}

    def both() -> None:
        for number in range(ROUNDS):
            folder = tmp_path / str(number)
            turns = {
                "bare": partial(bare_loop, fresh(view), view),
                "ours": partial(our_loop, fresh(view), view, folder),
            }
            for name in sorted(turns, reverse=bool(number % 2)):
                began = process_time()
                turns[name]()
                seconds[name].append(process_time() - began)

    benchmark.pedantic(both, rounds=1)
    ours, bare = min(seconds["ours"]), min(seconds["bare"])
    benchmark.extra_info |= {"bare": bare, "ratio_to_bare": ours / bare}
    print(f"{ours / bare:.3f} times {bare:.2f} s")
    assert ours / bare <= LARGEST_RATIO
