"""The processes that train one run together: each encodes a share of the rows, all see the whole.

A batch is the same on every rank. What is costly, the encoders, runs on a rank's share of its rows
through `spread`; losses, masks, hard negatives, banks and queues then work on all rows, the same
numbers on each rank. With one process nothing is divided.

What is random inside `spread`, such as dropout, each rank draws for its own rows; outside all draw
alike.

Gradients: outside `spread` every rank holds the true gradient; inside, each holds that of its share
times the number of ranks. DistributedDataParallel averages over ranks: both become the true one.

Evaluation is divided by whole batches and blocks, so that each is what one process would compute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from joblib import cpu_count
from numpy.typing import NDArray
from torch import Tensor

from harness.seeding import drawing_apart
from harness.structures import count_rows, map_tensors, tensors_of, with_tensors

Part = TypeVar("Part")
# How the libraries that carry tensors between ranks begin to tell that one is gone.
LOST = ("gloo/transport", "NCCL", "Connection closed by peer", "Connection reset by peer")


def rank_and_count() -> tuple[int, int]:
    """Return the number of this process and how many there are: (0, 1) alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def is_main() -> bool:
    """Tell whether this process writes what there is to write."""
    return rank_and_count()[0] == 0


def wait_for_all() -> None:
    """Return when every rank has come here."""
    if rank_and_count()[1] > 1:
        dist.barrier()


