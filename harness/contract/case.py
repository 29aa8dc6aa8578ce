"""A method built on a small training split, ready to be tried, and what is checked of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness import paths, registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import Split, TrainView
from harness.evaluation import encode_images, encode_texts
from harness.files import process_tag, put_in_place
from harness.method import Recipe, Supervision
from harness.registry.settings import build
from harness.results.paper import ExtraData
from harness.training import Watchers, train
from harness.training.building import build_method
from harness.training.checkpoints import LAST

CPU = torch.device("cpu")
ITEMS = 9  # images and captions whose embeddings are looked at
PEOPLE = 12, 6, 8  # of train, val and test
BATCH = 32


def small_dolls() -> Path:
    """Return the folder of a small drawn dataset, which is made once."""
    from harness.data.paperdolls.build import Sizes, write_paperdolls

    folder = paths.cache_folder() / "contract" / "small-dolls"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder.with_name(f"small-dolls.{process_tag()}")
        train_people, val, test = PEOPLE
        write_paperdolls(unfinished, sizes=Sizes(train=train_people, val=val, test=test))
        put_in_place(unfinished, folder)
    return folder


class Case:
    """A variant of a method at a scale, with the weights of a seed."""

    def __init__(
        self,
        listing: registry.Listing,
        variant: Mapping[str, Any],
        scale: str,
        dolls: Path,
        seed: int = 0,
        change: Callable[[Split], Split] = lambda split: split,
    ) -> None:
        """`variant` is one of the listing's description; `change` alters the training split."""
        assert listing.description is not None
        described = listing.description["scales"][scale]
        config = {**described["config"], **variant["changes"]}
        self.recipe: Recipe = build(Recipe, described["recipe"])
        self.split = change(load_split(locate(find_declaration(str(dolls))), "train"))
        self.pixels = open_pixels(self.split, tuple(config["image_size"]), None)
        self.view = TrainView(self.split, self.pixels, Supervision(config["supervision"]), seed)
        summary = self.view.summary()
        self.method = build_method(listing.name, listing.plugin, config, seed, summary)
        self.images = self.view.pixels(range(ITEMS))  # (ITEMS, 3, H, W)
        self.captions = list(self.view.captions[:ITEMS])

    def train(self, folder: Path | None = None) -> dict[str, Tensor]:
        """Train each stage for one short epoch and return the last weights."""
        if folder is None:
            with tempfile.TemporaryDirectory() as scratch:
                return self.train(Path(scratch))
        stages = tuple(replace(stage, epochs=1, batch_size=BATCH) for stage in self.recipe.stages)
        recipe = replace(self.recipe, stages=stages)
        watchers = Watchers(judge_pairs=self.judge)
        self.history = train(self.method, self.view, recipe, 0, CPU, folder, watchers).history
        return dict(torch.load(folder / LAST, weights_only=True)["method"])

    def trained_losses(self) -> set[str]:
        """Return the names of the losses that were trained."""
        return {key.removeprefix("loss/") for row in self.history for key in row if "loss/" in key}

    def judge(self, images: Tensor, captions: Tensor) -> int:
        """Count the reported pairs that are of one person, as a run does."""
        rows, caption_rows = self.view.rows(images, captions)
        same = self.split.person_of_image[rows] == self.split.person_of_caption[caption_rows]
        return int(np.sum(same))

    @torch.no_grad()
    def features(self) -> tuple[Tensor, Tensor]:
        """Return the embeddings (ITEMS, D) of images and captions in evaluation mode."""
        self.method.eval()
        images = encode_images(self.method, lambda rows: self.images[rows], ITEMS, CPU)
        return images.embedding, encode_texts(self.method, self.captions, CPU).embedding


@dataclass(frozen=True)
class TrainedCase:
    """A case that was trained, with its weights as they were before and after."""

    case: Case
    before: dict[str, Tensor]
    after: dict[str, Tensor]


@dataclass(frozen=True)
class Subject:
    """A method to be checked, at a scale, on the small drawn dataset."""

    listing: registry.Listing
    scale: str
    dolls: Path

    @cached_property
    def trained(self) -> TrainedCase:
        """The method as published, trained once for all checks; they only look at it."""
        case = self.case()
        before = {name: value.clone() for name, value in case.method.state_dict().items()}
        return TrainedCase(case, before, case.train() if case.recipe.stages else before)

    def case(
        self,
        variant: int = 0,
        seed: int = 0,
        change: Callable[[Split], Split] = lambda split: split,
    ) -> Case:
        """Build a variant by its position; the method as published is the first."""
        return Case(
            self.listing, self._variants[variant], self.scale, self.dolls, seed=seed, change=change
        )

    @property
    def _variants(self) -> Sequence[dict[str, object]]:
        from harness.plan import variants_at

        assert self.listing.description is not None
        here = variants_at(self.listing.description, self.scale)
        return [v for v in self.listing.description["variants"] if v["label"] in here]

    @property
    def extra_data(self) -> ExtraData | None:
        """What the method says it was trained on beside the benchmark; None where nothing."""
        assert self.listing.description is not None
        backbone = self.listing.description["scales"][self.scale]["config"]["backbone"]
        told = self.listing.description["extra_data"].get(backbone)
        return told and build(ExtraData, told)

    @property
    def labels(self) -> list[str]:
        """The labels of the variants, in their order."""
        return [str(variant["label"]) for variant in self._variants]
