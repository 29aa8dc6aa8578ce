"""What registers methods, encoders and query transforms, and what is registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from harness.files import slug
from harness.progress import Show
from harness.results.paper import ExtraData, Paper

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
    paper: Paper | None
    url: str
    extra_data: ExtraData | Mapping[str, ExtraData]  # the latter by backbone


class WeightsLayout(ABC):
    """How weights lie in published files: where each belongs here, and what is left out and why."""

    title: ClassVar[str]  # "IRRA's code"
    unused: ClassVar[Mapping[str, str]] = MappingProxyType({})  # a name in the file -> why
    # What the names here begin with without which nothing is encoded.
    encodes: ClassVar[tuple[str, ...]]
    classifier: ClassVar[str] = ""  # the weight here that has a row for each training person

    @staticmethod
    @abstractmethod
    def rename(name: str) -> str | None:
        """Return the name of a weight here; None of one that is not known."""

    @staticmethod
    @abstractmethod
    def settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the config fields with which a method starts from no weights but the file's."""


METHODS: dict[str, dict[str, Registration]] = {}  # by the module that registers
PRETRAININGS: dict[str, Pretraining] = {}
QUERIES: dict[str, QueryTransform] = {}
QUERY_GROUPS: dict[str, list[str]] = {}  # a name for several transforms -> their names
WEIGHTS: dict[str, list[type[WeightsLayout]]] = {}  # by method


def register(
    name: str,
    *,
    title: str,
    paper: Paper | None = None,
    url: str = "",
    extra_data: ExtraData | Mapping[str, ExtraData] = MappingProxyType({}),
) -> Callable[[M], M]:
    """Register a method class under a name: lower case, as on the command line.

    Args:
        title: what tables print.
        paper: from which its citations and its entry in the bibliography are made.
        url: a page about it, where that is not the paper's.
        extra_data: what it was trained on beside the benchmark, with the backbones of its recipes
            or by backbone; where nothing is said, pages say "undisclosed".
    """
    if not isinstance(paper, Paper | None):
        raise TypeError(
            f"method {name!r}: paper is to be Paper(title=..., authors=[...], year=..., "
            f"venue=..., url=...), not {paper!r}"
        )
    if slug(name) != name or name != name.lower() or ":" in name:
        raise ValueError(f"method name {name!r}: use lower-case letters, digits, '-' and '_'")

    told = [*extra_data.values()] if isinstance(extra_data, Mapping) else [extra_data]
    if not all(isinstance(one, ExtraData) for one in told):
        raise TypeError(
            f"method {name!r}: extra_data is to be ExtraData(weights=[...], pairs=[...], "
            f"captions=[...], people=[...]), or that by backbone, not {extra_data!r}"
        )

    def decorate(method: M) -> M:
        in_module = METHODS.setdefault(method.__module__, {})
        if name in in_module:
            raise ValueError(f"method {name!r} is registered twice; names must be unique")
        address = url or (paper.url if paper else "")
        in_module[name] = Registration(name, method, title, paper, address, extra_data)
        return method

    return decorate


def register_pretraining(name: str) -> Callable[[Pretraining], Pretraining]:
    """Register a function that makes the weights of an encoder that ships with the project."""

    def decorate(function: Pretraining) -> Pretraining:
        PRETRAININGS[name] = function
        return function

    return decorate


def register_weights(*methods: str) -> Callable[[type[WeightsLayout]], type[WeightsLayout]]:
    """Register how the weights of some methods lie in the files that their authors publish.

    Of several layouts the one is taken that knows most names of a file.

    Raises:
        TypeError: a layout says not all that it has to.
    """

    def decorate(layout: type[WeightsLayout]) -> type[WeightsLayout]:
        if layout.__abstractmethods__:
            raise TypeError(f"{layout.__name__} lacks {', '.join(layout.__abstractmethods__)}.")
        for method in methods:
            WEIGHTS.setdefault(method, []).append(layout)
        return layout

    return decorate


def register_queries(name: str, group: str = "") -> Callable[[QueryTransform], QueryTransform]:
    """Register a function that changes the captions of a split, for `harness run --queries`.

    The name of a group, there, stands for all transforms of it.
    """

    def decorate(function: QueryTransform) -> QueryTransform:
        QUERIES[name] = function
        if group and name not in (members := QUERY_GROUPS.setdefault(group, [])):
            members.append(name)
        return function

    return decorate
