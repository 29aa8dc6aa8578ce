"""Tensors in dataclasses, tuples, lists and dictionaries: what a function of rows takes and gives.

What is None stays; nothing else may stand among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply a function to every tensor of a structure.

    Raises:
        TypeError: something else stands there.
    """
    if isinstance(value, Tensor):
        return function(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **map_tensors(function, parts))
    if isinstance(value, dict):
        return {name: map_tensors(function, part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        mapped = [map_tensors(function, part) for part in value]
        return type(value)(*mapped) if hasattr(value, "_fields") else type(value)(mapped)
    if value is None:
        return None
    raise TypeError(f"rows of {type(value).__name__} cannot be divided")


def tensors_of(value: Any) -> list[Tensor]:
    """Return the tensors of a structure, in the order of `map_tensors`."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(note, value)
    return found


def with_tensors(value: Any, tensors: Iterable[Tensor]) -> Any:
    """Return a structure with other tensors in the places of its own, one after the other."""
    left = iter(tensors)
    return map_tensors(lambda place: next(left), value)


def count_rows(value: Any) -> int:
    """Return how many rows the tensors of a structure have.

    Raises:
        ValueError: not all have as many, or there is none.
    """
    lengths = sorted({len(tensor) for tensor in tensors_of(value)})
    if len(lengths) != 1:
        raise ValueError(f"what is spread must have as many rows each, not {lengths}")
    return lengths[0]
