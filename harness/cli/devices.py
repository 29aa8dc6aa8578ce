"""Where runs are executed: the device that is there, and how many runs it takes at a time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.options import Device
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.plan.spec import RunSpec
    from harness.slurm.commands import Settings

SLOW = "paper"  # the scale that no CPU is for


def choose_device(device: Device, cluster: Settings | None) -> str:
    """Return the device's type; "auto" is the first of cuda, mps and cpu that is there."""
    if device is not Device.AUTO:
        return device.value
    if cluster is not None:
        from harness.slurm.commands import asks_for_gpu

        return "cuda" if asks_for_gpu(cluster) else "cpu"  # this machine is not where they run
    import torch

    if not why_no_card():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def why_no_card() -> str:
    """Say why torch uses no graphics card of NVIDIA's or AMD's; nothing where it does."""
    import torch

    with warnings.catch_warnings(record=True) as told:  # of a driver that is too old, for example
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return ""
    if told:
        return str(told[0].message).partition("(Triggered")[0].strip(" .")
    if torch.version.cuda or torch.version.hip:
        return "torch finds no graphics card"
    return "this torch is built for the CPU alone"


def say_device(device: str, asked: Device) -> None:
    """Name the graphics cards that runs are executed on, or say why those of this machine are not.

    Where it is the CPU and nobody would expect otherwise nothing is said.
    """
    import torch

    from harness.cli.display import terminal

    if device == "cuda":
        names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        terminal.note(f"On {', '.join(dict.fromkeys(names))} ({len(names)} here).")
    elif device == "cpu" and asked is Device.AUTO and torch.version.cuda:
        terminal.note(f"On the CPU: {why_no_card()}.")


def refuse_slow(specs: Sequence[RunSpec], asked: Device, why: str) -> None:
    """Refuse to train at a paper's scale on a CPU that nobody has asked for: it would take weeks.

    Raises:
        HarnessError: there is such a run; with the reason why it would be there.
    """
    slow = [spec for spec in specs if is_slow(spec) and spec.recipe["stages"]]
    if slow and asked is Device.AUTO:
        raise HarnessError(
            f"{slow[0]} would be trained on the CPU, which takes weeks at scale {SLOW}: {why}. "
            "Give --device cpu if that is what you want."
        )


def is_slow(spec: RunSpec) -> bool:
    """Tell whether a run is of a scale that no CPU is for, or of a part of it."""
    from harness.registry.scales import parse_scale

    return parse_scale(spec.scale)[0] == SLOW


def runs_at_a_time(device: str, specs: Sequence[RunSpec]) -> int:
    """Return how many runs this machine takes: one a core, or one on as many cards as it wants.

    Raises:
        HarnessError: a run wants more graphics cards than there are.
    """
    if device == "cpu":
        from joblib import cpu_count

        return int(cpu_count())  # that it may use, by affinity and by the limits of a container
    if device != "cuda":
        return 1
    import torch

    cards = max(1, torch.cuda.device_count())
    widest = max(specs, key=_processes, default=None)
    wanted = _processes(widest) if widest else 1
    if wanted > cards:
        raise HarnessError(
            f"{widest}: each of its {wanted} processes wants a graphics card of its own, and "
            f"{cards} {'is' if cards == 1 else 'are'} visible here. Give --processes {cards}."
        )
    return cards // wanted


def _processes(spec: RunSpec) -> int:
    return int(spec.recipe["processes"])
