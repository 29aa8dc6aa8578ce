"""Suite x datasets x methods x variants x seeds -> runs, each with a content key. No torch here."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import registry, results
from harness.data.catalogue import find_declaration, read_declaration
from harness.data.declaration import Declaration, Located
from harness.errors import HarnessError, unknown
from harness.plan import keys
from harness.plan.spec import PROTOCOL_VERSION, FurtherEvaluation, RunSpec

SUITES = Path(__file__).with_name("suites")
SCORING = ("candidates",)  # fields of a recipe that training does not read


@dataclass(frozen=True)
class Suite:
    """Datasets x scale x seeds."""

    name: str
    title: str
    scale: str
    seeds: tuple[int, ...]
    datasets: tuple[str, ...]
    argument: str = ""  # what names it on the command line, where that is not its name
    declared: Mapping[str, Declaration] = field(default_factory=dict)  # datasets of its own

    def find_declaration(self, name: str) -> Declaration:
        """Return a dataset of the suite's own, of the catalogue, or of a folder by its path."""
        return self.declared.get(name) or find_declaration(name)


@dataclass(frozen=True)
class Choice:
    """A method with the labels of the variants to run."""

    listing: registry.Listing
    variants: tuple[str, ...]
    evaluations: tuple[str, ...] = ()  # re-rankings of the method as published


