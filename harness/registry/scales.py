"""The scale of a suite: a recipe by its name, or a part of one.

`paper/3` is the recipe `paper` with a third of each stage's epochs, at least one. The warm-up
shrinks with its stage, and so does what is spread over it, as a schedule that falls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError, unknown

PART = re.compile(r"(?P<recipe>[^/]+)(/(?P<part>[1-9]\d{0,3}))?", re.ASCII)


def parse_scale(scale: str) -> tuple[str, int]:
    """Return the recipe that a scale names, and by how much its epochs are divided.

    Raises:
        HarnessError: it is written in another way.
    """
    found = PART.fullmatch(scale)
    if not found:
        raise HarnessError(
            f"scale {scale!r}: write a recipe's name, as in paper, or a part of its epochs, as in "
            "paper/3 for a third."
        )
    return found["recipe"], int(found["part"] or 1)


def has_scale(description: Mapping[str, Any], scale: str) -> bool:
    """Tell whether a method, by its description, has the recipe of a scale."""
    try:
        return parse_scale(scale)[0] in description["scales"]
    except HarnessError:  # of a record that somebody has written
        return False


def at_scale(description: Mapping[str, Any], scale: str) -> Mapping[str, Any]:
    """Return what a description has of a scale: a recipe, the config that it gives, and tables.

    Raises:
        HarnessError: the method has no such recipe.
    """
    name, part = parse_scale(scale)
    if name not in description["scales"]:
        raise unknown(f"recipe of {description['name']}", name, description["scales"])
    found: Mapping[str, Any] = description["scales"][name]
    if part == 1:
        return found
    stages = [_shortened(stage, part) for stage in found["recipe"]["stages"]]
    return {**found, "recipe": {**found["recipe"], "stages": stages}}


def _shortened(stage: Mapping[str, Any], part: int) -> dict[str, Any]:
    epochs = max(1, round(stage["epochs"] / part))
    return {
        **stage,
        "epochs": epochs,
        "warmup_epochs": stage["warmup_epochs"] * epochs / stage["epochs"],
    }
