"""From the processor to a graphics card, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the processor's on a device.

    What is copied to a card from memory that the system may move has to wait until the card has
    worked off all that is queued; from memory that is pinned, nothing waits.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
