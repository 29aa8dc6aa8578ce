"""A variant at a scale, with what --set changes: the config and the recipe that result."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import registry, results
from harness.errors import HarnessError, unknown
from harness.plan.choices import variants_at
from harness.plan.values import write_value

Settled = tuple[dict[str, Any], dict[str, Any]]  # a config and a recipe

NOT_TRAINED = "none"  # a supervision
# What some settings of a recipe may be, as `harness.training` knows them, which imports torch.
CHOICES = {
    "optimizer": ("adam", "adamw", "lamb", "sgd"),
    "schedule": ("constant", "cosine", "linear"),
    "precision": ("bf16", "fp16", "no"),
    "undecayed": ("biases", "norms"),  # several, in a list
}
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
    base = _declared(listing.description, scale, label)
    own, (config, recipe) = _with_settings(listing.name, base, settings)
    rows = variants_at(listing.description, scale) if own else ()
    same = [row for row in rows if _declared(listing.description, scale, row) == (config, recipe)]
    if same:
        label, own = same[0], {}
    variant = _variant(listing.description, label)
    _refuse_undeclared_training(listing.name, label, config, recipe)
    if recipe["processes"] > 1 and not listing.description["spreads"]:
        raise HarnessError(
            f"{listing.name} is trained by one process: it does not say that its encoders are "
            "called through `run.spread` (Method.spreads)."
        )
    tables = listing.description["scales"][scale]["tables"]
    places = [(table, row, place) for table, row, place in variant["tables"] if table in tables]
    return Resolved(
        base=label,
        label=f"{label} ({_written(own)})" if own else label,
        changes={**variant["changes"], **own},
        tables=() if own else tuple(places),
        config=config,
        recipe=recipe,
    )


def _declared(description: Mapping[str, Any], scale: str, label: str) -> Settled:
    """Return the config and the recipe of a variant as the method declares it."""
    at_scale = description["scales"][scale]
    config = {**at_scale["config"], **_variant(description, label)["changes"]}
    return config, json.loads(json.dumps(at_scale["recipe"]))


def _variant(description: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    return next(one for one in description["variants"] if one["label"] == label)


def _with_settings(
    method: str, base: Settled, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], Settled]:
    """Return what settings come to: those that change something, and what results.

    Entries come after the mapping that they are of, whatever their order on the command line, so
    that the same settings are the same variant.
    """
    own: dict[str, Any] = {}
    for key in sorted(settings):
        config, recipe = copy.deepcopy(base)
        value = _set(method, config, recipe, key, settings[key])
        if (config, recipe) != base:
            own[key] = value
            base = config, recipe
    return own, base


def _written(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={write_value(value)}" for key, value in settings.items())


def _refuse_undeclared_training(
    method: str, label: str, config: Mapping[str, Any], recipe: Mapping[str, Any]
) -> None:
    """Refuse to train what declares that it is not trained. Raises HarnessError."""
    if config["supervision"] == NOT_TRAINED and recipe["stages"]:
        raise HarnessError(
            f"{method}:{label} declares the supervision none, which is not trained, and its recipe "
            "has stages: declare pairs or identity, or a recipe without stages."
        )


def _set(method: str, config: dict[str, Any], recipe: dict[str, Any], key: str, value: Any) -> Any:
    """Set a config field, an entry of one (losses.sdm), or a field of every stage or the recipe.

    Returns the value as it is set.
    """
    field, _, entry = key.partition(".")
    stages = recipe["stages"]
    if entry and isinstance(config.get(field), dict):
        value = _of_kind(key, value, 1.0)
        config[field] = {**config[field], entry: value}
    elif key in config:
        value = config[key] = _of_kind(key, value, config[key])
    elif stages and key in stages[0]:
        value = _of_recipe(key, value, stages[0][key])
        for stage in stages:
            stage[key] = value
    elif key in recipe and key != "stages":
        value = recipe[key] = _of_recipe(key, value, recipe[key])
    else:
        known = {*config, *(stages[0] if stages else {}), *recipe} - {"stages"}
        raise unknown(f"setting of {method}", key, known)
    for name in ("backbone", "image_size"):  # the recipe's copy follows
        recipe[name] = config[name]
    return value


def _of_kind(key: str, value: Any, before: Any) -> Any:
    """Return a value as the kind that it replaces; refuse one that is of another."""
    kind = (int, float) if isinstance(before, float) else type(before)
    is_switch = isinstance(value, bool) and not isinstance(before, bool | None)
    if before is not None and (is_switch or not isinstance(value, kind)):
        raise HarnessError(f"Setting {key}: {value!r} cannot take the place of {before!r}.")
    if isinstance(before, float):
        return float(value)  # 1 and 1.0 are one setting
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_recipe(key: str, value: Any, before: Any) -> Any:
    """Return a value of the recipe: one of a few words, or a count or a rate, or a list of them."""
    least = LEAST.get(key, 0)
    value = _of_kind(key, value, before)
    for one in value if isinstance(value, list) else [value]:
        if key in CHOICES and one not in CHOICES[key]:
            raise HarnessError(f"Setting {key}: {unknown(key, str(one), CHOICES[key])}")
        if isinstance(one, int | float) and one < least:
            raise HarnessError(
                f"Setting {key}: {value!r} is less than {least}, which means nothing."
            )
    return value
