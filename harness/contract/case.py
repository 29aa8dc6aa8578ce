"""A method built on a small training split, ready to be tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness import paths, registry
from harness.contract.companions import make_up
from harness.contract.observation import Observer
from harness.data.catalogue import code_of_drawing, find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import Split, StageSet, TrainView
from harness.evaluation import encode_images, encode_texts
from harness.files import whole_folder
from harness.method import Recipe, Supervision
from harness.registry.settings import build
from harness.training import Watchers, train
from harness.training.building import build_method
from harness.training.checkpoints import LAST

CPU = torch.device("cpu")
ITEMS = 9  # images and captions whose embeddings are looked at
PEOPLE = 12, 6, 8  # of train, val and test
FEW = 16  # training images, of four people, with two captions each
EPOCHS = 2  # of each stage
BATCH = 16  # two steps an epoch


def small_dolls() -> Path:
    """Return the folder of a small drawn dataset, which is made once."""
    from harness.data.paperdolls.build import write_paperdolls
    from harness.data.paperdolls.looks import Sizes

    folder = paths.cache_folder() / "contract" / f"small-dolls-{code_of_drawing()[:16]}"
    if not folder.is_dir():
        train_people, val, test = PEOPLE
        with whole_folder(folder) as unfinished:
            write_paperdolls(unfinished, sizes=Sizes(train=train_people, val=val, test=test))
    return folder


def few(split: Split) -> Split:
    """Return the first images of a training split, with their captions."""
    return _part(split, range(FEW))


def others(split: Split) -> Split:
    """Return as many others, of twice as many people: what a stage with `data` trains on."""
    return _part(split, range(FEW, 3 * FEW, 2))


def _part(split: Split, rows: range) -> Split:
    """Return some images of a split, with their captions."""
    captions = np.isin(split.image_of_caption, rows)
    return replace(
        split,
        encoded=lambda row: split.encoded(rows[row]),
        image_ids=split.image_ids[rows.start : rows.stop : rows.step],
        captions=tuple(text for text, here in zip(split.captions, captions, strict=True) if here),
        image_of_caption=(split.image_of_caption[captions] - rows.start) // rows.step,
        person_of_image=split.person_of_image[rows],
        cameras=split.cameras and split.cameras[rows.start : rows.stop : rows.step],
    )


def as_it_is(split: Split) -> Split:
    """Return a split unchanged."""
    return split


@cache
def _train_split(dolls: Path) -> Split:
    """Return the training split of a folder, read once for all cases."""
    return load_split(locate(find_declaration(str(dolls))), "train")


class Case:
    """A variant of a method at a scale, with the weights of a seed."""

    def __init__(
        self,
        listing: registry.Listing,
        variant: Mapping[str, Any],
        scale: str,
        dolls: Path,
        seed: int = 0,
        change: Callable[[Split], Split] = as_it_is,
    ) -> None:
        """`variant` is one of the listing's description; `change` alters the training splits."""
        assert listing.description is not None
        described = listing.description["scales"][scale]
        config = {**described["config"], **variant["changes"]}
        self.recipe: Recipe = build(Recipe, described["recipe"])
        whole = _train_split(dolls)

        def see(split: Split) -> TrainView:
            pixels = open_pixels(split, tuple(config["image_size"]), None)
            companions = [make_up(name, split) for name in config["companions"]]
            return TrainView(split, pixels, Supervision(config["supervision"]), seed, companions)

        self.split = change(few(whole))
        self.view = see(self.split)
        self.judge = StageSet.of(self.view, self.split).judge_pairs
        elsewhere = [number for number, one in enumerate(self.recipe.stages) if one.data]
        other = change(others(whole))
        self.sets = {number: StageSet.of(see(other), other) for number in elsewhere}
        summary = self.view.summary()
        self.method = build_method(listing.name, listing.plugin, config, seed, summary)
        self.history: list[dict[str, Any]] = []  # of the last training
        self.images = self.view.pixels(range(ITEMS))  # (ITEMS, 3, H, W)
        self.captions = list(self.view.captions[:ITEMS])

    def train(
        self,
        folder: Path | None = None,
        epochs: int = EPOCHS,
        batch_size: int = BATCH,
        observer: Observer | None = None,
        asked_to_end: Callable[[], bool] = lambda: False,
    ) -> dict[str, Tensor]:
        """Train each stage for a few short epochs and return the last weights."""
        if folder is None:
            with tempfile.TemporaryDirectory() as scratch:
                return self.train(Path(scratch), epochs, batch_size, observer, asked_to_end)
        stages = (
            replace(stage, epochs=epochs, batch_size=batch_size) for stage in self.recipe.stages
        )
        recipe = replace(self.recipe, stages=tuple(stages))
        watchers = Watchers(judge_pairs=self.judge, asked_to_end=asked_to_end)
        if observer is not None:
            watchers = replace(watchers, report=observer.step_ended)
        where = CPU, folder
        trained = train(self.method, self.view, recipe, 0, *where, watchers, (), self.sets)
        self.history = trained.history
        return dict(torch.load(folder / LAST, weights_only=True)["method"])

    def trained_losses(self) -> set[str]:
        """Return the names of the losses that were trained."""
        return {key.removeprefix("loss/") for row in self.history for key in row if "loss/" in key}

    @torch.no_grad()
    def features(self) -> tuple[Tensor, Tensor]:
        """Return the embeddings (items, D) of images and captions in evaluation mode."""
        self.method.eval()
        count = len(self.images)
        images = encode_images(self.method, lambda rows: self.images[rows], count, CPU)
        return images.embedding, encode_texts(self.method, self.captions, CPU).embedding
