"""Checkpoints: of a run under way, of its selected weights, and of stages that runs share."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.serialization import get_crc32_options, set_crc32_options

from harness import distributed
from harness.files import UNFINISHED, process_tag, put_in_place
from harness.results import SELECTED, TEST_SELECTED

LAST = "last.pt"
CHOSEN = (SELECTED, TEST_SELECTED)  # by val, and by test where that is audited


def write_checkpoint(file: Path, state: Any) -> None:
    """Write a checkpoint beside its place and rename it, so that it is whole or absent."""
    if not distributed.is_main():
        return
    unfinished = file.with_suffix(UNFINISHED)
    with open(unfinished, "wb") as out:
        _save(state, out)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)


def _save(state: Any, out: BinaryIO) -> None:
    """Save without the check sums of a zip, which take more than half of the time.

    A file that is cut short is told by its end, and of what stays the harness keeps its own sums.
    """
    before = get_crc32_options()
    set_crc32_options(False)
    try:
        torch.save(state, out)
    except RuntimeError as error:  # torch tells of a full disk in riddles
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    finally:
        set_crc32_options(before)


class Writer:
    """Writes checkpoints while training goes on, in their order and at most one behind.

    What is written is as it was when it was handed over. An error, such as a full disk, is raised
    by whatever is called next; leaving the context waits for the last one.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._thread, contextlib.suppress(*((Exception,) if kind else ())):
            self.wait()  # where training failed, its own error is the one to tell

    def write(self, file: Path, state: Any) -> None:
        """Write a checkpoint as `write_checkpoint` does, as soon as the one before it is there."""
        if not distributed.is_main():
            return
        self.wait()
        self._under_way = self._thread.submit(write_checkpoint, file, copied(state, {}))

    def wait(self) -> None:
        """Return when all is written."""
        under_way, self._under_way = self._under_way, None
        if under_way:
            under_way.result()

    def check(self) -> None:
        """Raise what has failed meanwhile; wait for nothing."""
        if self._under_way and self._under_way.done():
            self.wait()


def copied(state: Any, known: dict[tuple[Any, ...], Tensor]) -> Any:
    """Return plain data with tensors, copied into the processor's memory.

    What shares memory there shares it in the copy; `known` holds what is copied already.
    """
    if isinstance(state, Tensor):
        place = state.device, state.data_ptr(), state.dtype, state.shape, state.stride()
        if not state.numel() or place not in known:
            known[place] = state.detach().to("cpu", copy=True)
        return known[place]
    if isinstance(state, dict):
        found = copy.copy(state)  # torch keeps versions of modules in an attribute
        found.update((name, copied(part, known)) for name, part in state.items())
        return found
    if isinstance(state, list | tuple):
        return type(state)(copied(part, known) for part in state)
    return state


def load_state(
    method: nn.Module, state: Mapping[str, Any], device: torch.device | None = None
) -> None:
    """Load the state of a method; a buffer takes the size and the type that it has there.

    So a memory that grows, or is None until `prepare`, is stored like any other buffer. What was
    None is made on the device, or without one where the state lies.
    """
    modules = dict(method.named_modules(remove_duplicate=False))
    taken: dict[int, Tensor] = {}  # by the buffer whose place it takes, which may have two names
    for name, saved in state.items():
        holder, _, own = name.rpartition(".")
        if holder not in modules or own not in modules[holder]._buffers:
            continue
        before = modules[holder]._buffers[own]
        if before is None:
            setattr(modules[holder], own, torch.empty_like(saved, device=device))
        elif not is_lazy(before) and (before.shape, before.dtype) != (saved.shape, saved.dtype):
            new = torch.empty_like(saved, device=before.device)
            setattr(modules[holder], own, taken.setdefault(id(before), new))
    method.load_state_dict(state)


def is_whole(file: Path) -> bool:
    """Tell whether a checkpoint is there and not cut short: a zip ends with its contents."""
    return file.is_file() and zipfile.is_zipfile(file)


def share_stage(folder: Path, shared: Path, state: Any) -> None:
    """Leave the end of a stage, and what was selected, for runs that begin with the same.

    It saves them time and no more: where the disk is full, or another process clears what was
    shared just now, nothing is left.
    """
    unfinished = shared.with_name(f"{shared.name}.{process_tag()}{UNFINISHED}")
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for name in CHOSEN:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, unfinished / name)
        write_checkpoint(unfinished / LAST, state)
        put_in_place(unfinished, shared)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)


def take_up_stage(folder: Path, shared: Sequence[Path]) -> None:
    """Copy the furthest stage that another run left, if there is one."""
    any(_copy(source, folder) for source in reversed(shared))


def _copy(source: Path, folder: Path) -> bool:
    try:
        if not is_whole(source / LAST):
            return False
        for name in (*CHOSEN, LAST):  # in this order: the last one says that all is there
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
    except FileNotFoundError:  # another process ended, and cleared what it shared
        (folder / LAST).unlink(missing_ok=True)
        return False
    return True
