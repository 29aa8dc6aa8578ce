"""YAML whose mappings know their lines, and the checks that every file of figures shares.

An error is one line: the file, the line, the table and row by their names, what is wrong, and what
is allowed.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.printable import printable

LONGEST = 600  # characters of a message
AS_PRINTED = re.compile(r"-?(0|[1-9]\d{0,8})(\.\d{1,8})?")
NO_NUMBER = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
MERGED = "<<"  # a key of YAML's
UNSEEN = ("Cc", "Cs")  # control characters and halves of pairs


class Located(dict[Any, Any]):
    """A mapping of a file, with the lines of itself and of its keys, counted from 1."""

    def __init__(self, node: yaml.MappingNode, values: Mapping[Any, Any]) -> None:
        super().__init__(values)
        self.line = node.start_mark.line + 1
        self.lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}


@dataclass(frozen=True)
class Place:
    """Where something stands in a file."""

    file: str
    line: int = 0  # 0 is the file as a whole
    names: tuple[str, ...] = ()  # "table 'Table 1'", "row 'A'"

    def within(self, name: str, content: Any) -> Place:
        """Return the place of a part, at the line where it begins."""
        line = content.line if isinstance(content, Located) else self.line
        return Place(self.file, line, (*self.names, name))

    def error(self, message: str, line: int = 0) -> ValueError:
        """Return an error that says what is wrong here, or at a line of what stands here."""
        place = replace(self, line=line or self.line)
        return ValueError(printable(f"{place}{message}", LONGEST))

    def __str__(self) -> str:
        line = [f"line {self.line}"] if self.line else []
        return ", ".join([self.file, *line, *self.names]) + ": "


@dataclass(frozen=True)
class Entry:
    """A mapping of the file, whose fields are known, and where it stands."""

    place: Place
    values: Mapping[Any, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a text, which is empty where it is left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, f"{name} is {value!r}; put it in quotes to make it text")
        return value or ""

    def items(self, name: str) -> list[Any]:
        """Return a list, which is empty where it is left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            raise self.error(name, f"{name} is to be a list, not {value!r}")
        return value or []

    def mapping(self, name: str) -> Mapping[Any, Any]:
        """Return a mapping, which is empty where it is left out."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.error(name, f"{name} is to be a mapping, not {value!r}")
        return value or {}

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return one of some words; the first where it is left out."""
        value = self.values.get(name, allowed[0])
        if value not in allowed:
            raise self.error(name, f"{name} is {value!r}; it may be {' or '.join(allowed)}")
        return str(value)

    def error(self, name: str, message: str) -> ValueError:
        """Return an error at the line of a field."""
        line = self.values.lines.get(name, 0) if isinstance(self.values, Located) else 0
        return self.place.error(message, line)


def read_yaml(path: Path) -> Any:
    """Read a file. Raises ValueError, naming it, where it is no YAML or says a thing twice."""
    try:
        return _parse(path.read_text(encoding="utf-8"))
    # PyYAML's own constructors raise whatever Python does of a value that is not of its tag.
    except (yaml.YAMLError, *_OF_VALUES) as error:
        said = printable(" ".join(str(error).split()), LONGEST)
        raise ValueError(f"{path.name} cannot be read as YAML: {said}") from error


@cache  # every site is made with the same texts, of which nothing is changed
def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_LocatedLoader)


_OF_VALUES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class _LocatedLoader(yaml.SafeLoader):
    """Reads a figure as the decimal that was printed: 65.50 is not 65.5, and 010 not 8.

    A key that repeats is refused, and so is an alias within what aliases stand for: a few lines of
    such ones stand for more than any memory holds.
    """

    marked = 0  # marked nodes that are being read, one within the other

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # of PyYAML's stubs
        is_alias = isinstance(event, yaml.AliasEvent)
        if is_alias and self.marked:
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"line {line} has an alias within what has a mark: write it out")
        marks = bool(event.anchor) and not is_alias
        self.marked += marks
        node = super().compose_node(parent, index)
        self.marked -= marks
        return node


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | Decimal | float:
    if NO_NUMBER.fullmatch(node.value):  # which the check of the values refuses
        return loader.construct_yaml_float(node)
    if not AS_PRINTED.fullmatch(node.value):
        line = node.start_mark.line + 1
        raise yaml.YAMLError(f"line {line}: {node.value!r:.80} is no number as papers print one")
    return Decimal(node.value) if "." in node.value else int(node.value)


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    if any(unicodedata.category(character) in UNSEEN for character in node.value):
        line = node.start_mark.line + 1
        raise yaml.YAMLError(f"line {line}: {node.value!r:.80} has characters that show nothing")
    return str(node.value)


def _located(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Located:
    keys = Counter(str(key.value) for key, _ in node.value)
    line = node.start_mark.line + 1
    if repeated := [key for key, count in keys.items() if count > 1]:
        raise yaml.YAMLError(f"{repeated[0]!r:.80} stands twice in what begins at line {line}")
    if MERGED in keys:
        raise yaml.YAMLError(f"what begins at line {line} takes fields from elsewhere, by <<")
    return Located(node, loader.construct_mapping(node, deep=True))


_LocatedLoader.add_constructor("tag:yaml.org,2002:int", _number)
_LocatedLoader.add_constructor("tag:yaml.org,2002:float", _number)
_LocatedLoader.add_constructor("tag:yaml.org,2002:str", _text)
_LocatedLoader.add_constructor("tag:yaml.org,2002:map", _located)


def check_entry(
    content: Any, place: Place, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Entry:
    """Check that a mapping has the fields it needs and none that would be overlooked."""
    if not isinstance(content, Mapping):
        raise place.error(f"expected the fields {', '.join(required)}, not {content!r}")
    entry = Entry(place, content)
    fields = required + optional
    if missing := [name for name in required if content.get(name) in (None, "", [])]:
        raise place.error(f"{', '.join(missing)} is missing")
    if unknown := [name for name in content if name not in fields]:
        named = ", ".join(map(str, unknown))
        known = f"no field is called {named}; there are: {', '.join(fields)}"
        raise entry.error(unknown[0], f"{known}{meant(str(unknown[0]), fields)}")
    return entry


def meant(name: str, known: Iterable[str]) -> str:
    """Return what was probably meant by a name, as the end of a message; empty if nothing was."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f". Did you mean {near[0]!r}?" if near else ""


def name_entry(kind: str, content: Any, field: str, number: int) -> str:
    """Name an entry in messages: by its own name if it has one, else by its number."""
    name = content.get(field) if isinstance(content, Mapping) else None
    return f"{kind} {number}" if name is None else f"{kind} {name!r}"


def refuse_repeats(names: Iterable[str], kind: str, place: Place) -> None:
    """Raise ValueError where a name stands more than once."""
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise place.error(f"more than one {kind} is called {', '.join(repeated)}")
