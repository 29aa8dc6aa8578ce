"""What goes to a graphics card and comes back from it, while it works.

Work for a card is queued, and whoever reads a number from it waits until it has come so far. So the
next batch is gathered while a step is worked off, and what its losses were is read one step later.
On the processor nothing waits, and each comes when it is due.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from harness.data.schema import TrainView
from harness.method import Batch
from harness.structures import map_tensors


def feed(view: TrainView, batches: Sequence[Tensor], device: torch.device) -> Iterator[Batch]:
    """Yield batches of these captions on a device."""
    make = partial(gather, view, pinned=device.type == "cuda")
    if device.type == "cpu":
        yield from map(make, batches)
        return
    left = iter(batches)
    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(make, captions) for captions in islice(left, 1)]
        while ahead:
            batch = ahead.pop().result()
            ahead += [pool.submit(make, captions) for captions in islice(left, 1)]
            yield _moved(batch, lambda tensor: tensor.to(device, non_blocking=True))


def gather(view: TrainView, captions: Tensor, pinned: bool = False) -> Batch:
    """Return a batch on the processor; if `pinned`, where a card copies from it by itself."""
    images, numbers = view.image_of_caption[captions], captions.tolist()  # (B,) each
    batch = Batch(
        images=view.pixels(images),  # (B, 3, H, W)
        captions=[view.captions[index] for index in numbers],
        image_index=images,
        caption_index=captions,
        person_ids=None if view.person_of_image is None else view.person_of_image[images],
        image_numbers=images.tolist(),
        caption_numbers=numbers,
    )
    return _moved(batch, Tensor.pin_memory) if pinned else batch


def _moved(batch: Batch, move: Any) -> Batch:
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    return replace(batch, **map_tensors(move, tensors))


def reading_delay(device: torch.device) -> int:
    """Return how many steps later losses are read, so that nothing waits for them."""
    return 0 if device.type == "cpu" else 1


@dataclass(frozen=True)
class Reading:
    """Numbers on their way from a device."""

    step: int
    names: Sequence[str]
    values: Tensor  # on the processor, but not there before `arrived`
    arrived: Any = field(default=None)  # an event of a card

    def read(self) -> dict[str, float]:
        """Wait until they are there, and return them by name."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return dict(zip(self.names, self.values.tolist(), strict=True))


def send_back(step: int, numbers: Mapping[str, Tensor]) -> Reading:
    """Let numbers of a step be copied to the processor as soon as they are computed."""
    values = torch.stack([number.detach().float() for number in numbers.values()])
    there = values.to("cpu", non_blocking=True)
    arrived = None
    if values.is_cuda:
        event: Any = torch.cuda.Event  # untyped library
        arrived = event()
        arrived.record()
    return Reading(step, list(numbers), there, arrived)
