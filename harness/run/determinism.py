"""Whether a run repeats its bits: on the CPU as it is, on CUDA with the algorithms that do.

Where a method uses an operation that has none, the run goes on without, and its record says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import torch
import torch.utils.deterministic

from harness.run.options import Options

Result = TypeVar("Result")

LACKING = "does not have a deterministic implementation"  # as torch says it


def choose_algorithms(device: torch.device, strict: bool) -> None:
    """Take algorithms that repeat their bits on CUDA; `strict`: an operation without one raises.

    On the CPU every operation repeats its bits as it is; there the switch would only cost time.
    """
    torch.use_deterministic_algorithms(device.type == "cuda", warn_only=not strict)
    # Nothing here reads what it has not written: to fill it first would take an eighth of a step.
    filling: Any = torch.utils.deterministic  # untyped library
    filling.fill_uninitialized_memory = False


def repeats_bits(device: torch.device) -> bool:
    """Tell whether what is computed on a device now has the same bits the next time."""
    if device.type == "cuda":
        return not torch.is_deterministic_algorithms_warn_only_enabled()
    return device.type == "cpu"  # of others nothing is known


def strictly_if_possible(options: Options, work: Callable[[Options], Result]) -> Result:
    """Do work strictly; where an operation has no algorithm for that, anew and not strictly.

    Training goes on from the last checkpoint, if there is one.
    """
    try:
        return work(options)
    except RuntimeError as error:
        if not options.strict or LACKING not in str(error):
            raise
        told = str(error).partition(". ")[0]
    logging.getLogger(__name__).warning("The same seed will not give the same bits: %s.", told)
    return work(replace(options, strict=False))
