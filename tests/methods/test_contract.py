"""What every registered method must keep to; a new method is tested here unasked."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import plan, registry
from harness.contract.case import CPU, Case
from harness.contract.checks import CHECKS, Check, Subject
from harness.highlights import write_highlights
from methods.ogen import CrossGranularityAggregation

LISTINGS = {listing.name: listing for listing in registry.list_methods()}
VARIANTS = [
    pytest.param(name, variant, id=f"{name}:{variant['label']}")
    for name, listing in LISTINGS.items()
    if listing.description
    for variant in listing.description["variants"]
    if variant["label"] in plan.variants_at(listing.description, "tiny")
]
FULL = [parameters for parameters in VARIANTS if parameters.values[1]["label"] == "full"]


def case(dolls: Path, name: str, variant: dict[str, Any]) -> Case:
    """Build a variant at scale tiny."""
    return Case(LISTINGS[name], variant, "tiny", dolls)


def test_every_plugin_imports() -> None:
    """No bundled method is broken."""
    assert {name: listing.error for name, listing in LISTINGS.items() if listing.error} == {}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.run.__name__)
@pytest.mark.parametrize("name", [name for name, item in LISTINGS.items() if item.description])
def test_a_method_keeps_to_the_contract(small_dolls: Path, name: str, check: Check) -> None:
    """What `harness check` tries holds for every method."""
    assert check.run(Subject(LISTINGS[name], "tiny", small_dolls))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_row_trains_what_it_names(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """An ablation row builds, trains exactly its losses, moves weights, and stays finite."""
    tried = case(small_dolls, name, variant)
    if not tried.recipe.stages:
        pytest.skip(f"{name} is not trained")
    before = {name: value.clone() for name, value in tried.method.state_dict().items()}
    after = tried.train(tmp_path)
    assert tried.trained_losses() == set(tried.method.config.losses)
    assert any(not torch.equal(before[key], after[key]) for key in before)
    assert all(torch.isfinite(value).all() for value in after.values())


@pytest.mark.parametrize("name", [name for name, item in LISTINGS.items() if item.description])
def test_all_rows_of_a_seed_start_from_the_same_weights(small_dolls: Path, name: str) -> None:
    """Heads are built whether or not a row uses them, so rows of one shape are paired."""
    description = LISTINGS[name].description
    assert description is not None
    rows = [v for v in description["variants"] if not _changes_shape(v["changes"])]
    states = [case(small_dolls, name, variant).method.state_dict() for variant in rows]
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        assert all(torch.equal(state[key], states[0][key]) for key in state)


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_a_trained_parameter_gets_a_gradient(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """With all of its losses on, training leaves no weight of the method untouched."""
    tried = case(small_dolls, name, variant)
    if not tried.recipe.stages:
        pytest.skip(f"{name} is not trained")
    before = {key: value.clone() for key, value in tried.method.named_parameters()}
    tried.train(tmp_path)
    unmoved = [
        key
        for key, value in tried.method.named_parameters()
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


def _changes_shape(changes: dict[str, Any]) -> bool:
    """Tell whether a row changes sizes or what it starts from, and so cannot share weights."""
    return bool(changes.keys() & {"backbone", "depth", "parts", "weights", "width"})


@pytest.mark.parametrize(("name", "variant"), FULL)
def test_what_is_highlighted_can_be_drawn(
    small_dolls: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    """Where a method highlights words, they lie in the caption and their maps are weights."""
    tried = case(small_dolls, name, variant)
    file = tmp_path / "highlights.json"
    write_highlights(file, tried.method, tried.split, tried.pixels, CPU)
    found = json.loads(file.read_text()) if file.is_file() else {"examples": []}
    assert "error" not in found, found["error"]["traceback"]
    for example in found["examples"]:
        assert example["highlights"]
