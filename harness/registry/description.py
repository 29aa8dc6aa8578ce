"""What can be said of a method without running it: plain data for listings and plans."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from enum import Enum
from typing import Any, TypeVar

from harness.files import slug
from harness.method import Method, Recipe, Stage, Supervision
from harness.printable import refuse_unprintable
from harness.registry import Registration
from harness.results import FULL

Declared = TypeVar("Declared")

LONGEST_NAME = 120  # characters of a title or of a label in a table
LONGEST_CITATION = 600


def describe(registration: Registration) -> dict[str, Any]:
    """Return the description of a method, as `harness list methods --json` and plans read it.

    `scales` maps a recipe's name to the resolved recipe, the config it gives and the ablation
    tables that it has; `variants` lists the method as published first, then every ablation row,
    rows with equal changes only once.

    Raises:
        ValueError: the declarations contradict each other; the message says where.
    """
    method = registration.method
    scales = {name: _scale(method, recipe) for name, recipe in method.recipes.items()}
    if not scales:
        raise ValueError(f"{method.__name__}.recipes is empty: declare at least one Recipe")
    first = next(iter(scales.values()))["config"]
    variants = _variants(method, first)
    _refuse_names(registration, variants)
    return {
        "name": registration.name,
        "title": registration.title,
        "paper": registration.paper,
        "url": registration.url,
        "summary": (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " "),
        "supervision": first["supervision"],
        "source": inspect.getsourcefile(method) or "",
        "scales": scales,
        "variants": variants,
        "spreads": method.spreads,
        "evaluations": _evaluations(method),
    }


def _refuse_names(registration: Registration, variants: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what would garble a terminal or a page."""
    refuse_unprintable("the title", registration.title, LONGEST_NAME)
    refuse_unprintable("the paper", registration.paper, LONGEST_CITATION)
    refuse_unprintable("the url", registration.url, LONGEST_CITATION)
    if registration.url and not registration.url.startswith(("https://", "http://")):
        raise ValueError(f"the url {registration.url!r} is no address of a page")
    for variant in variants:
        refuse_unprintable("the row", variant["label"], LONGEST_NAME)
        for table, *_ in variant["tables"]:
            refuse_unprintable("the ablation table", table, LONGEST_NAME)


def build(declared: type[Declared], values: Mapping[str, Any]) -> Declared:
    """Build a config, a recipe or a stage from plain data: JSON has neither tuples nor enums."""
    hints = typing.get_type_hints(declared)
    return declared(**{name: _restore(value, hints[name]) for name, value in values.items()})


def merge(config: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a config with changes; an unknown field is refused with what was probably meant."""
    for name in changes:
        if name not in config:
            near = difflib.get_close_matches(name, list(config), n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            exists = ", ".join(config)
            raise ValueError(f"{where}: unknown field {name!r}{meant} (there are: {exists})")
    return {**config, **changes}


def _scale(method: type[Method], recipe: Recipe) -> dict[str, Any]:
    config = {f.name: getattr(method.config_class(), f.name) for f in fields(method.config_class)}
    config |= {"backbone": recipe.backbone, "image_size": recipe.image_size}
    config = merge(config, recipe.config, f"{method.__name__}.recipes")
    build(method.config_class, config)
    plain = asdict(recipe)
    del plain["config"], plain["ablations"]
    return {
        "recipe": plain,
        "config": {name: _plain(value) for name, value in config.items()},
        "tables": [*method.ablations, *recipe.ablations],
    }


def _variants(method: type[Method], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the variants of a method; equal changes share one, under the first row's label."""
    found: list[dict[str, Any]] = [_variant(FULL, {}, config)]
    for table, label, position, changes in _rows(method):
        merge(config, changes, f"{method.__name__}, {table!r}, {label!r}")
        plain = {name: _plain(value) for name, value in changes.items()}
        effective = {n: v for n, v in plain.items() if v != config[n]}
        same = next((v for v in found if v["changes"] == effective), None)
        if same is None:
            taken = label in (variant["label"] for variant in found)
            same = _variant(f"{label} ({table})" if taken else label, effective, config)
            found.append(same)
        same["tables"].append([table, label, position])
    _refuse_shared_folders(method, [variant["label"] for variant in found])
    return found


def _refuse_shared_folders(method: type[Method], labels: Sequence[str]) -> None:
    """Two variants whose labels become one file name would overwrite each other's results."""
    folders: dict[str, str] = {}
    for label in labels:
        other = folders.setdefault(slug(label).casefold(), label)
        if other != label:
            raise ValueError(
                f"{method.__name__}: the rows {other!r} and {label!r} would share the folder "
                f"{slug(label)!r}; name one of them otherwise"
            )


def _rows(method: type[Method]) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    tables = dict(method.ablations)
    for scale, recipe in method.recipes.items():
        for table in recipe.ablations.keys() & tables.keys():
            raise ValueError(f"{method.__name__}.recipes[{scale!r}] has {table!r} again")
        tables |= recipe.ablations
    for table, rows in tables.items():
        for position, (label, changes) in enumerate(rows.items()):
            yield table, label, position, changes


def _variant(label: str, changes: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    supervision = changes.get("supervision", config["supervision"])
    return {"label": label, "changes": dict(changes), "supervision": supervision, "tables": []}


def _evaluations(method: type[Method]) -> dict[str, list[str]]:
    """Return re-rankings, as `str` writes them, with the labels that the paper gives them."""
    from harness.rerank import parse_reranking

    found: dict[str, list[str]] = {}
    for label, rerankings in method.evaluations.items():
        for text in rerankings:
            found.setdefault(str(parse_reranking(text)), []).append(label)
    return found


def _plain(value: Any) -> Any:
    """Turn a config value into what JSON can hold."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"a config holds plain data only, not {type(value).__name__}: {value!r}")


def _restore(value: Any, hint: Any) -> Any:
    """Give a plain value the type that its field declares."""
    if hint is Supervision:
        return Supervision(value)
    if hint == tuple[Stage, ...]:
        return tuple(build(Stage, stage) for stage in value)
    if isinstance(value, list) and _is_tuple(hint):
        return tuple(value)
    return value


def _is_tuple(hint: Any) -> bool:
    """Tell whether a type hint is a tuple, or a union with one."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return any(_is_tuple(option) for option in typing.get_args(hint))
    return hint is tuple or typing.get_origin(hint) is tuple
