"""What a recipe may hold: the names that training knows, and bounds of its numbers.

Without torch, so that a plan refuses what training would.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError, unknown

NOT_TRAINED, KNOWS_PEOPLE = "none", "identity"  # supervisions
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
    "accumulate": 1, "batch_size": 1, "chunks": 1, "epochs": 1, "image_size": 1, "processes": 1,
    "threads": 1,
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
    if stage["images_per_person"] > stage["batch_size"]:
        raise HarnessError(
            f"images_per_person: {stage['images_per_person']} of each person are more than a batch "
            f"of {stage['batch_size']} holds: write fewer, or a larger batch_size."
        )
    if stage["data"] == "":
        raise HarnessError("data: write a dataset's name or folder, or null for the run's own.")
    if stage["optimizer"] == "sgd" and stage["eps"] is not None:
        raise HarnessError(
            f"eps: sgd divides by nothing, so a stage that trains with it takes no eps, and "
            f"{stage['eps']:g} stands there: write null, or another optimizer."
        )


def refuse_supervision(supervision: str, recipe: Mapping[str, Any]) -> None:
    """Refuse a recipe, its fields by name, that asks for more than a supervision lets it see.

    Raises:
        HarnessError: it has stages and is not trained, or sorts by people that it is not shown.
    """
    if supervision == NOT_TRAINED and recipe["stages"]:
        raise HarnessError(
            "declares the supervision none, which is not trained, and its recipe has stages: "
            "declare pairs or identity, or a recipe without stages."
        )
    by_person = [stage for stage in recipe["stages"] if stage["images_per_person"]]
    if by_person and supervision != KNOWS_PEOPLE:
        raise HarnessError(
            f"declares the supervision {supervision}, which knows no people, and its recipe makes "
            "batches by them: declare identity, or images_per_person = 0."
        )


def refuse_accumulation(updates: bool, recipe: Mapping[str, Any]) -> None:
    """Refuse gradients of several batches for a method that updates something after a step.

    Raises:
        HarnessError: what it would be handed then, the last batch, is not what the step was on.
    """
    if updates and any(stage["accumulate"] > 1 for stage in recipe["stages"]):
        raise HarnessError(
            "updates something after each step from the batch of it, and a step on "
            "several batches has no such one: write accumulate = 1; chunks save memory too."
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
