"""What a method makes of the training data before its first step, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import TrainView
from harness.method import NegativeCaption, Recipe, Supervision
from harness.plan.spec import RunSpec
from harness.registry.settings import build
from harness.training.building import build_method
from harness.training.handed import preparation


def mine_negatives(
    spec: RunSpec, tell: Callable[[str], None]
) -> tuple[Sequence[str], Sequence[NegativeCaption]]:
    """Return the training captions of a run and the negatives that its method makes of them.

    They are made as a run begins, of its own training set alone: also where a first stage trains
    on another one. `harness inspect` plans no noise, so captions stand by their own images here.
    """
    split = load_split(spec.located, "train")
    height, width = spec.config["image_size"]
    pixels = open_pixels(split, (height, width), None, lambda done, count: None)
    supervision = Supervision(spec.config["supervision"])
    companions = spec.beside.companions_of(spec.located)
    view = TrainView(split, pixels, supervision, spec.seed, companions)
    method = build_method(spec.method, spec.plugin, spec.config, spec.seed, view.summary())
    recipe = build(Recipe, spec.recipe)
    run = preparation(method, view, recipe, spec.seed, torch.device("cpu"), tell)
    return view.captions, method.negative_captions(view, run)
