"""A variant at a scale, with what --set changes: the config and the recipe that result."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import registry, results
from harness.errors import HarnessError, unknown
from harness.limits import RUN_OPTIONS, refuse_accumulation, refuse_recipe, refuse_supervision
from harness.plan.choices import variants_at
from harness.plan.values import read_list, write_value
from harness.registry.scales import at_scale
from harness.registry.settings import convert

Settled = tuple[dict[str, Any], dict[str, Any]]  # a config and a recipe

ENTRY = {"type": "number"}  # of a mapping that does not say what it holds
NO_OPTIONS: Mapping[str, Any] = {}
SPREADING = ("processes", "chunks")  # options of methods that divide the rows of a batch
AUTO = "auto"  # chunks: as few as fit
IN_NO_ORDER = ("undecayed", "unread")  # lists of a stage


@dataclass(frozen=True)
class Resolved:
    """A variant at a scale: what it changes and the config and recipe that result.

    Options of the run are in the recipe, and in neither the label nor the changes.
    """

    base: str  # the label that the method declares
    label: str  # the same, with what --set adds
    changes: Mapping[str, Any]
    tables: tuple[results.Place, ...]
    config: Mapping[str, Any]
    recipe: Mapping[str, Any]


def resolve_variant(
    listing: registry.Listing,
    scale: str,
    label: str,
    settings: Mapping[str, Any],
    run_options: Mapping[str, Any] = NO_OPTIONS,
) -> Resolved:
    """Return a variant of a method with settings of one's own.

    `run_options` of a suite hold where settings say nothing else and the method can be run so.

    Raises:
        HarnessError: there is no such setting, its value does not fit, or the method does not
            divide a run over processes.
    """
    assert listing.description is not None
    base = _declared(listing.description, scale, label)
    given = {key: settings[key] for key in RUN_OPTIONS if key in settings and key not in base[0]}
    changes = {key: value for key, value in settings.items() if key not in given}
    options = {**_possible(listing.description, run_options, given), **given}
    own, (config, recipe) = _with_settings(listing.description, base, changes)
    rows = variants_at(listing.description, scale) if own else ()
    same = [row for row in rows if _declared(listing.description, scale, row) == (config, recipe)]
    if same:
        label, own = same[0], {}
    variant = _variant(listing.description, label)
    _refuse_undeclared_training(listing, label, config, recipe)
    _, (_, recipe) = _with_settings(listing.description, (config, recipe), options)
    if not recipe["stages"]:
        recipe |= {"processes": 1, "chunks": 1}  # there is no training to share
    _refuse_what_it_cannot_spread(listing, recipe)
    tables = at_scale(listing.description, scale)["tables"]
    places = [(table, row, place) for table, row, place in variant["tables"] if table in tables]
    return Resolved(
        base=label,
        label=f"{label} ({_written(own)})" if own else label,
        changes={**variant["changes"], **own},
        tables=() if own else tuple(places),
        config=config,
        recipe=recipe,
    )


def _possible(
    description: Mapping[str, Any], options: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a suite that a method can be run with, beside those that are given."""
    several = given.get("processes", options.get("processes", 1)) != 1
    found = dict(options)
    if not description["spreads"]:
        found = {key: value for key, value in options.items() if key not in SPREADING}
    if several and found.get("chunks") == AUTO:
        del found["chunks"]  # it is found by one process alone
    return found


def _declared(description: Mapping[str, Any], scale: str, label: str) -> Settled:
    """Return the config and the recipe of a variant as the method declares it."""
    declared = at_scale(description, scale)
    config = {**declared["config"], **_variant(description, label)["changes"]}
    return config, json.loads(json.dumps(declared["recipe"]))


def _variant(description: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    return next(one for one in description["variants"] if one["label"] == label)


def _with_settings(
    description: Mapping[str, Any], base: Settled, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], Settled]:
    """Return what settings come to: those that change something, and what results.

    Entries come after the mapping that they are of, whatever their order on the command line, so
    that the same settings are the same variant.
    """
    own: dict[str, Any] = {}
    for key in sorted(settings):
        config, recipe = copy.deepcopy(base)
        value = _set(description, config, recipe, key, settings[key])
        if (config, recipe) != base:
            own[key] = value
            base = config, recipe
    _refuse_recipe(base[1])
    return own, base


