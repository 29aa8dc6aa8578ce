"""What registers methods, encoders and query transforms, and what is registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.files import slug
from harness.progress import Show

if TYPE_CHECKING:
    from harness.data.schema import Split
    from harness.method import Method

    M = TypeVar("M", bound=type[Method])


# (folder or None for where it ships, seed, show(what, done, in all)) -> the files written
Pretraining = Callable[[Path | None, int, Show], list[Path]]
# (split, scale) -> as many captions as the split has
QueryTransform = Callable[["Split", str], Sequence[str]]


@dataclass(frozen=True)
class Registration:
    """A method class with what its decorator says of it."""

    name: str
    method: type[Method]
    title: str
    paper: str
    url: str


METHODS: dict[str, dict[str, Registration]] = {}  # by the module that registers
PRETRAININGS: dict[str, Pretraining] = {}
QUERIES: dict[str, QueryTransform] = {}


def register(name: str, *, title: str, paper: str = "", url: str = "") -> Callable[[M], M]:
    """Register a method class under a name: lower case, as on the command line.

    `title` is what tables print, `paper` a citation, `url` where it can be read.
    """
    if slug(name) != name or name != name.lower() or ":" in name:
        raise ValueError(f"method name {name!r}: use lower-case letters, digits, '-' and '_'")

    def decorate(method: M) -> M:
        in_module = METHODS.setdefault(method.__module__, {})
        if name in in_module:
            raise ValueError(f"method {name!r} is registered twice; names must be unique")
        in_module[name] = Registration(name, method, title, paper, url)
        return method

    return decorate


def register_pretraining(name: str) -> Callable[[Pretraining], Pretraining]:
    """Register a function that makes the weights of an encoder that ships with the project."""

    def decorate(function: Pretraining) -> Pretraining:
        PRETRAININGS[name] = function
        return function

    return decorate


def register_queries(name: str) -> Callable[[QueryTransform], QueryTransform]:
    """Register a function that changes the captions of a split, for `harness run --queries`."""

    def decorate(function: QueryTransform) -> QueryTransform:
        QUERIES[name] = function
        return function

    return decorate
