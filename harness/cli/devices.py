"""Where runs are executed: the device that is there, and how many runs it takes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.options import Device
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.plan.spec import RunSpec
    from harness.slurm.commands import Settings


def choose_device(device: Device, cluster: Settings | None) -> str:
    """Return the device's type; "auto" is the first of cuda, mps and cpu that is there."""
    if device is not Device.AUTO:
        return device.value
    if cluster is not None:
        from harness.slurm.commands import asks_for_gpu

        return "cuda" if asks_for_gpu(cluster) else "cpu"  # this machine is not where they run
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


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
            f"{cards} {'is' if cards == 1 else 'are'} visible here. Give --set processes={cards}."
        )
    return cards // wanted


def _processes(spec: RunSpec) -> int:
    return int(spec.recipe["processes"])
