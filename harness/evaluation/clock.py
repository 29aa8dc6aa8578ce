"""What the clock says when a device has done what it was asked to."""

from __future__ import annotations

import time

import torch


def seconds(device: torch.device) -> float:
    """Return a time in seconds, of which differences count, when nothing is queued any more.

    Work on a graphics card is queued: without waiting for it, the time to queue it is measured.
    """
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()