def read_suite(name: str) -> Suite:
    """Return a suite by name, or from a YAML file by path."""
    import yaml

    known = {path.stem: path for path in SUITES.glob("*.yaml")}
    path = known.get(name, Path(name))
    if name not in known and path.suffix not in (".yaml", ".yml"):
        raise unknown("suite", name, known)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        declared = [
            read_declaration(dataset, path.parent)
            for dataset in values["datasets"]
            if not isinstance(dataset, str)
        ]
        return Suite(
            name=path.stem,
            title=str(values.get("title", path.stem)),
            scale=str(values["scale"]),
            seeds=tuple(int(seed) for seed in values["seeds"]),
            datasets=tuple(
                dataset if isinstance(dataset, str) else str(dataset["name"])
                for dataset in values["datasets"]
            ),
            argument=name,
            declared={declaration.name: declaration for declaration in declared},
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise HarnessError(
            f"Suite {path}: {error}. A suite is YAML with scale, seeds and datasets."
        ) from error


def list_suites() -> list[Suite]:
    """Return the suites that come with the harness."""
    return [read_suite(path.stem) for path in sorted(SUITES.glob("*.yaml"))]


def choose(
    names: Sequence[str], listings: Sequence[registry.Listing], scale: str, ablations: bool
) -> list[Choice]:
    """Return what `method` and `method:variant` arguments name.

    No names: every method that has a recipe for the scale.

    Raises:
        HarnessError: a method or a variant does not exist, or the method fails to import.
    """
    if not names:
        usable = [item for item in listings if scale in (item.description or {}).get("scales", {})]
        return [_choice(listing, None, scale, ablations) for listing in usable]
    choices = []
    for name in names:
        method, _, variant = name.partition(":")
        listing = registry.find_method(method, listings)
        if listing.error:
            raise HarnessError(
                f"Method {method!r} cannot be used: {listing.error['kind']}: "
                f"{listing.error['message']} (in {listing.plugin.module.path})"
            )
        choices.append(_choice(listing, variant or None, scale, ablations))
    return choices


def plan(
    suite: Suite,
    datasets: Iterable[Located],
    choices: Iterable[Choice],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    options: str = "",
    rerankings: Sequence[str] = (),
    queries: Sequence[str] = (),
) -> list[RunSpec]:
    """Return the runs, seed by seed inside a variant.

    Args:
        settings: `--set` values by (dotted) key; they make a variant of their own.
        options: what the command that repeats a run needs beside method, dataset and seed.
        rerankings: further evaluations of every run, as `str` writes a `harness.rerank.Reranking`.
        queries: names of query transforms, each a further evaluation of every run.
    """
    further = keys.hash_harness(keys.SCORES_FURTHER)
    code_of = {
        "rerank": further,
        "queries": f"{further} {registry.queries_hash()}" if queries else "",
    }
    specs = []
    for located in datasets:
        for choice in choices:
            code = keys.code_of(choice.listing.plugin)
            for label in choice.variants:
                resolved = _resolve(choice.listing, suite.scale, label, settings)
                declared = choice.evaluations if resolved.label == results.FULL else ()
                wanted = {
                    "rerank": dict.fromkeys((*declared, *rerankings)),
                    "queries": dict.fromkeys(queries),
                }
                for seed in seeds:
                    spec = _spec(suite, located, choice, resolved, seed, code, options)
                    specs.append(_with_evaluations(spec, wanted, code_of))
    return specs


def evaluated_on(spec: RunSpec, datasets: Mapping[str, Located]) -> RunSpec:
    """Return a run that is evaluated on the test splits of other datasets, and not otherwise.

    The datasets stand by what names them on the command line.
    """
    asked = spec.command.replace("harness run", "harness evaluate", 1)
    code = keys.hash_harness(keys.SCORES_FURTHER)
    evaluations = tuple(
        FurtherEvaluation(
            key=_key({"run": spec.key, "code": code, "on": located.fingerprint}),
            command=f"{asked} --on {shlex.quote(name)}",
            on=located,
        )
        for name, located in datasets.items()
        if located.fingerprint != spec.located.fingerprint
    )
    return replace(spec, evaluations=evaluations)


@dataclass(frozen=True)
class _Resolved:
    """A variant at a scale: what it changes and the config and recipe that result."""

    base: str  # the label that the method declares
    label: str  # the same, with what --set adds
    changes: Mapping[str, Any]
    tables: tuple[results.Place, ...]
    config: Mapping[str, Any]
    recipe: Mapping[str, Any]


def _choice(listing: registry.Listing, variant: str | None, scale: str, ablations: bool) -> Choice:
    labels = _labels(listing, variant, scale, ablations)
    assert listing.description is not None
    return Choice(listing, labels, tuple(listing.description["evaluations"]) if ablations else ())


def _labels(
    listing: registry.Listing, variant: str | None, scale: str, ablations: bool
) -> tuple[str, ...]:
    assert listing.description is not None
    labels = variants_at(listing.description, scale)
    if variant is None:
        return tuple(labels) if ablations else (labels[0],)
    if variant not in labels:
        raise _no_variant(listing.description, variant, scale)
    return (variant,)


def _no_variant(description: Mapping[str, Any], variant: str, scale: str) -> HarnessError:
    scales = [name for name in description["scales"] if variant in variants_at(description, name)]
    if not scales:
        return unknown(
            f"variant of {description['name']}", variant, variants_at(description, scale)
        )
    return HarnessError(
        f"{description['name']}:{variant} is a variant at scale {' and '.join(scales)} alone; the "
        f"suite has scale {scale}."
    )


def variants_at(description: Mapping[str, Any], scale: str) -> list[str]:
    """Return the labels of a method's variants that a scale has, as published first."""
    scales, (published, *rows) = description["scales"], description["variants"]
    if scale not in scales:
        raise unknown(f"recipe of {description['name']}", scale, scales)
    tables = scales[scale]["tables"]
    here = [row["label"] for row in rows if any(table in tables for table, *_ in row["tables"])]
    return [published["label"], *here]


def _resolve(
    listing: registry.Listing, scale: str, label: str, settings: Mapping[str, Any]
) -> _Resolved:
    assert listing.description is not None
    scales = listing.description["scales"]
    variant = next(v for v in listing.description["variants"] if v["label"] == label)
    config = {**scales[scale]["config"], **variant["changes"]}
    recipe = json.loads(json.dumps(scales[scale]["recipe"]))
    for key, value in settings.items():
        _set(listing.name, config, recipe, key, value)
    if recipe["processes"] > 1 and not listing.description["spreads"]:
        raise HarnessError(
            f"{listing.name} is trained by one process: it does not say that its encoders are "
            "called through `run.spread` (Method.spreads)."
        )
    own = ", ".join(f"{key}={value}" for key, value in settings.items())
    return _Resolved(
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


def _set(method: str, config: dict[str, Any], recipe: dict[str, Any], key: str, value: Any) -> None:
    """Set a config field, an entry of one (losses.sdm), or a field of every stage or the recipe."""
    field, _, entry = key.partition(".")
    if entry and isinstance(config.get(field), dict):
        config[field] = {**config[field], entry: _of_kind(key, value, 1.0)}
    elif key in config:
        config[key] = _of_kind(key, value, config[key])
    elif recipe["stages"] and key in recipe["stages"][0]:
        for stage in recipe["stages"]:
            stage[key] = _of_kind(key, value, stage[key])
    elif key in recipe and key != "stages":
        recipe[key] = _of_kind(key, value, recipe[key])
    else:
        stage_fields = recipe["stages"][0] if recipe["stages"] else {}
        known = {*config, *stage_fields, *recipe} - {"stages"}
        raise unknown(f"setting of {method}", key, known)
    for name in ("backbone", "image_size"):  # the recipe's copy follows
        recipe[name] = config[name]


def _of_kind(key: str, value: Any, before: Any) -> Any:
    """Return a value that is of the kind it replaces; refuse one that is not."""
    kind = (int, float) if isinstance(before, float) else type(before)
    if before is None or isinstance(value, kind):
        return value
    raise HarnessError(f"--set {key}: {value!r} cannot take the place of {before!r}.")


def _key(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _stages(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what decides the weights at the end of each stage but the last.

    Of the losses those that are on so far, of the config what a stage does not call unread, of the
    recipe no later stage.
    """
    config, recipe = content["config"], content["recipe"]
    stages = recipe["stages"]
    for number, stage in enumerate(stages[:-1], start=1):
        weights = config["losses"]
        on = {
            str(position): {n: w for n, w in weights.items() if _trains(n, earlier["losses"])}
            for position, earlier in enumerate(stages[:number])
        }
        read = {name: value for name, value in config.items() if name not in stage["unread"]}
        yield {
            **content,
            "config": {**read, "losses": on},
            "recipe": {
                "stages": stages[:number],
                **{name: recipe[name] for name in ("threads", "processes", "precision")},
            },
        }


def _trains(loss: str, of_stage: Sequence[str] | None) -> bool:
    return of_stage is None or loss in of_stage


def _with_evaluations(
    spec: RunSpec, wanted: Mapping[str, Iterable[str]], code_of: Mapping[str, str]
) -> RunSpec:
    """Add evaluations, by kind: "rerank" and "queries", as the command line calls them."""
    evaluations = tuple(
        FurtherEvaluation(
            key=hashlib.sha256(f"{spec.key} {code_of[kind]} {name}".encode()).hexdigest()[:32],
            command=f"{spec.command} --{kind} {shlex.quote(name)}",
            reported_as=tuple(spec.description["evaluations"].get(name, ())),
            rerank=name if kind == "rerank" else "",
            queries=name if kind == "queries" else "",
        )
        for kind, names in wanted.items()
        for name in names
    )
    return replace(spec, evaluations=evaluations)


def _spec(
    suite: Suite,
    located: Located,
    choice: Choice,
    resolved: _Resolved,
    seed: int,
    code: keys.Code,
    options: str,
) -> RunSpec:
    description = choice.listing.description
    assert description is not None
    content = {
        "code": code.weights,
        "method": choice.listing.name,
        "config": resolved.config,
        "recipe": {name: of for name, of in resolved.recipe.items() if name not in SCORING},
        "data": located.fingerprint,
        "seed": seed,
    }
    weights_key = _key(content)
    scoring = {name: resolved.recipe[name] for name in SCORING}
    figures = {"protocol": PROTOCOL_VERSION, "code": code.figures, "recipe": scoring}
    name = choice.listing.name
    if resolved.base != description["variants"][0]["label"]:
        name = shlex.quote(f"{name}:{resolved.base}")
    declaration = located.declaration
    own = suite.declared.get(declaration.name) == declaration
    dataset = declaration.name if own else declaration.argument
    return RunSpec(
        suite=suite.name,
        located=located,
        method=choice.listing.name,
        variant=resolved.label,
        seed=seed,
        scale=suite.scale,
        key=_key({"weights": weights_key, **figures}),
        weights_key=weights_key,
        stage_keys=tuple(_key(part) for part in _stages(content)),
        plugin=choice.listing.plugin,
        description=description,
        changes=resolved.changes,
        tables=resolved.tables,
        config=resolved.config,
        recipe=resolved.recipe,
        command=f"harness run {name} --suite {shlex.quote(suite.argument or suite.name)} "
        f"--dataset {shlex.quote(dataset)} --seeds {seed}{options}",
    )
