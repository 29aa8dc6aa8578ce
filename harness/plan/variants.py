"""A variant at a scale, with what --set changes: the config and the recipe that result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import registry, results
from harness.errors import HarnessError, unknown

NOT_TRAINED = "none"  # a supervision
LEAST = {"batch_size": 1, "epochs": 1, "processes": 1}  # of a recipe's numbers; of others 0


@dataclass(frozen=True)
class Resolved:
    """A variant at a scale: what it changes and the config and recipe that result."""

    base: str  # the label that the method declares
    label: str  # the same, with what --set adds
    changes: Mapping[str, Any]
    tables: tuple[results.Place, ...]
    config: Mapping[str, Any]
    recipe: Mapping[str, Any]


def resolve_variant(
    listing: registry.Listing, scale: str, label: str, settings: Mapping[str, Any]
) -> Resolved:
    """Return a variant of a method with settings of one's own.

    Raises:
        HarnessError: there is no such setting, its value does not fit, or the method does not
            divide a run over processes.
    """
    assert listing.description is not None
    scales = listing.description["scales"]
    variant = next(v for v in listing.description["variants"] if v["label"] == label)
    config = {**scales[scale]["config"], **variant["changes"]}
    recipe = json.loads(json.dumps(scales[scale]["recipe"]))
    for key, value in settings.items():
        _set(listing.name, config, recipe, key, value)
    _refuse_undeclared_training(listing.name, label, config, recipe)
    if recipe["processes"] > 1 and not listing.description["spreads"]:
        raise HarnessError(
            f"{listing.name} is trained by one process: it does not say that its encoders are "
            "called through `run.spread` (Method.spreads)."
        )
    own = ", ".join(f"{key}={value}" for key, value in settings.items())
    return Resolved(
        base=label,
        label=f"{label} ({own})" if own else label,
        changes={**variant["changes"], **settings},
        tables=()
        if own
        else tuple(
            (table, row, position)
            for table, row, position in variant["tables"]
            if table in scales[scale]["tables"]
        ),
        config=config,
        recipe=recipe,
    )


def _refuse_undeclared_training(
    method: str, label: str, config: Mapping[str, Any], recipe: Mapping[str, Any]
) -> None:
    """Refuse to train what declares that it is not trained. Raises HarnessError."""
    if config["supervision"] == NOT_TRAINED and recipe["stages"]:
        raise HarnessError(
            f"{method}:{label} declares the supervision none, which is not trained, and its recipe "
            "has stages: declare pairs or identity, or a recipe without stages."
        )


def _set(method: str, config: dict[str, Any], recipe: dict[str, Any], key: str, value: Any) -> None:
    """Set a config field, an entry of one (losses.sdm), or a field of every stage or the recipe."""
    field, _, entry = key.partition(".")
    if entry and isinstance(config.get(field), dict):
        config[field] = {**config[field], entry: _of_kind(key, value, 1.0)}
    elif key in config:
        config[key] = _of_kind(key, value, config[key])
    elif recipe["stages"] and key in recipe["stages"][0]:
        for stage in recipe["stages"]:
            stage[key] = _at_least(key, value, stage[key])
    elif key in recipe and key != "stages":
        recipe[key] = _at_least(key, value, recipe[key])
    else:
        stage_fields = recipe["stages"][0] if recipe["stages"] else {}
        known = {*config, *stage_fields, *recipe} - {"stages"}
        raise unknown(f"setting of {method}", key, known)
    for name in ("backbone", "image_size"):  # the recipe's copy follows
        recipe[name] = config[name]


def _of_kind(key: str, value: Any, before: Any) -> Any:
    """Return a value that is of the kind it replaces; refuse one that is not."""
    kind = (int, float) if isinstance(before, float) else type(before)
    is_switch = isinstance(value, bool) and not isinstance(before, bool | None)
    if before is not None and (is_switch or not isinstance(value, kind)):
        raise HarnessError(f"--set {key}: {value!r} cannot take the place of {before!r}.")
    return value


def _at_least(key: str, value: Any, before: Any) -> Any:
    """Return a value of the recipe, which counts something or is a rate; refuse less than that."""
    least = LEAST.get(key, 0)
    value = _of_kind(key, value, before)
    numbers = value if isinstance(value, list) else [value]
    if any(isinstance(number, int | float) and number < least for number in numbers):
        raise HarnessError(f"--set {key}: {value!r} is less than {least}, which means nothing.")
    return value
