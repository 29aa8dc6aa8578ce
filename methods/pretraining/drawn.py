"""Training a shipped encoder on drawn people, with the harness's own loop.

The people, the palette, the backgrounds and the wording differ from PaperDolls, so that fine-tuning
on PaperDolls has something to gain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from harness.data.paperdolls.build import draw_pretraining
from harness.data.paperdolls.drawing.canvas import HEIGHT, WIDTH
from harness.data.schema import Integers, Split, TrainView
from harness.method import Method, Recipe, Supervision
from harness.progress import Progress, Show
from harness.seeding import derive
from harness.training import Watchers, train

THREADS = 2  # their number decides the bits


def drawn_view(count: int, seed: int, show: Show) -> TrainView:
    """Draw `count` people, one image and one caption each, as a training set."""
    images = np.empty((count, 3, HEIGHT, WIDTH), dtype=np.uint8)
    captions = []
    for row, drawing in enumerate(draw_pretraining(count, derive(seed, "people"))):
        images[row] = np.asarray(drawing.image).transpose(2, 0, 1)
        captions.append(drawing.caption)
        show("drawing people", row + 1, count)
    rows = np.arange(count)
    split = Split(
        name="train",
        encoded=lambda row: images[row].tobytes(),
        image_ids=tuple(map(str, rows)),
        captions=tuple(captions),
        image_of_caption=rows,
        person_of_image=rows,
    )
    return TrainView(split, pixels_of(images), Supervision.PAIRS, seed)


def pixels_of(images: np.ndarray) -> Callable[[Integers], torch.Tensor]:
    """Return a reader of images held in memory."""
    return lambda rows: torch.from_numpy(images[rows])  # (B, 3, H, W)


def pretrain(
    method: Method, view: TrainView, recipe: Recipe, seed: int, what: str, show: Show
) -> None:
    """Train a method through a recipe on the CPU; its weights are the result."""

    def report(now: Progress) -> None:
        done = (now.epoch - 1) * now.steps + now.step
        show(f"{what}, loss {now.loss:.3f}", done, now.epochs * now.steps)

    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        watchers = Watchers(report=report)
        train(method, view, recipe, seed, torch.device("cpu"), Path(folder), watchers)
