"""What every registered method must keep to; a new method is tested here unasked."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import plan, registry
from harness.contract.case import CPU, Case
from harness.contract.checks import CHECKS, Check
from harness.contract.subject import Subject
from harness.contract.training import goes_on, rows_build_and_train
from harness.data.pixels import open_pixels
from harness.run.highlights import write_highlights
from methods.ogen import CrossGranularityAggregation

from ..some import STEP

LISTINGS = {listing.name: listing for listing in registry.list_methods()}
NAMES = [name for name, listing in LISTINGS.items() if listing.description]
# One process tests a method, which is so trained once for all that only look at it.
GROUPS = {name: pytest.mark.xdist_group(f"contract of {name}") for name in NAMES}
METHODS = [pytest.param(name, id=name, marks=GROUPS[name]) for name in NAMES]


def variants_of(name: str) -> list[dict[str, Any]]:
    """Return the variants of a method at scale tiny, as published first."""
    description = LISTINGS[name].description or {}
    here = plan.variants_at(description, "tiny")
    return [variant for variant in description["variants"] if variant["label"] in here]


def rarely(rare: object) -> list[Any]:
    """Return the mark of what is not tried every time."""
    return [pytest.mark.exhaustive] if rare else []


# Every time one row in five; `rows_build_and_train`, which trains them all, is exhaustive.
VARIANTS = [
    pytest.param(
        name,
        variant,
        id=f"{name}:{variant['label']}",
        marks=[GROUPS[name], *rarely(position % STEP)],
    )
    for name in NAMES
    for position, variant in enumerate(variants_of(name))
]
# And every time one method is stopped behind each of its steps, and the others in `tox -e full`.
TRIED = [
    pytest.param(
        name,
        check,
        id=f"{name}-{check.run.__name__}",
        marks=[
            GROUPS[name],
            *rarely(check.run is rows_build_and_train),
            *rarely(check.run is goes_on and name != "irra"),
        ],
    )
    for name in NAMES
    for check in CHECKS
]


def case(dolls: Path, name: str, variant: dict[str, Any]) -> Case:
    """Build a variant at scale tiny."""
    return Case(LISTINGS[name], variant, "tiny", dolls)


@pytest.fixture(scope="module")
def subject(small_dolls: Path, fork_server: None) -> Callable[[str], Subject]:
    """Return a function that returns a method as it is checked: one of each, trained once."""
    return cache(lambda name: Subject(LISTINGS[name], "tiny", small_dolls))


def test_every_plugin_imports() -> None:
    """No bundled method is broken."""
    assert {name: listing.error for name, listing in LISTINGS.items() if listing.error} == {}


@pytest.mark.parametrize(("name", "check"), TRIED)
def test_a_method_keeps_to_the_contract(
    subject: Callable[[str], Subject], name: str, check: Check
) -> None:
    """What `harness check` tries holds for every method."""
    assert check.run(subject(name))


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_row_trains_what_it_names(
    subject: Callable[[str], Subject], name: str, variant: dict[str, Any]
) -> None:
    """An ablation row builds, trains exactly its losses, moves weights, and stays finite. It starts
    from the weights of the published method, where their shapes are alike: heads are built whether
    or not a row uses them, so the rows of a seed are paired."""
    tried = subject(name)
    row = tried.row(tried.labels.index(variant["label"]))
    if not _changes_shape(variant["changes"]):
        assert row.before == tried.row(0).before
    if not tried.trained.case.recipe.stages:
        pytest.skip(f"{name} is not trained")
    assert row.trained == row.named
    assert row.before != row.after
    assert not row.not_finite


@pytest.mark.parametrize("name", METHODS)
def test_a_trained_parameter_gets_a_gradient(subject: Callable[[str], Subject], name: str) -> None:
    """With all of its losses on, training leaves no weight of the method untouched."""
    trained = subject(name).trained
    if not trained.case.recipe.stages:
        pytest.skip(f"{name} is not trained")
    unmoved = [
        key
        for key, value in trained.case.method.named_parameters()
        if value.requires_grad and torch.equal(value, trained.before[key])
    ]
    assert set(unmoved) <= UNTRAINED.get(name, set())


# Parameters that a method carries from its backbone and does not use, with the reason.
# Tiny-clip's own masked-word head is of use to methods that fill masks.
UNTRAINED = {
    name: {f"encoder.masked_word_head.{part}" for part in
           ("0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias")}
    for name in ("clip-itc", "irra", "dgia", "ogen", "mefa", "rde", "tbps-clip")
}  # fmt: skip
# Only the row "no shared CGAM" gives the teacher an aggregation of its own.
UNTRAINED["ogen"] |= {
    f"teacher.{name}" for name, _ in CrossGranularityAggregation(8, 2).named_parameters()
}


# ALBEF fuses tokens: the masked-word head of its text tower is not the one that it learns, and
# a momentum copy follows without gradient.
UNTRAINED |= {
    name: {
        f"{model}.encoder.masked_word_head.{part}"
        for part in ("0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias")
    }
    for name, model in (("laip", "albef"), ("rasa", "albef"), ("aptm", "model"))
}


def _changes_shape(changes: dict[str, Any]) -> bool:
    """Tell whether a row changes sizes or what it starts from, and so cannot share weights."""
    return bool(changes.keys() & {"backbone", "depth", "parts", "weights", "width"})


@pytest.mark.parametrize("name", METHODS)
def test_what_is_highlighted_can_be_drawn(
    subject: Callable[[str], Subject], tmp_path: Path, name: str
) -> None:
    """Where a method highlights words, they lie in the caption and their maps are weights."""
    tried = subject(name).case()
    file = tmp_path / "highlights.json"
    pixels = open_pixels(tried.split, tried.method.config.image_size, None)
    write_highlights(file, tried.method, tried.split, pixels, CPU)
    found = json.loads(file.read_text()) if file.is_file() else {"examples": []}
    assert "error" not in found, found["error"]["traceback"]
    for example in found["examples"]:
        assert example["highlights"]
