"""Configs and recipes as plain data, and back: what a listing, a record and a key hold of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Declared = TypeVar("Declared", bound="DataclassInstance")

PLAIN_TYPES = {
    "boolean": bool, "integer": int, "null": None, "number": float, "string": str,
}  # fmt: skip  # by what JSON Schema calls them


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


def write_types(declared: type[DataclassInstance]) -> dict[str, Any]:
    """Return the type of each field as plain data, by name: what a plan can know of a class.

    It is JSON Schema without references: of an enumeration its values, and {}, which anything
    fits, of a dataclass.
    """
    import msgspec

    schema = msgspec.json.schema(declared)
    classes = {f"#/$defs/{name}": one for name, one in schema["$defs"].items()}
    types = classes[schema["$ref"]]["properties"]
    return {name: _without_references(one, classes) for name, one in types.items()}


def _without_references(schema: Any, classes: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_without_references(one, classes) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {name: one for name, one in classes[schema["$ref"]].items() if name == "enum"}
    parts = ("type", "enum", "anyOf", "items", "prefixItems", "additionalProperties")
    return {name: _without_references(schema[name], classes) for name in parts if name in schema}


def convert(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return plain data as a type has it that `write_types` wrote: 1 is 1.0 where that is float.

    Raises:
        ValueError: it does not fit, or holds a number that is not finite; what was expected.
    """
    import msgspec

    try:
        found = to_plain(msgspec.convert(value, _read_type(schema)))
    except msgspec.ValidationError as error:
        one_of = f"Expected one of {', '.join(map(str, schema.get('enum', ())))}"
        raise ValueError(one_of if "enum" in schema else str(error)) from error
    if not _is_finite(found):
        raise ValueError("Expected finite numbers")
    return found


def _read_type(schema: Any) -> Any:
    """Return the type that a schema describes, as `msgspec.convert` takes it."""
    if "anyOf" in schema:
        kinds = {_read_type(one) for one in schema["anyOf"]}
        # Where both may stand, a whole number is a float, so that 1 and 1.0 are one value.
        return Union[tuple(kinds - {int} if float in kinds else kinds)]  # noqa: UP007  # known at run time only
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if "prefixItems" in schema:
        return tuple[tuple(_read_type(one) for one in schema["prefixItems"])]  # type: ignore[misc]  # made at run time
    if schema.get("type") == "array":
        return list[_read_type(schema.get("items") or {})]  # type: ignore[misc]  # as above
    if schema.get("type") == "object":
        return dict[str, _read_type(schema.get("additionalProperties") or {})]  # type: ignore[misc]  # as above
    return PLAIN_TYPES.get(schema.get("type"), Any)


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


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
