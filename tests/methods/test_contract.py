"""What every registered method must keep to; a new method is tested here unasked."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.data.schema import Split, TrainView
from harness.describe import build
from harness.evaluation import encode_images, encode_texts
from harness.highlights import write_highlights
from harness.method import Encoded, Method, Recipe, Supervision
from harness.seeding import seed_everything
from harness.training import LAST, Watchers, train
from methods.ogen import CrossGranularityAggregation

CPU = torch.device("cpu")
LISTINGS = {listing.name: listing for listing in registry.list_methods()}
VARIANTS = [
    pytest.param(name, variant, id=f"{name}:{variant['label']}")
    for name, listing in LISTINGS.items()
    if listing.description
    for variant in listing.description["variants"]
    if variant["label"] in plan.variants_at(listing.description, "tiny")
]
FULL = [parameters for parameters in VARIANTS if parameters.values[1]["label"] == "full"]


class Case:
    """A method at scale tiny with a small training split."""

    def __init__(
        self,
        dolls: Path,
        name: str,
        variant: dict[str, Any],
        seed: int = 0,
        change: Callable[[Split], Split] = lambda split: split,
    ) -> None:
        listing = LISTINGS[name]
        assert listing.description is not None
        scale = listing.description["scales"]["tiny"]
        registration = registry.load_method(name, listing.plugin)
        values = {**scale["config"], **variant["changes"]}
        config = build(registration.method.config_class, values)
        self.split = split = change(load_split(locate(find_declaration(str(dolls))), "train"))
        self.pixels = pixels = open_pixels(split, config.image_size, None)
        self.recipe = build(Recipe, scale["recipe"])
        self.view = TrainView(split, pixels, Supervision(config.supervision), seed)
        seed_everything(seed, "weights")
        self.method: Method = registration.method(config, self.view.summary())
        self.images = self.view.pixels(range(9))

    def train(self, folder: Path) -> dict[str, Tensor]:
        """Train each stage for one short epoch and return the last weights."""
        stages = tuple(replace(stage, epochs=1, batch_size=32) for stage in self.recipe.stages)
        recipe = replace(self.recipe, stages=stages)
        watchers = Watchers(judge_pairs=self.judge)
        self.history = train(self.method, self.view, recipe, 0, CPU, folder, watchers).history
        return dict(torch.load(folder / LAST, weights_only=True)["method"])

    def judge(self, images: Tensor, captions: Tensor) -> int:
        """Count the reported pairs that are of one person, as a run does."""
        rows, caption_rows = self.view.rows(images, captions)
        same = self.split.person_of_image[rows] == self.split.person_of_caption[caption_rows]
        return int(np.sum(same))

    def features(self) -> tuple[Tensor, Tensor]:
        """Return the embeddings of nine images and nine captions in evaluation mode."""
        self.method.eval()
        with torch.no_grad():
            images = encode_images(self.method, lambda rows: self.images[rows], 9, CPU)
            texts = encode_texts(self.method, self.view.captions[:9], CPU)
        return images.embedding, texts.embedding


def test_every_plugin_imports() -> None:
    """No bundled method is broken."""
    assert {name: listing.error for name, listing in LISTINGS.items() if listing.error} == {}


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_embeddings_are_finite_floats_of_one_width(
    small_dolls: Path, name: str, variant: dict[str, Any]
) -> None:
    """Images and captions land in one space: (B, D) floats, finite, not all alike."""
    images, texts = Case(small_dolls, name, variant).features()
    assert images.shape == texts.shape
    for embedding in (images, texts):
        assert embedding.is_floating_point()
        assert torch.isfinite(embedding).all()
        assert embedding.std(dim=0).max() > 0


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_an_item_does_not_depend_on_its_batch(
    small_dolls: Path, name: str, variant: dict[str, Any]
) -> None:
    """Encoded alone or among others, with more or less padding, an item is the same."""
    case = Case(small_dolls, name, variant)
    images, texts = case.features()
    with torch.no_grad():
        for row in (0, 4, 8):
            image = _embedding(case.method.encode_images(case.images[row : row + 1]))
            text = _embedding(case.method.encode_texts([case.view.captions[row]]))
            torch.testing.assert_close(image[0], images[row], rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(text[0], texts[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_row_trains_what_it_names(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """An ablation row builds, trains exactly its losses, moves weights, and stays finite."""
    case = Case(small_dolls, name, variant)
    if not case.recipe.stages:
        pytest.skip(f"{name} is not trained")
    before = {name: value.clone() for name, value in case.method.state_dict().items()}
    after = case.train(tmp_path)
    trained = {key.removeprefix("loss/") for row in case.history for key in row if "loss/" in key}
    assert trained == set(case.method.config.losses)
    assert any(not torch.equal(before[key], after[key]) for key in before)
    assert all(torch.isfinite(value).all() for value in after.values())


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_the_same_seed_trains_the_same_weights(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """Training repeats bit for bit."""
    cases = [Case(small_dolls, name, variant) for _ in range(2)]
    if not cases[0].recipe.stages:
        pytest.skip(f"{name} is not trained")
    one, two = (case.train(tmp_path / str(n)) for n, case in enumerate(cases))
    assert [key for key in one if not torch.equal(one[key], two[key])] == []


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_only_identity_supervision_sees_identities(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """With the training people permuted, all others train the same weights, bit for bit."""
    cases = [Case(small_dolls, name, variant, change=change) for change in (lambda s: s, _permuted)]
    if not cases[0].recipe.stages:
        pytest.skip(f"{name} is not trained")
    one, two = (case.train(tmp_path / str(n)) for n, case in enumerate(cases))
    same = all(torch.equal(one[key], two[key]) for key in one)
    assert same is (variant["supervision"] != Supervision.IDENTITY)


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_weights_survive_a_save_and_load(
    small_dolls: Path, name: str, variant: dict[str, Any]
) -> None:
    """A method built from another seed, with the weights loaded, gives the same features."""
    one, two = Case(small_dolls, name, variant), Case(small_dolls, name, variant, seed=1)
    two.method.load_state_dict(one.method.state_dict())
    two.images, two.view = one.images, one.view
    for first, second in zip(one.features(), two.features(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", [name for name, item in LISTINGS.items() if item.description])
def test_all_rows_of_a_seed_start_from_the_same_weights(small_dolls: Path, name: str) -> None:
    """Heads are built whether or not a row uses them, so rows of one shape are paired."""
    description = LISTINGS[name].description
    assert description is not None
    rows = [v for v in description["variants"] if not _changes_shape(v["changes"])]
    states = [Case(small_dolls, name, variant).method.state_dict() for variant in rows]
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        assert all(torch.equal(state[key], states[0][key]) for key in state)


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_a_trained_parameter_gets_a_gradient(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """With all of its losses on, training leaves no weight of the method untouched."""
    case = Case(small_dolls, name, variant)
    if not case.recipe.stages:
        pytest.skip(f"{name} is not trained")
    before = {key: value.clone() for key, value in case.method.named_parameters()}
    case.train(tmp_path)
    unmoved = [
        key
        for key, value in case.method.named_parameters()
        if value.requires_grad and torch.equal(value, before[key])
    ]
    assert set(unmoved) <= UNTRAINED.get(name, set())


# Parameters that a method carries from its backbone and does not use, with the reason.
# Tiny-clip's own masked-word head is of use to methods that fill masks.
UNTRAINED = {
    name: {f"encoder.masked_word_head.{part}" for part in
           ("0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias")}
    for name in ("clip-itc", "irra", "dgia", "ogen", "mefa")
}  # fmt: skip
# Only the row "no shared CGAM" gives the teacher an aggregation of its own, and one part attends
# to nothing.
UNTRAINED["ogen"] |= {"text_parts.1.heads.weight"} | {
    f"teacher.{name}" for name, _ in CrossGranularityAggregation(8, 2).named_parameters()
}


# ALBEF fuses tokens: the masked-word head of its text tower is not the one that it learns, and
# a momentum copy follows without gradient.
UNTRAINED["laip"] = {
    f"albef.encoder.masked_word_head.{part}"
    for part in ("0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias")
}


def _permuted(split: Split) -> Split:
    """Give the images of a split the people of others."""
    shuffled = np.random.default_rng(0).permutation(split.person_of_image)
    return replace(split, person_of_image=shuffled)


def _embedding(encoded: Tensor | Encoded) -> Tensor:
    return encoded if isinstance(encoded, Tensor) else encoded.embedding


def _changes_shape(changes: dict[str, Any]) -> bool:
    """Tell whether a row changes sizes or what it starts from, and so cannot share weights."""
    return bool(changes.keys() & {"backbone", "depth", "parts", "weights", "width"})


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_what_is_highlighted_can_be_drawn(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """Where a method highlights words, they lie in the caption and their maps are weights."""
    case = Case(small_dolls, name, variant)
    file = tmp_path / "highlights.json"
    write_highlights(file, case.method, case.split, case.pixels, CPU)
    found = json.loads(file.read_text()) if file.is_file() else {"examples": []}
    assert "error" not in found, found["error"]["traceback"]
    for example in found["examples"]:
        assert example["highlights"]