def own_device(kind: str, count: int) -> torch.device:
    """Return the device of this rank: of several, each has a graphics card of its own."""
    if kind != "cuda" or count == 1:
        return torch.device(kind)
    # Where stored weights are scored again, there is one process and no such variable.
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def fair_threads(jobs: int, count: int) -> int:
    """Return the share of a process in the cores that it may use, `count` being those of a run."""
    cores = int(cpu_count())  # that it may use, by affinity and by the limits of a container
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if count > 1 else 1
    return max(1, cores // (jobs * beside))


def has_lost_another(error: BaseException) -> bool:
    """Tell whether an error is only that another rank does not answer any more."""
    return isinstance(error, dist.DistError) or any(sign in str(error) for sign in LOST)


def leave() -> None:
    """Leave the group, if there is one."""
    if rank_and_count()[1] > 1:
        dist.destroy_process_group()


def spread(function: Callable[..., Any], *inputs: Any) -> Any:
    """Apply a function that treats rows one by one, each rank to its share: all rows come back.

    Inputs and outputs are tensors (B, ...), or structures of them. Whatever else the function needs
    must take no gradient but through parameters.
    """
    rank, count = rank_and_count()
    if count == 1:
        return function(*inputs)
    length = count_rows(inputs)
    rows = _share(length, rank, count)
    split: Any = _Split.apply  # untyped library
    gather: Any = _Gather.apply
    with drawing_apart(rank):  # else every rank would drop the same parts of its rows
        outputs = function(*map_tensors(lambda tensor: split(tensor, rows), inputs))
    return map_tensors(lambda tensor: gather(tensor, length), outputs)


def gather_rows(length: int, make: Callable[[Tensor], Tensor], device: torch.device) -> Tensor:
    """Return rows 0 to `length`, each rank making its share: (share,) rows -> (share, ...)."""
    rank, count = rank_and_count()
    rows = torch.arange(length)
    if count == 1:
        return make(rows)
    return _gathered(make(_share(length, rank, count)).to(device), length)


def own(parts: Sequence[Part]) -> Sequence[Part]:
    """Return the parts that are this rank's: every one alone, every second one of two."""
    rank, count = rank_and_count()
    return parts[rank::count]


def take_turns(count: int, make: Callable[[int], Part]) -> Iterator[Part]:
    """Yield make(0) to make(count - 1) in order, each made by one rank and seen by all.

    Parts are structures of tensors, as in `spread`; they may differ in shape.
    """
    rank, size = rank_and_count()
    for first in range(0, count, size):
        part = make(min(first + rank, count - 1))  # at the end some make the last one too
        yield from _parts_of_all(part)[: count - first]


def add_up(values: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
    """Add the arrays of all ranks, which have one shape."""
    if rank_and_count()[1] == 1:
        return values
    total = torch.from_numpy(values).to(device)
    dist.all_reduce(total)
    return total.cpu().numpy()


def divide_blocks(count: int, size: int, work: Callable[[slice], Part]) -> list[Part]:
    """Return what `work` gives for shares of rows 0 to `count`, in order: whole blocks of `size`.

    Each rank does one share; what one raises, all raise. What comes back is pickled.
    """
    ranks = rank_and_count()[1]
    if ranks == 1:
        return [work(slice(0, count))]
    rows = -(-count // (size * ranks)) * size
    shares = [slice(start, min(start + rows, count)) for start in range(0, count, rows)]
    found: list[Any] = [None] * ranks
    dist.all_gather_object(found, [_tried(work, share) for share in own(shares)])
    parts = [part for of_rank in found for part in of_rank]  # a rank has one share or none
    for part in parts:
        if isinstance(part, Exception):
            raise part
    return parts


def _tried(work: Callable[[slice], Part], share: slice) -> Part | Exception:
    try:
        return work(share)
    except Exception as error:  # the others would wait for ever
        return error


def _share(length: int, rank: int, count: int) -> Tensor:
    """Return the rows of a rank; the last one is repeated where they do not divide evenly."""
    size = -(-length // count)
    return torch.arange(rank * size, (rank + 1) * size).clamp_max(length - 1)


def _gathered(part: Tensor, length: int) -> Tensor:
    """Concatenate the shares of all ranks and drop what was repeated."""
    part = part.contiguous()
    parts = [torch.empty_like(part) for _ in range(rank_and_count()[1])]
    dist.all_gather(parts, part)
    return torch.cat(parts)[:length]


def _parts_of_all(part: Any) -> list[Any]:
    """Return the parts of all ranks: structures alike, whose tensors may differ in shape."""
    count = rank_and_count()[1]
    if count == 1:
        return [part]
    tensors = [_of_all(tensor) for tensor in tensors_of(part)]  # by place, then by rank
    return [with_tensors(part, of_rank) for of_rank in zip(*tensors, strict=True)]


def _of_all(tensor: Tensor) -> list[Tensor]:
    """Return the tensors of all ranks, which have as many dimensions each."""
    count = rank_and_count()[1]
    shape = torch.tensor(tensor.shape, device=tensor.device)
    shapes = [torch.empty_like(shape) for _ in range(count)]
    dist.all_gather(shapes, shape)
    sizes = [tuple(one.tolist()) for one in shapes]
    padded = tensor.new_zeros([max(lengths) for lengths in zip(*sizes, strict=True)])
    padded[tuple(map(slice, tensor.shape))] = tensor
    found = [torch.empty_like(padded) for _ in range(count)]
    dist.all_gather(found, padded)
    return [one[tuple(map(slice, size))] for one, size in zip(found, sizes, strict=True)]


class _Gather(torch.autograd.Function):
    """Shares -> all rows. Every rank has the same gradient of all rows; it keeps its share."""

    @staticmethod
    def forward(context: Any, part: Tensor, length: int) -> Tensor:
        context.size = len(part)
        return _gathered(part, length)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        (gradient,) = gradients
        rank, count = rank_and_count()
        own = gradient[rank * context.size : (rank + 1) * context.size]
        missing = context.size - len(own)  # rows that were repeated have no say
        padded = torch.cat([own, own.new_zeros(missing, *own.shape[1:])]) if missing else own
        return padded * count, None


class _Split(torch.autograd.Function):
    """All rows -> the share of this rank. The gradients of all shares are put together again."""

    @staticmethod
    def forward(context: Any, whole: Tensor, rows: Tensor) -> Tensor:
        context.length = len(whole)
        return whole[rows.to(whole.device)]

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return _gathered(gradient, context.length) / rank_and_count()[1], None
