"""Rows in chunks against one pass, on functions of every form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.structures import tensors_of
from harness.training.chunks import apply_in_chunks

CPU = torch.device("cpu")
ROWS, WIDTH = 7, 4


@dataclass(frozen=True)
class Encoded:
    """Outputs of which one has no gradient and one is not there."""

    embedding: Tensor
    mask: Tensor
    nothing: Tensor | None = None


class Pair(NamedTuple):
    """Outputs in a named tuple."""

    one: Tensor
    other: Tensor


class Layers(nn.Module):
    """Drops out twice, so that the order of draws counts; a head is used by nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, WIDTH)

    def forward(self, rows: Tensor) -> Tensor:
        found = F.dropout(self.first(rows).tanh(), 0.3)
        return F.dropout(self.second(found), 0.3)


FORMS: dict[str, Callable[[Layers, Tensor], Any]] = {
    "a tensor": lambda layers, rows: layers(rows),
    "a dataclass": lambda layers, rows: Encoded(layers(rows), rows[:, 0] > 0),
    "a dictionary": lambda layers, rows: {1: layers(rows), 3: layers(rows)[:, None].square()},
    "a tuple": lambda layers, rows: (layers(rows), None, [rows.long()]),
    "a named tuple": lambda layers, rows: Pair(layers(rows), layers(rows)),
    "what it takes": lambda layers, rows: (rows, layers(rows)),
}  # fmt: skip


def at_once(function: Callable[[Tensor], Any], rows: Tensor, count: int) -> list[Tensor]:
    """Return the outputs of the same chunks in one graph."""
    parts = [tensors_of(function(part)) for part in rows.split(-(-len(rows) // count))]
    return [torch.cat(of_place) for of_place in zip(*parts, strict=True)]


def gradients(encode: Callable[[Layers, Tensor], list[Tensor]], dtype: torch.dtype) -> list[Tensor]:
    """Return outputs, gradients of the parameters that have one and of the rows, and a draw."""
    torch.manual_seed(3)
    layers = Layers().to(dtype)
    rows = torch.randn(ROWS, WIDTH, dtype=dtype, requires_grad=True)
    outputs = encode(layers, rows)
    loss = sum(
        (output @ output.transpose(-1, -2)).sin().sum()
        for output in outputs
        if output.requires_grad
    )
    assert isinstance(loss, Tensor)
    drawn = torch.rand(())  # between both passes
    loss.backward()
    assert layers.head.weight.grad is None
    assert rows.grad is not None
    found = [each.grad for each in layers.parameters() if each.grad is not None]
    return [*outputs, *found, rows.grad, drawn, torch.rand(())]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_one_graph(form: str, count: int) -> None:
    """With dropout, in chunks that do not divide the rows, and all that is drawn later too."""
    function = FORMS[form]

    def again(layers: Layers, rows: Tensor) -> list[Tensor]:
        return tensors_of(apply_in_chunks(lambda part: function(layers, part), count, CPU, rows))

    def whole(layers: Layers, rows: Tensor) -> list[Tensor]:
        return at_once(lambda part: function(layers, part), rows, count)

    for one, other in zip(
        gradients(again, torch.float64), gradients(whole, torch.float64), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_structure_comes_back() -> None:
    """Of the kind that the function gives, with what is None."""
    rows = torch.randn(5, WIDTH)
    layers = Layers()
    for form, kind in (("a dataclass", Encoded), ("a named tuple", Pair), ("a dictionary", dict)):
        function = FORMS[form]
        found = apply_in_chunks(lambda part, f=function: f(layers, part), 2, CPU, rows)
        assert type(found) is kind
    found = apply_in_chunks(lambda part: FORMS["a dataclass"](layers, part), 2, CPU, rows)
    assert found.nothing is None
    assert found.mask.tolist() == (rows[:, 0] > 0).tolist()


def test_only_one_chunk_has_a_graph_at_a_time() -> None:
    """What backward will need is kept of none while the others are encoded, nor until then."""
    alive, most = 0, 0

    def pack(tensor: Tensor) -> Any:
        nonlocal alive, most

        class Kept:
            def __del__(self) -> None:
                nonlocal alive
                alive -= 1

        alive += 1
        most = max(most, alive)
        kept = Kept()
        # An output that were kept as it is would hold its own graph.
        kept.tensor = tensor.detach()  # type: ignore[attr-defined]  # only here
        return kept

    layers, rows = Layers(), torch.randn(16, WIDTH)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        layers(rows[:2])
        of_chunk, most = most, 0
        found = apply_in_chunks(layers, 8, CPU, rows)
        assert most <= of_chunk + 5  # the inputs and the parameters of the link
        assert alive <= 5
        found.sum().backward()
        assert most <= of_chunk + 5


def test_half_precision_is_that_of_the_first_time() -> None:
    """Autocast is over when gradients are taken; the second pass is as the first was."""
    seen: list[torch.dtype] = []

    def function(rows: Tensor) -> Tensor:
        found: Tensor = layers.first(rows)
        seen.append(found.dtype)
        return found

    layers, rows = Layers(), torch.randn(6, WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = apply_in_chunks(function, 2, CPU, rows)
        loss = found.float().square().sum()
    loss.backward()
    assert seen == [torch.bfloat16] * 4
    assert layers.first.weight.grad is not None
    assert layers.first.weight.grad.dtype == torch.float32


def test_without_gradients_rows_are_encoded_once() -> None:
    """Of momentum encoders, and where nothing records a graph."""
    calls: list[int] = []

    def function(rows: Tensor) -> Tensor:
        calls.append(len(rows))
        return layers.first(rows)  # type: ignore[no-any-return]  # a module

    layers, rows = Layers(), torch.randn(6, WIDTH)
    with torch.no_grad():
        found = apply_in_chunks(function, 3, CPU, rows)
    assert not found.requires_grad
    found = apply_in_chunks(torch.no_grad()(function), 3, CPU, rows)
    assert not found.requires_grad
    assert calls == [2] * 6
    torch.testing.assert_close(found, layers.first(rows))


def test_an_output_that_no_loss_reads_has_no_part() -> None:
    """Its gradient is not there, and neither is that of what it alone stands on."""
    layers, rows = Layers(), torch.randn(6, WIDTH)
    read, _ = apply_in_chunks(lambda part: (layers.first(part), layers.second(part)), 2, CPU, rows)
    read.sum().backward()
    assert layers.first.weight.grad is not None
    assert layers.second.weight.grad is None


@pytest.mark.parametrize("whole", [lambda rows: rows.mean(), lambda rows: rows.mean(0)])
def test_what_is_no_rows_is_refused(whole: Callable[[Tensor], Tensor]) -> None:
    """A mean over the batch would be one over a chunk."""
    with pytest.raises(ValueError, match="as many rows as it takes: of 3 rows came"):
        apply_in_chunks(whole, 2, CPU, torch.randn(6, WIDTH))
