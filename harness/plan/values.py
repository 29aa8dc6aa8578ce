"""Values as people write them, in suites and behind --set: read as YAML 1.2 has them, or refused.

YAML 1.1, which the library reads by itself, takes 010 for 8, 1:30 for 90, no for false and 2e-3 for
a word; of a name that stands twice it silently takes the last.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
NUMBER = r"[-+]?(?:0|[1-9][0-9]*)"
PLAIN = {
    "bool": re.compile(r"^(?:true|True|false|False)$"),
    "null": re.compile(r"^(?:~|null|)$"),
    "int": re.compile(rf"^{NUMBER}$"),
    "float": re.compile(rf"^(?:{NUMBER}(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
}


class _Strict(yaml.SafeLoader):
    """Knows no other plain values than those of YAML 1.2, and no name twice."""

    yaml_implicit_resolvers: dict[Any, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [self.construct_object(name, deep=True) for name, _ in node.value]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = float(str(self.construct_scalar(node)))
        if not math.isfinite(value):
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value} is too large", node.start_mark
            )
        return value


for _kind, _plain in PLAIN.items():
    _Strict.add_implicit_resolver(f"{TAG}{_kind}", _plain, None)  # whatever it begins with
_Strict.add_constructor(f"{TAG}float", _Strict.construct_yaml_float)


def read_values(text: str) -> Any:
    """Return what a text of YAML holds. Raises ValueError: it is none, or means nothing."""
    try:
        return yaml.load(text, Loader=_Strict)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def read_list(text: str) -> list[Any]:
    """Return the values of a text that separates them by commas: 1e-3,3e-4 or [96, 32],[64, 32].

    Raises:
        ValueError: one of them is no value or missing, or there is none.
    """
    if not text.strip() or text.rstrip().endswith(","):
        raise ValueError("a value is missing")
    values = read_values(f"[{text}]")
    if not isinstance(values, list):
        raise ValueError("a bracket does not fit")
    return values


def write_value(value: Any) -> str:
    """Return a value as `read_values` reads it: a word without quotes where it can be."""
    if isinstance(value, str):
        try:
            if read_list(value) == [value]:
                return value
        except ValueError:
            pass
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)
