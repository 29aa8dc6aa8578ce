"""What a recipe may hold: the names that training knows, and bounds of its numbers.

Without torch, so that a plan refuses what training would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError, unknown

CHOICES = {
    "optimizer": ("adam", "adamw", "lamb", "sgd"),
    "schedule": ("constant", "cosine", "linear"),
    "precision": ("bf16", "fp16", "no"),
    "undecayed": ("biases", "norms"),  # several, in a list
}
# How a run is executed: recorded, but in no label and in no key, since no figure's meaning hangs on
# them. The bits do, as they do on the device. A checkpoint goes on with the same ones alone.
RUN_OPTIONS = ("processes", "precision", "chunks")
# Of other numbers 0. Without a number of threads there is None, not 0.
LEAST = {
    "batch_size": 1, "chunks": 1, "epochs": 1, "image_size": 1, "processes": 1, "threads": 1,
}  # fmt: skip
MOST = {"warmup_start": 1, "schedule_end": 1}  # shares of the learning rate
BELOW = {"betas": 1}  # shares of a mean that moves: with all of it, nothing would


def refuse_recipe(recipe: Mapping[str, Any]) -> None:
    """Refuse a recipe, its fields by name, that makes no sense. Raises HarnessError."""
    for stage in recipe["stages"]:
        refuse_stage(stage)
    _refuse_values(recipe)


def refuse_stage(stage: Mapping[str, Any]) -> None:
    """Refuse a stage, its fields by name, that makes no sense.

    Raises:
        HarnessError: beginning with the name of the field.
    """
    _refuse_values(stage)
    if stage["optimizer"] == "sgd" and stage["eps"] is not None:
        raise HarnessError(
            f"eps: sgd divides by nothing, so a stage that trains with it takes no eps, and "
            f"{stage['eps']:g} stands there: write null, or another optimizer."
        )


def _refuse_values(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if name in CHOICES and one not in CHOICES[name]:
                raise HarnessError(f"{name}: {unknown(name, str(one), CHOICES[name])}")
            if isinstance(one, int | float) and (wrong := _out_of_bounds(name, one)):
                raise HarnessError(f"{name}: {value!r} {wrong}, which means nothing.")


def _out_of_bounds(name: str, number: float) -> str:
    """Return what is wrong with a number of a recipe, or nothing."""
    if not math.isfinite(number):
        return "is not finite"
    if number < LEAST.get(name, 0):
        return f"is less than {LEAST.get(name, 0)}"
    if number > MOST.get(name, math.inf):
        return f"is more than {MOST[name]}"
    if number >= BELOW.get(name, math.inf):
        return f"is not less than {BELOW[name]}"
    return ""