def _written(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={write_value(value)}" for key, value in settings.items())


def _refuse_undeclared_training(
    listing: registry.Listing, label: str, config: Mapping[str, Any], recipe: Mapping[str, Any]
) -> None:
    """Refuse to train with more than a variant declares that it sees. Raises HarnessError."""
    assert listing.description is not None
    try:
        refuse_supervision(config["supervision"], recipe)
        refuse_accumulation(listing.description["updates"], recipe)
    except HarnessError as error:
        raise HarnessError(f"{listing.name}:{label} {error}") from error


def _refuse_what_it_cannot_spread(listing: registry.Listing, recipe: Mapping[str, Any]) -> None:
    """Refuse to divide the rows of a method that does not say how. Raises HarnessError."""
    assert listing.description is not None
    several = recipe["processes"] > 1
    if (several or recipe["chunks"] != 1) and not listing.description["spreads"]:
        raise HarnessError(
            f"{listing.name} is trained {'by one process' if several else 'in one chunk'}: it does "
            "not say that its encoders are called through `run.spread` (Method.spreads)."
        )
    if several and recipe["chunks"] == AUTO:
        raise HarnessError(
            f"{listing.name}: how many chunks fit is found by one process alone. With several, "
            "give a number, as in --chunks 4."
        )


def _set(
    description: Mapping[str, Any],
    config: dict[str, Any],
    recipe: dict[str, Any],
    key: str,
    value: Any,
) -> Any:
    """Set a config field, an entry of one (losses.sdm), or a field of every stage or the recipe.

    Returns the value as it is set.
    """
    field, _, entry = key.partition(".")
    stages, types = recipe["stages"], description["types"]
    if entry and isinstance(config.get(field), dict):
        of_entry = types[field].get("additionalProperties", ENTRY)
        value = _of_type(key, value, config[field].get(entry), of_entry)
        config[field] = {**config[field], entry: value}
    elif key in config:
        value = config[key] = _of_type(key, value, config[key], types[key])
    elif stages and key in stages[0]:
        value = _of_stage(key, value, stages[0][key], types[key])
        for stage in stages:
            stage[key] = value
    elif key in recipe and key != "stages":
        value = recipe[key] = _of_type(key, value, recipe[key], types[key])
    else:
        known = {*config, *(stages[0] if stages else {}), *recipe} - {"stages"}
        raise unknown(f"setting of {description['name']}", key, known)
    for name in ("backbone", "image_size"):  # the recipe's copy follows
        recipe[name] = config[name]
    return value


def _of_stage(key: str, value: Any, before: Any, declared: Mapping[str, Any]) -> Any:
    """Return a value of a stage; of names in no order one list stands for all of the same."""
    value = _of_type(key, value, before, declared)
    if key not in IN_NO_ORDER:
        return value
    return before if {*value} == {*before} else sorted({*value})


def _of_type(key: str, value: Any, before: Any, declared: Mapping[str, Any]) -> Any:
    """Return a value as its field's type has it; refuse one that does not fit."""
    try:
        return convert(value, declared)
    except ValueError as error:
        meant = _hint(key, value, before, declared)
        raise HarnessError(
            f"Setting {key}: {value!r} cannot take the place of {before!r}: {error}.{meant}"
        ) from error


def _hint(key: str, value: Any, before: Any, declared: Mapping[str, Any]) -> str:
    """Tell how a list is written where one is wanted: of what was given, or as it is there."""
    if isinstance(value, list):
        return ""
    try:
        like = convert(read_list(value) if isinstance(value, str) else [value], declared)
    except ValueError:
        like = before
    if not isinstance(like, list):
        return ""
    return f" Write a list: {key}=[{', '.join(map(write_value, like))}]."


def _refuse_recipe(recipe: Mapping[str, Any]) -> None:
    """Refuse what settings make of a recipe, as training would. Raises HarnessError."""
    try:
        refuse_recipe(recipe)
    except HarnessError as error:
        raise HarnessError(f"Setting {error}") from error
