"""Rows in chunks: a large batch encoded in the memory of a small one, with the same gradients.

Gao, Zhang, Han and Callan, "Scaling Deep Contrastive Learning Batch Size under Memory Limited
Setup", RepL4NLP 2021. https://arxiv.org/abs/2101.06983

Of each chunk the outputs alone are kept, and losses see those of all rows. On the way back each
chunk is encoded once more, from the random state and with the precision of the first time, and its
gradients are taken. They are those of one pass over the same chunks, but for rounding.

Gradients of parameters are returned, not added in place: what counts on one for each parameter and
step, as DistributedDataParallel does, sees one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import get_gradient_edge

from harness.seeding import drawing_from, random_state
from harness.structures import count_rows, map_tensors, tensors_of, with_tensors

Gradients = Sequence[Tensor | None]


def apply_in_chunks(
    function: Callable[..., Any], count: int, device: torch.device, *inputs: Any
) -> Any:
    """Return what a function gives of all rows, applied to `count` chunks of them at most.

    Inputs and outputs are tensors (B, ...), or structures of them.

    Raises:
        ValueError: of a chunk come back other than its rows, which cannot be put together.
    """
    tensors = tensors_of(inputs)
    precision = _precision(device)
    chunks, passes = [], []
    for rows in _divide(count_rows(inputs), count):
        chunk = _Chunk(function, inputs, rows, precision, device, random_state(device))
        chunks.append(chunk)
        passes.append(_pass(chunk, tensors))
    whole = [torch.cat(parts) for parts in zip(*(one.outputs for one in passes), strict=True)]
    learning = [any(parts) for parts in zip(*(one.learning for one in passes), strict=True)]
    if any(learning):
        parameters = {id(each): each for one in passes for each in one.parameters}
        work = _Work(chunks, len(tensors), learning)
        apply: Any = _Again.apply  # untyped library
        linked = iter(apply(work, list(whole), *tensors, *parameters.values()))
        places = zip(whole, learning, strict=True)
        whole = [next(linked) if learns else output for output, learns in places]
    return with_tensors(passes[0].structure, whole)


@dataclass(frozen=True)
class _Chunk:
    """Some rows, and all that has to be as it was when they are encoded again."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    rows: slice
    precision: Any  # a context
    device: torch.device
    state: tuple[Tensor, ...]  # of the random numbers

    def encode(self, tensors: Sequence[Tensor]) -> tuple[Any, list[Tensor]]:
        """Return the outputs of these rows of the inputs, and the leaves that they stand on."""
        leaves = [
            tensor[self.rows].detach().requires_grad_(tensor.requires_grad) for tensor in tensors
        ]
        with self.precision:
            return self.function(*with_tensors(self.inputs, leaves)), leaves


@dataclass(frozen=True)
class _Pass:
    """What is kept of a chunk that was encoded."""

    structure: Any
    outputs: list[Tensor]
    learning: list[bool]  # whether each has a gradient
    parameters: list[Tensor]  # that the outputs stand on


def _pass(chunk: _Chunk, tensors: Sequence[Tensor]) -> _Pass:
    """Encode a chunk for the first time. Its graph ends here."""
    structure, leaves = chunk.encode(tensors)
    outputs, size = tensors_of(structure), chunk.rows.stop - chunk.rows.start
    if other := [tuple(each.shape) for each in outputs if not each.ndim or len(each) != size]:
        raise ValueError(
            f"what is spread must give as many rows as it takes: of {size} rows came {other[0]}"
        )
    own = {id(leaf) for leaf in leaves}
    return _Pass(
        map_tensors(Tensor.detach, structure),
        [output.detach() for output in outputs],
        [output.requires_grad for output in outputs],
        [leaf for leaf in _leaves_below(outputs) if id(leaf) not in own],
    )


@dataclass(frozen=True)
class _Work:
    """What is left to do on the way back."""

    chunks: Sequence[_Chunk]
    count: int  # of the inputs' tensors; parameters stand behind them
    learning: Sequence[bool]  # of all outputs

    def gradients(self, tensors: Sequence[Tensor], of_outputs: Gradients) -> Gradients:
        """Return the gradients of inputs and parameters, from those of the outputs that learn."""
        totals: list[Tensor | None] = [None] * len(tensors)
        for chunk in self.chunks:
            for place, part in enumerate(self._of_chunk(chunk, tensors, of_outputs)):
                before = totals[place]
                if part is None:
                    continue
                if place >= self.count:
                    totals[place] = part if before is None else before + part
                    continue
                if before is None:
                    before = totals[place] = torch.zeros_like(tensors[place])
                before[chunk.rows] = part
        return totals

    def _of_chunk(
        self, chunk: _Chunk, tensors: Sequence[Tensor], of_outputs: Gradients
    ) -> Gradients:
        """Encode a chunk again and return what its rows give of each gradient."""
        with torch.enable_grad(), drawing_from(chunk.state, chunk.device):
            structure, leaves = chunk.encode(tensors[: self.count])
        outputs = itertools.compress(tensors_of(structure), self.learning)
        known = [
            (output, gradient[chunk.rows])
            for output, gradient in zip(outputs, of_outputs, strict=True)
            if gradient is not None and output.requires_grad
        ]
        sources = [*leaves, *tensors[self.count :]]
        if not known:
            return [None] * len(sources)
        rows, of_rows = zip(*known, strict=True)
        wanted = [source for source in sources if source.requires_grad]
        found = iter(torch.autograd.grad(rows, wanted, of_rows, allow_unused=True))
        return [next(found) if source.requires_grad else None for source in sources]


class _Again(torch.autograd.Function):
    """Links outputs that have no graph to what they were made of."""

    @staticmethod
    def forward(context: Any, work: _Work, outputs: list[Tensor], *tensors: Tensor) -> Any:
        context.set_materialize_grads(False)
        context.work = work
        context.save_for_backward(*tensors)
        linked = tuple(itertools.compress(outputs, work.learning))
        outputs.clear()  # else the context would hold what holds it
        return linked

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Any) -> Any:
        return None, None, *context.work.gradients(context.saved_tensors, gradients)


def _divide(length: int, count: int) -> Iterator[slice]:
    """Yield rows 0 to `length` in as many parts at most, all but the last of one size."""
    size = -(-length // count)
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def _precision(device: torch.device) -> Any:
    """Return a context in which operations have the precision that they have now."""
    kind = device.type
    return torch.autocast(
        kind,
        dtype=torch.get_autocast_dtype(kind),
        enabled=torch.is_autocast_enabled(kind),
        cache_enabled=torch.is_autocast_cache_enabled(),
    )


def _leaves_below(outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return what gradients of these outputs go to."""
    waiting = [get_gradient_edge(each).node for each in outputs if each.requires_grad]
    seen, found = set(waiting), []
    while waiting:
        node: Any = waiting.pop()
        if hasattr(node, "variable"):
            found.append(node.variable)
        following = [each for each, _ in node.next_functions if each is not None]
        waiting += [each for each in dict.fromkeys(following) if each not in seen]
        seen.update(following)
    return found
