"""Every random number follows from the repetition's seed and a named purpose."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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

    value = derive(seed, *purpose)
    random.seed(value)
    np.random.seed(value & 0xFFFFFFFF)
    _seed_torch(value)


@contextmanager
def drawing_apart(number: int) -> Iterator[None]:
    """Let torch draw from a stream of its own within, as one of several processes for its rows.

    It follows from the state outside and the number. Outside, all processes go on alike.
    """
    import torch

    value = int(torch.randint(2**62, ()))
    with torch.random.fork_rng(devices=graphics_card()):
        _seed_torch(derive(value, "apart", number))
        yield


def random_state(device: torch.device) -> tuple[Tensor, ...]:
    """Return where torch's draws stand, on the processor and on a device."""
    import torch

    there = () if device.type == "cpu" else (torch.get_device_module(device).get_rng_state(),)
    return (torch.get_rng_state(), *there)


@contextmanager
def drawing_from(state: tuple[Tensor, ...], device: torch.device) -> Iterator[None]:
    """Let torch draw from a state on within; outside, draws go on as if nothing had been."""
    before = random_state(device)
    _set_random_state(state, device)
    try:
        yield
    finally:
        _set_random_state(before, device)


def _set_random_state(state: tuple[Tensor, ...], device: torch.device) -> None:
    import torch

    torch.set_rng_state(state[0])
    for of_device in state[1:]:
        torch.get_device_module(device).set_rng_state(of_device)


def graphics_card() -> list[int]:
    """Return the number of the card that this process draws on, if it does; starts none."""
    import torch

    cuda: Any = torch.cuda  # untyped in part
    return [cuda.current_device()] if cuda.is_initialized() else []


def _seed_torch(value: int) -> None:
    import torch

    if torch.accelerator.is_available():
        torch.manual_seed(value)
    else:  # manual_seed would keep a call, and the stack it came from, for each kind of device
        torch.default_generator.manual_seed(value)
