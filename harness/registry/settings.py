"""Configs and recipes as plain data, and back: what a listing, a record and a key hold of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Declared = TypeVar("Declared", bound="DataclassInstance")


def build(declared: type[Declared], values: Mapping[str, Any]) -> Declared:
    """Build a config or a recipe from plain data, each field of the type that it declares.

    Raises:
        ValueError: naming the field that is of another type, is missing or is not known.
    """
    import msgspec

    where = declared.__name__
    try:
        built = msgspec.convert(values, declared)
    except (msgspec.ValidationError, TypeError) as error:  # TypeError: of the types themselves
        raise ValueError(f"{where}: {error}") from error
    if unknown := sorted(set(_find_unknown(values, built))):
        raise ValueError(f"{where}: unknown field {', '.join(unknown)}")
    return built


def _find_unknown(values: Any, built: Any) -> Iterator[str]:
    """Yield the names in values that stand for no field of what was built of them."""
    if is_dataclass(built):
        names = {field.name for field in fields(built)}
        yield from values.keys() - names
        for name in values.keys() & names:
            yield from _find_unknown(values[name], getattr(built, name))
    elif isinstance(built, list | tuple):
        for value, one in zip(values, built, strict=True):
            yield from _find_unknown(value, one)


def merge(config: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a config with changes; an unknown field is refused with what was probably meant."""
    for name in changes:
        if name not in config:
            near = difflib.get_close_matches(name, list(config), n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            exists = ", ".join(config)
            raise ValueError(f"{where}: unknown field {name!r}{meant} (there are: {exists})")
    return {**config, **changes}


def to_plain(value: Any) -> Any:
    """Turn a config value into what JSON can hold."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"a config holds plain data only, not {type(value).__name__}: {value!r}")
