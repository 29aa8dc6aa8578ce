"""A run with all that it works on: data, method, device and folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from harness import distributed
from harness.data.breaking import break_pairs
from harness.data.declaration import Located
from harness.data.digest import digest_path, write_digest
from harness.data.loading import load_split
from harness.data.pixels import Pixels, cache_bytes, open_pixels, pixel_folder
from harness.data.schema import Split, StageSet, TrainView, split_of_nobody
from harness.evaluation.embeddings import embeddings_path
from harness.method import Method, Recipe, Supervision
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.registry.settings import build
from harness.results import EVALUATIONS
from harness.run.determinism import choose_algorithms
from harness.run.options import Options
from harness.run.stage_sets import open_stage_sets
from harness.training.building import build_method


@dataclass(frozen=True)
class OpenRun:
    """A run with all that it works on."""

    method: Method
    recipe: Recipe
    located: Located
    data: Data
    training: Split  # as the method is shown it, with noise where there is some
    view: TrainView
    device: torch.device
    seed: int
    work: Path
    weights: Path  # the same folder on every rank
    open_test: Callable[[Located], tuple[Split, Pixels]]
    open_stage_sets: Callable[[], Mapping[int, StageSet]]
    say: Callable[[Update], None]

    @property
    def evaluations(self) -> Path:
        return self.work / EVALUATIONS

    def embeddings(self, located: Located) -> Path:
        """Return the file of the embeddings of a dataset's test split."""
        return embeddings_path(self.work, located.fingerprint)


def open_run(
    spec: RunSpec, options: Options, work: Path, weights: Path, say: Callable[[Update], None]
) -> OpenRun:
    """Load the data and build the method, with the threads and the device of the recipe."""
    recipe = build(Recipe, spec.recipe)
    torch.set_num_threads(
        recipe.threads or distributed.fair_threads(options.jobs, recipe.processes)
    )
    device = distributed.own_device(options.device, recipe.processes)
    choose_algorithms(device, options.strict)
    say(Update("loading"))
    splits = {
        name: load_split(spec.located, name) for name in spec.splits if name in spec.located.files
    }
    if spec.is_tested:
        # Before a pixel is decoded, which a broken image stops: pages tell of the data even then.
        place = options.results, spec.suite, spec.dataset, spec.located.fingerprint
        write_digest(spec.located, digest_path(*place))
    data = Data.open(splits, spec, options, say)
    supervision = Supervision(spec.config["supervision"])
    training, pixels = data.training()
    if spec.noise:
        training = break_pairs(training, spec.noise, spec.seed)
    companions = spec.beside.companions_of(spec.located)
    view = TrainView(training, pixels, supervision, spec.seed, companions)
    method = build_method(spec.method, spec.plugin, spec.config, spec.seed, view.summary())

    def open_split(located: Located, name: str) -> tuple[Split, Pixels]:
        split = load_split(located, name)
        return split, _open_pixels(split, located, spec, options, say)

    return OpenRun(
        method, recipe, spec.located, data, training, view, device, spec.seed, work, weights,
        open_test=lambda located: open_split(located, "test"),
        open_stage_sets=lambda: open_stage_sets(spec, open_split),
        say=say,
    )  # fmt: skip


@dataclass(frozen=True)
class Data:
    """The splits that a run reads, as far as there are any, with their pixels."""

    splits: dict[str, Split]
    pixels: dict[str, Pixels]

    def training(self) -> tuple[Split, Pixels]:
        """Return what a method is trained on, or built from where it is not trained."""
        if "train" in self.splits:
            return self.splits["train"], self.pixels["train"]
        return split_of_nobody("train"), lambda rows: torch.empty(0)

    @classmethod
    def open(
        cls,
        splits: dict[str, Split],
        spec: RunSpec,
        options: Options,
        say: Callable[[Update], None],
    ) -> Data:
        pixels = {
            name: _open_pixels(split, spec.located, spec, options, say)
            for name, split in splits.items()
        }
        return cls(splits, pixels)


def _open_pixels(
    split: Split,
    located: Located,
    spec: RunSpec,
    options: Options,
    say: Callable[[Update], None],
) -> Pixels:
    """Open the images of a split at the size that the run's method takes."""
    height, width = spec.config["image_size"]
    return open_pixels(
        split,
        (height, width),
        pixel_folder(located.fingerprint) if options.pixel_cache else None,
        lambda done, count: say(_decoding(done, count, (height, width))),
    )


def _decoding(done: int, count: int, size: tuple[int, int]) -> Update:
    megabytes = cache_bytes(count, size) / 1e6
    return Update(f"decoding image {done} of {count} into a cache of {megabytes:.0f} MB")
