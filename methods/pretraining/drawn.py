"""Training a shipped encoder on drawn people, with the harness's own loop.

The people, the palette, the backgrounds and the wording differ from PaperDolls, so that fine-tuning
on PaperDolls has something to gain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness import evaluation, metrics
from harness.data.paperdolls.build import draw_pretraining
from harness.data.paperdolls.drawing.canvas import HEIGHT, WIDTH
from harness.data.paperdolls.looks import PRETRAINING, Look
from harness.data.schema import Integers, Split, TrainView
from harness.method import Method, Recipe, Supervision
from harness.progress import Progress, Show
from harness.seeding import derive
from harness.training import Watchers, train

HELD_OUT = 1_000  # people whom an encoder is judged on, of the same look
CANDIDATES = 16  # of each caption that a fusion encoder scores again


@dataclass(frozen=True)
class DrawnPeople:
    """People to train on, one image and one caption each, and others to judge on."""

    view: TrainView
    facts: Sequence[Mapping[str, str]]  # that each image of the view shows
    held_out: Split
    pixels_of_held_out: Callable[[Integers], torch.Tensor]


def draw_people(
    count: int, seed: int, show: Show, look: Look = PRETRAINING, held_out: int | None = None
) -> DrawnPeople:
    """Draw `count` people to train on, and `held_out` others, by default `HELD_OUT`."""
    total = count + (HELD_OUT if held_out is None else held_out)
    images = np.empty((total, 3, HEIGHT, WIDTH), dtype=np.uint8)
    captions, facts = [], []
    for row, drawing in enumerate(draw_pretraining(total, derive(seed, "people"), look)):
        images[row] = np.asarray(drawing.image).transpose(2, 0, 1)
        captions.append(drawing.caption)
        facts.append(drawing.visible)
        show("drawing people", row + 1, total)
    training = _split("train", images[:count], captions[:count])
    view = TrainView(training, _reader(images[:count]), Supervision.PAIRS, seed)
    rows, _ = view.rows(torch.arange(count), torch.arange(count))
    judged_on = _split("val", images[count:], captions[count:])
    return DrawnPeople(view, [facts[row] for row in rows], judged_on, _reader(images[count:]))


def _split(name: str, images: np.ndarray, captions: list[str]) -> Split:
    rows = np.arange(len(images))
    return Split(
        name=name,
        encoded=lambda row: images[row].tobytes(),
        image_ids=tuple(map(str, rows)),
        captions=tuple(captions),
        image_of_caption=rows,
        person_of_image=rows,
    )


def _reader(images: np.ndarray) -> Callable[[Integers], torch.Tensor]:
    """Return a reader of images held in memory."""
    return lambda rows: torch.from_numpy(images[rows])  # (B, 3, H, W)


def pretrain(
    method: Method, people: DrawnPeople, recipe: Recipe, seed: int, what: str, show: Show
) -> dict[str, float]:
    """Train a method through a recipe on the CPU; its weights are the result.

    Returns R1, in percent, on the people held out, as `judge` does.
    """

    def report(now: Progress) -> None:
        done = (now.epoch - 1) * now.steps + now.step
        show(f"{what}, loss {now.loss:.3f}", done, now.epochs * now.steps)

    assert recipe.threads is not None  # their number decides the bits
    torch.set_num_threads(recipe.threads)
    with tempfile.TemporaryDirectory() as folder:
        watchers = Watchers(report=report)
        train(method, people.view, recipe, seed, torch.device("cpu"), Path(folder), watchers)
    return judge(method, people)


def judge(method: Method, people: DrawnPeople) -> dict[str, float]:
    """Return R1 on the people held out: "cosine" and, where the method re-scores, "rescored"."""
    split = people.held_out
    features = evaluation.encode_split(
        method, split, people.pixels_of_held_out, torch.device("cpu")
    )
    ways = {"cosine": 0, "rescored": CANDIDATES} if evaluation.rescores(method) else {"cosine": 0}
    return {
        way: metrics.summarize(
            evaluation.score_text_to_image(method, features, split, candidates, top=0)
        )["r1"]
        for way, candidates in ways.items()
    }


def note(command: str, seed: int, figures: Mapping[str, float]) -> dict[str, str]:
    """Return what a file of weights says of how it was made."""
    judged = {f"held-out R1, {way}": f"{figure:.1f}" for way, figure in figures.items()}
    return {"command": command, "seed": str(seed), **judged}
