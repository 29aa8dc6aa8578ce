"""What can be said of a method without running it: plain data for listings and plans."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from harness import sources
from harness.errors import HarnessError
from harness.files import slug
from harness.limits import refuse_accumulation, refuse_recipe, refuse_supervision
from harness.method import Method, Recipe, Stage
from harness.printable import refuse_unprintable
from harness.registry import Registration
from harness.registry.settings import build, merge, to_plain, write_types
from harness.results import FULL
from harness.results.paper import ExtraData, Paper

LONGEST_NAME = 120  # characters of a title or of a label in a table
LONGEST_CITATION = 600
LONGEST_EXTRA_DATA = 2000


def describe(registration: Registration) -> dict[str, Any]:
    """Return the description of a method, as `harness list methods --json` and plans read it.

    `scales` maps a recipe's name to the resolved recipe, the config it gives and the ablation
    tables that it has; `variants` lists the method as published first, then every ablation row,
    rows with equal changes only once. `types` has the type of every setting.

    Raises:
        ValueError: the declarations contradict each other; the message says where.
    """
    method = registration.method
    scales = {name: _scale(method, recipe) for name, recipe in method.recipes.items()}
    if not scales:
        raise ValueError(f"{method.__name__}.recipes is empty: declare at least one Recipe")
    first = next(iter(scales.values()))["config"]
    variants = _variants(method, first)
    paper = registration.paper and _told(registration.paper)
    _refuse_unread_files(method)
    _refuse_names(registration, variants)
    return {
        "name": registration.name,
        "title": registration.title,
        "paper": paper,
        "url": registration.url,
        "summary": (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " "),
        "extra_data": _extra_data(registration),
        "supervision": first["supervision"],
        "source": inspect.getsourcefile(method) or "",
        "scales": scales,
        "variants": variants,
        "spreads": method.spreads,
        "updates": _updates(method),
        "fetching": _fetching(method, scales, variants),
        "types": _types(method),
        "evaluations": _evaluations(method),
    }


def _refuse_unread_files(method: type[Method]) -> None:
    """Refuse data files that are not there, or whose names cannot be read without an import."""
    declaring = next(one for one in method.__mro__ if "reads" in vars(one))
    module = sources.Module(declaring.__module__, Path(inspect.getfile(declaring)))
    found = [file.resolve() for file in sources.data_files([module])]
    for name in method.reads:
        file = module.path.parent / name
        if not file.is_file():
            raise ValueError(f"{method.__name__}.reads names {name!r}: there is no {file}")
        if file.resolve() not in found:
            raise ValueError(
                f"{method.__name__}.reads: write its names out, as in reads = ({name!r},): it is "
                "read without an import"
            )


def _refuse_names(registration: Registration, variants: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what would garble a terminal or a page."""
    refuse_unprintable("the title", registration.title, LONGEST_NAME)
    paper = registration.paper or Paper("")
    for text in (str(paper), *paper.authors, paper.url):
        refuse_unprintable("the paper", text, LONGEST_CITATION)
    refuse_unprintable("the url", registration.url, LONGEST_CITATION)
    for url in filter(None, (registration.url, paper.url)):
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"the url {url!r} is no address of a page")
    for variant in variants:
        refuse_unprintable("the row", variant["label"], LONGEST_NAME)
        for table, *_ in variant["tables"]:
            refuse_unprintable("the ablation table", table, LONGEST_NAME)


def _extra_data(registration: Registration) -> dict[str, Any]:
    """Return what a method was trained on beside the benchmark, by backbone."""
    by_backbone = registration.extra_data
    if isinstance(by_backbone, ExtraData):
        recipes = registration.method.recipes.values()
        by_backbone = dict.fromkeys((recipe.backbone for recipe in recipes), by_backbone)
    plain = {backbone: _told(one) for backbone, one in by_backbone.items()}
    for one in by_backbone.values():
        refuse_unprintable("the extra data", str(one), LONGEST_EXTRA_DATA)
    return plain


def _told(source: Paper | ExtraData) -> dict[str, Any]:
    """Return a paper or extra data as plain data, held to the types of its fields."""
    plain = {name: to_plain(value) for name, value in asdict(source).items()}
    build(type(source), plain)
    return plain


def _fetching(
    method: type[Method], scales: Mapping[str, Any], variants: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return the labels of variants that need something from elsewhere, by scale."""
    found: dict[str, list[str]] = {scale: [] for scale in scales}
    for scale, of_scale in scales.items():
        for variant in variants:
            config = {**of_scale["config"], **variant["changes"]}
            if method.downloads(build(method.config_class, config)):
                found[scale].append(variant["label"])
    return found


def _types(method: type[Method]) -> dict[str, Any]:
    """Return the types of what `--set` can change: fields of the config, of stages, of a recipe."""
    return {
        name: one
        for kind in (Recipe, Stage, method.config_class)
        for name, one in write_types(kind).items()
    }


def _scale(method: type[Method], recipe: Recipe) -> dict[str, Any]:
    config = {f.name: getattr(method.config_class(), f.name) for f in fields(method.config_class)}
    config |= {"backbone": recipe.backbone, "image_size": recipe.image_size}
    config = merge(config, recipe.config, f"{method.__name__}.recipes")
    plain = {name: to_plain(value) for name, value in config.items()}
    build(method.config_class, plain)
    trained = asdict(recipe)
    del trained["config"], trained["ablations"]
    _refuse_recipe(method, plain["supervision"], trained)
    return {
        "recipe": trained,
        "config": plain,
        "tables": [*method.ablations, *recipe.ablations],
    }


def _refuse_recipe(method: type[Method], supervision: str, recipe: Mapping[str, Any]) -> None:
    """Refuse what training would. Raises ValueError."""
    build(Recipe, recipe)
    try:
        refuse_recipe(recipe)
    except HarnessError as error:
        raise ValueError(f"{method.__name__}.recipes: {error}") from error
    try:
        refuse_supervision(supervision, recipe)
        refuse_accumulation(_updates(method), recipe)
    except HarnessError as error:
        raise ValueError(f"{method.__name__} {error}") from error


def _updates(method: type[Method]) -> bool:
    """Tell whether a method updates something after each step."""
    return method.after_step is not Method.after_step


def _variants(method: type[Method], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the variants of a method; equal changes share one, under the first row's label."""
    found: list[dict[str, Any]] = [_variant(FULL, {}, config)]
    for table, label, position, changes in _rows(method):
        merge(config, changes, f"{method.__name__}, {table!r}, {label!r}")
        plain = {name: to_plain(value) for name, value in changes.items()}
        build(method.config_class, {**config, **plain})
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
