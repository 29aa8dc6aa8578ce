"""Every random number follows from the repetition's seed and a named purpose."""

from __future__ import annotations

import hashlib
import random


def derive(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for a purpose: ("order", 3) and ("order", 4) give unrelated ones."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def seed_everything(seed: int, *purpose: str | int) -> None:
    """Seed Python, NumPy and torch (every device) for a purpose.

    Called before the weights are drawn and before every step, so that what a step draws depends on
    its number alone and a resumed run repeats it.
    """
    import numpy as np
    import torch

    value = derive(seed, *purpose)
    random.seed(value)
    np.random.seed(value & 0xFFFFFFFF)
    if torch.accelerator.is_available():
        torch.manual_seed(value)
    else:  # manual_seed would keep a call, and the stack it came from, for each kind of device
        torch.default_generator.manual_seed(value)
