"""What is seen of a method while it trains: its steps, what they leave, and its pixels."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from harness.contract.broken import Broken
from harness.method import Method
from harness.progress import Progress

KEPT_BYTES = 256 * 2**20  # that a step may add to what the process holds, twice in succession


@dataclass(frozen=True)
class Step:
    """One step of a training, after it."""

    epoch: int  # from 1, over all stages
    number: int  # in the epoch, from 1
    seconds: float  # of the processor, over all threads, up to its end
    clock: float  # seconds
    bytes: int  # that the process holds
    state: Mapping[str, str]  # a digest of each parameter and buffer

    def __str__(self) -> str:
        return f"epoch {self.epoch}, step {self.number}"


class Observer:
    """Notes what each step of a training leaves behind, and what the modules saw in the first."""

    def __init__(
        self, method: Method, on_step: Callable[[Sequence[Step]], None] = lambda steps: None
    ) -> None:
        """`on_step` is called with the steps so far."""
        self._method = method
        self._on_step = on_step
        self._process = psutil.Process()
        self._first_step = ExitStack()
        self.handed = self._first_step.enter_context(inputs_of_modules(method))
        self.steps: list[Step] = []

    def step_ended(self, progress: Progress) -> None:
        """Note a step.

        Raises:
            Broken: the last steps kept so much that they could fill the memory of the machine.
        """
        self._first_step.close()
        memory = self._process.memory_info()
        # What is reserved and never written is not resident.
        held = max(memory.rss, memory.vms)
        state = digests(self._method.state_dict())
        clocks = time.process_time(), time.monotonic()
        self.steps.append(Step(progress.epoch, progress.step, *clocks, held, state))
        self._refuse_growth()
        self._on_step(self.steps)

    def _refuse_growth(self) -> None:
        if len(self.steps) < 3:
            return
        first, second, third = (step.bytes for step in self.steps[-3:])
        kept = min(second - first, third - second)
        if kept > KEPT_BYTES:
            raise Broken(
                f"each step keeps {kept / 1e6:,.0f} MB",
                "What a step leaves in lists or attributes of the method stays for the whole run: "
                "drop it, or write it into a buffer of a fixed size. A tensor that is not detached "
                "keeps the graph behind it.",
            )


def digests(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return a digest of each tensor's bits, type and shape."""
    return {name: _digest(value) for name, value in state.items()}


def _digest(value: Tensor) -> str:
    flat = value.detach().cpu().contiguous().reshape(-1)
    told = hashlib.blake2b(repr((value.dtype, tuple(value.shape))).encode(), digest_size=16)
    told.update(flat.view(torch.uint8).numpy().data)
    return told.hexdigest()


@dataclass(frozen=True)
class Handed:
    """Numbers that a module inside a method was handed."""

    module: str
    shape: tuple[int, ...]
    low: float
    high: float
    contrast: float  # between lowest and highest of one channel, or column, where it is largest


@contextmanager
def inputs_of_modules(method: Method) -> Iterator[list[Handed]]:
    """Note what floating-point numbers the modules of a method are handed, in order."""
    seen: list[Handed] = []

    def note(name: str, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        for value in inputs:
            if (
                isinstance(value, Tensor)
                and value.is_floating_point()
                and value.ndim
                and value.numel()
            ):
                seen.append(_describe(name, value.detach()))

    inner = [(name, module) for name, module in method.named_modules() if name]
    hooks = [module.register_forward_pre_hook(partial(note, name)) for name, module in inner]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _describe(module: str, value: Tensor) -> Handed:
    by_channel = value.transpose(0, 1).flatten(1) if value.ndim > 1 else value
    low, high = by_channel.aminmax(dim=-1)  # (channels,)
    contrast = float((high - low).max())
    return Handed(module, tuple(value.shape), float(low.min()), float(high.max()), contrast)
