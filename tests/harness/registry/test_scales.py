"""Parts of recipes: what is shortened, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import plan, registry
from harness.errors import HarnessError
from harness.plan.variants import resolve_variant
from harness.registry.scales import at_scale, has_scale, parse_scale


def epochs(recipe: Any) -> list[int]:
    """Return those of each stage."""
    return [stage["epochs"] for stage in recipe["stages"]]


@pytest.fixture(scope="module")
def methods() -> dict[str, registry.Listing]:
    """The methods of the project."""
    return {listing.name: listing for listing in registry.list_methods() if listing.description}


def test_a_part_of_a_recipe_has_a_part_of_its_epochs(methods: dict[str, registry.Listing]) -> None:
    """Of every method and stage; warm-ups shrink alike, and nothing else is changed."""
    for listing in methods.values():
        description = listing.description
        assert description is not None
        whole, third = at_scale(description, "paper"), at_scale(description, "paper/3")
        assert epochs(third["recipe"]) == [round(count / 3) for count in epochs(whole["recipe"])]
        for before, after in zip(whole["recipe"]["stages"], third["recipe"]["stages"], strict=True):
            share = after["epochs"] / before["epochs"]
            assert after["warmup_epochs"] == pytest.approx(before["warmup_epochs"] * share)
            assert after["warmup_epochs"] <= after["epochs"]
            changed = {name for name in before if before[name] != after[name]}
            assert changed <= {"epochs", "warmup_epochs"}
        assert {**third, "recipe": None} == {**whole, "recipe": None}
    assert {name for name in methods if name != "clip"} <= {
        name
        for name, listing in methods.items()
        if listing.description and epochs(at_scale(listing.description, "paper/3")["recipe"])
    }


def test_no_stage_loses_its_last_epoch(methods: dict[str, registry.Listing]) -> None:
    """However small the part is."""
    description = methods["laip"].description
    assert description is not None
    assert epochs(at_scale(description, "tiny/9")["recipe"]) == [1, 1]
    assert at_scale(description, "tiny/1") == at_scale(description, "tiny")


@pytest.mark.parametrize(
    "scale", ["paper/0", "paper/", "/3", "paper/3/2", "paper/-1", "paper/x", ""]
)
def test_what_is_no_part_is_refused(scale: str, tmp_path: Path) -> None:
    """By a suite with a message; a record that says so is of no scale that there is."""
    with pytest.raises(HarnessError, match="paper/3 for a third"):
        parse_scale(scale)
    assert not has_scale({"scales": {"paper": {}, "": {}}}, scale)
    suite = tmp_path / "odd.yaml"
    suite.write_text(f'{{scale: "{scale}", seeds: [0], datasets: [paperdolls]}}', encoding="utf-8")
    with pytest.raises(HarnessError, match="paper/3 for a third"):
        plan.read_suite(str(suite))


def test_the_suite_day_is_a_part_of_paper_for_a_small_card(
    methods: dict[str, registry.Listing],
) -> None:
    """Every method at a third of its epochs, as many chunks as it takes, one seed; under the
    label of the method as published, since the suite and the scale tell."""
    day, paper = plan.read_suite("day"), plan.read_suite("paper")
    assert (day.scale, day.seeds, day.datasets) == ("paper/3", (0,), ("cuhk-pedes",))
    chosen = plan.choose([], [*methods.values()], day.scale, False)
    assert {choice.listing.name for choice in chosen} == {*methods}
    for name, listing in methods.items():
        short = resolve_variant(listing, day.scale, "full", {}, day.options)
        whole = resolve_variant(listing, paper.scale, "full", {}, paper.options)
        assert (short.label, short.changes) == ("full", {})
        assert short.recipe["chunks"] == (1 if name == "clip" else "auto")
        assert whole.recipe["chunks"] == 1
        assert short.config == whole.config


def test_options_of_a_suite_give_way(methods: dict[str, registry.Listing]) -> None:
    """To those of the command; where several processes train, how many chunks is not tried."""
    irra = methods["irra"]

    def chunks(**settings: Any) -> Any:
        return resolve_variant(irra, "tiny", "full", settings, {"chunks": "auto"}).recipe["chunks"]

    assert chunks() == "auto"
    assert chunks(chunks=4) == 4
    assert chunks(processes=2) == 1


def test_a_method_that_does_not_spread_runs_in_one_piece(toy: Path) -> None:
    """An option of a suite is for those that can; asked for itself, it is refused as ever."""
    [listing] = [one for one in registry.list_methods([toy]) if one.name == "toy"]
    given = {"chunks": 4, "precision": "bf16"}
    recipe = resolve_variant(listing, "tiny", "full", {}, given).recipe
    assert (recipe["chunks"], recipe["precision"]) == (1, "bf16")
    with pytest.raises(HarnessError, match="is trained in one chunk"):
        resolve_variant(listing, "tiny", "full", {"chunks": 4})


def test_an_unknown_option_of_a_suite_is_refused(tmp_path: Path) -> None:
    """With those that there are."""
    suite = tmp_path / "odd.yaml"
    suite.write_text("{scale: tiny, seeds: [0], datasets: [paperdolls], options: {chunk: 4}}")
    with pytest.raises(HarnessError, match=r"no option of a run 'chunk'. Did you mean 'chunks'"):
        plan.read_suite(str(suite))
