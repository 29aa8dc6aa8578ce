"""Configs and recipes from plain data, each field held to its type."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest

from harness.method import Recipe, Stage
from harness.registry.settings import build, convert, merge, to_plain, write_types


class Colour(Enum):
    """Two of them."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Every:
    """A field of each kind that a config may have."""

    number: float = 1.0
    count: int = 1
    on: bool = False
    name: str = "a"
    size: tuple[int, int] | None = None
    names: tuple[str, ...] = ()
    kind: Literal["one", "two"] = "one"
    colour: Colour = Colour.RED
    weights: Mapping[str, float] = field(default_factory=dict)
    anything: Any = None
    rate: float | None = None
    word: Literal["one"] | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    shades: tuple[Colour, ...] | None = None
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


FILLED = Every(2.5, 3, True, "b", (1, 2), ("x", "y"), "two", Colour.BLUE, {"itc": 0.5}, [1, "z"])


def test_what_was_made_plain_is_built_again() -> None:
    """Tuples and enums, which JSON has not, come back."""
    assert build(Every, {name: to_plain(value) for name, value in vars(FILLED).items()}) == FILLED
    recipe = Recipe("tiny-clip", (96, 32), (Stage(3, 0.1), Stage(2, 0.2)))
    plain = {name: value for name, value in vars(recipe).items() if name != "stages"}
    stages = [vars(stage) for stage in recipe.stages]
    assert build(Recipe, {**plain, "image_size": [96, 32], "stages": stages}) == recipe


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"count": 1.5}, "`int`, got `float` - at `$.count`"),
        ({"count": True}, "`int`, got `bool`"),
        ({"on": 1}, "`bool`, got `int`"),
        ({"name": 3}, "`str`, got `int`"),
        ({"size": [1]}, "length 2"),
        ({"kind": "three"}, "'three'"),
        ({"colour": "green"}, "'green'"),
        ({"weights": {"itc": "1"}}, "`float`, got `str`"),
        ({"wide": 1}, "unknown field wide"),
    ],
)
def test_another_type_is_refused_by_its_field(values: dict[str, Any], told: str) -> None:
    """The message names the class, and the field or what is not known."""
    with pytest.raises(ValueError, match=r"^Every: ") as refused:
        build(Every, values)
    assert told in str(refused.value)


VALUES = [
    None, True, 0, 1, 2.5, 3.0, "a", "one", "red", "three", "nan", [], [1], [1, 2], [1.5, 2], ["a"],
    ["red"], [[1, 2]], [[1], [2]], {}, {"itc": 1}, {"itc": "1"}, {"a": ["b"]}, {"a": [1]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("name", list(vars(FILLED)))
def test_a_type_as_plain_data_takes_what_the_field_takes(name: str, value: Any) -> None:
    """A value that fits by what is written of the type is one of which the class is built."""
    written = json.loads(json.dumps(write_types(Every)))[name]
    try:
        built = build(Every, {name: value})
    except ValueError:
        with pytest.raises(ValueError, match=r"^Expected|^Invalid enum value"):
            convert(value, written)
    else:
        assert json.dumps(convert(value, written)) == json.dumps(to_plain(vars(built)[name]))


@pytest.mark.parametrize(
    ("name", "value"),
    [("number", math.nan), ("rate", math.inf), ("weights", {"itc": -math.inf}),
     ("anything", [[math.nan]])],
)  # fmt: skip
def test_a_number_that_is_not_finite_fits_nothing(name: str, value: Any) -> None:
    """Wherever it stands."""
    with pytest.raises(ValueError, match="finite"):
        convert(value, write_types(Every)[name])


def test_where_whole_numbers_and_others_may_stand_all_are_floats() -> None:
    """So that 1 and 1.0 are one setting, and one key."""

    @dataclass(frozen=True)
    class Either:
        number: int | float | None = None

    (written,) = write_types(Either).values()
    assert [type(convert(value, written)) for value in (1, 1.0, None)] == [float, float, type(None)]


def test_a_stage_has_no_unknown_field_either() -> None:
    """What an older record says and no code reads any more is not passed over."""
    stage = {"epochs": 1, "learning_rate": 0.1, "momentum": 0.9}
    with pytest.raises(ValueError, match="Recipe: unknown field momentum"):
        build(Recipe, {"backbone": "", "image_size": [8, 8], "stages": [stage]})


def test_a_type_that_json_cannot_tell_apart_is_refused() -> None:
    """The message names the class that declares it."""

    @dataclass(frozen=True)
    class Torn:
        size: tuple[int, ...] | list[int] = ()

    Torn.__annotations__["size"] = tuple[int, ...] | list[int]
    with pytest.raises(ValueError, match="Torn: "):
        build(Torn, {"size": [1]})


def test_a_change_of_no_field_says_what_was_meant() -> None:
    """And what there is."""
    with pytest.raises(ValueError, match="'counts'; did you mean 'count'"):
        merge(vars(FILLED), {"counts": 2}, "here")
