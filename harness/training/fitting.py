"""As few chunks as fit on a graphics card, found by trying."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from harness.errors import HarnessError

SHARE = 0.9  # of the memory that there is: batches differ, and so does what others take of a card


def fewest_chunks(device: torch.device, step: Callable[[int], None], most: int) -> int:
    """Return the fewest chunks, `most` at the most, with which a step stays within the memory.

    `step` takes one in so many chunks. Where there is no graphics card, nothing bounds it: 1.

    Raises:
        HarnessError: it fits with no number.
    """
    if device.type != "cuda":
        return 1
    torch.cuda.empty_cache()
    free, whole = torch.cuda.mem_get_info(device)
    room = SHARE * (free + torch.cuda.memory_reserved(device))

    def fits(count: int) -> bool:
        torch.cuda.reset_peak_memory_stats(device)
        try:
            step(count)
        except torch.OutOfMemoryError:
            found = False
        else:
            found = torch.cuda.max_memory_allocated(device) <= room
        gc.collect()  # what the error held is free only here
        torch.cuda.empty_cache()
        return found

    count = _smallest(fits, most)
    if count is None:
        raise HarnessError(
            f"not even a row at a time fits into {room / 1e9:.1f} of the {whole / 1e9:.1f} GB of "
            "the graphics card: take another card, or a smaller batch, as in --set batch_size=16, "
            "which is another variant."
        )
    return count


def _smallest(fits: Callable[[int], bool], most: int) -> int | None:
    """Return the smallest number from 1 to `most` that fits, if more fit where fewer do."""
    too_few, count = 0, 1
    while not fits(count):
        if count == most:
            return None
        too_few, count = count, min(2 * count, most)
    while count - too_few > 1:
        middle = (too_few + count) // 2
        if fits(middle):
            count = middle
        else:
            too_few = middle
    return count
