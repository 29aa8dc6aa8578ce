"""What to try where a graphics card is too small, or half precision too coarse: added to errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness.errors import describe_error
from harness.training import NonFiniteLoss

FULL_PRECISION = "no"


def describe_failure(
    error: BaseException, recipe: Mapping[str, Any], spreads: bool, device: str
) -> dict[str, str]:
    """Return kind, message and traceback of an error, with what to try in its message.

    `spreads` tells whether the method can be trained in chunks, `device` on what it was trained.
    """
    told = describe_error(error)
    advice = ""
    if isinstance(error, torch.OutOfMemoryError):
        advice = _of_memory(recipe, spreads)
    elif isinstance(error, NonFiniteLoss) and device == "cuda":
        advice = _of_precision(str(recipe["precision"]))
    return {**told, "message": f"{told['message'].rstrip(' .')}. {advice}"} if advice else told


def _of_memory(recipe: Mapping[str, Any], spreads: bool) -> str:
    """Say what makes a run smaller; what trains the same first."""
    if not recipe["stages"]:
        return "It only encodes and scores: another program may fill the graphics card."
    ways = []
    if spreads:
        ways.append(_of_chunks(recipe["chunks"]))
    if recipe["precision"] == FULL_PRECISION:
        ways.append("--precision bf16, which halves what is kept for gradients")
    size = max(1, min(int(stage["batch_size"]) for stage in recipe["stages"]) // 2)
    ways.append(f"--set batch_size={size}, which trains something else and so is a variant")
    return f"The graphics card is too small for a step: try {', then '.join(ways)}."


def _of_chunks(chunks: int | str) -> str:
    """Say how many chunks are more than a recipe has."""
    if chunks == "auto":
        return "--chunks with a number twice that which auto took"
    more = 2 * int(chunks)
    return f"--chunks {more}, which trains the same in less memory (auto finds how many fit)"


def _of_precision(precision: str) -> str:
    """Say which precision reaches further than one, if any does."""
    if precision == "fp16":
        return (
            "It was trained in fp16, which ends at 65,504: try --precision bf16, which reaches as "
            "far as full precision, or --precision no."
        )
    if precision == "bf16":
        return "It was trained in bf16, which has three digits: try --precision no."
    return ""
