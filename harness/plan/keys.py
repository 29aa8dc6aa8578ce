"""What a run's two keys stand for: the code that makes its weights, and the code of its figures.

The key of the weights holds what trains. The key of the figures holds the weights, and what
encodes, scores and judges them: where it alone has changed, stored weights are evaluated anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness import sources
from harness.limits import RUN_OPTIONS
from harness.plan.features import FEATURES, STAGE_DATA
from harness.plan.spec import PROTOCOL_VERSION
from harness.registry import Plugin
from harness.sources import (
    WHOLE,
    Definition,
    Reading,
    Roots,
    Scope,
    find_definitions,
    hash_definitions,
)

Name = tuple[str, str]  # a module and what it defines
Settings = Mapping[str, Any]  # fields of a config or a recipe, by name
NOTHING: Settings = {}
HARNESS = Roots()

# Where a run begins to make its weights, and to make its figures of them. Figures on val are made
# where weights are, by what judges there.
TRAINS: tuple[Name, ...] = (
    ("harness.run.open_run", "open_run"),
    ("harness.run.train", "train_run"),
)
SCORES: tuple[Name, ...] = (
    ("harness.run.open_run", "open_run"),
    ("harness.run.evaluate", "score_run"),
)
PROBES: tuple[Name, ...] = (("harness.run.probe", "probe_run"),)
SCORES_FURTHER: tuple[Name, ...] = (("harness.run.further", "add_evaluations"),)
SCORES_CROWDS: tuple[Name, ...] = (("harness.run.crowd", "add_crowds"),)
SCORES_INDEXED: tuple[Name, ...] = (("harness.run.crowd_index", "add_indexed"),)

SCORING = ("candidates",)  # fields of a recipe that training does not read

# What a run calls that changes no figure, with the reason.
LEFT_OUT = {
    "harness.compatibility": "makes libraries import",
    "harness.data.decoding_key": "names caches by the decoder, which the key holds itself",
    "harness.data.downloads": "fetches what a method names",
    "harness.data.digest": "what pages tell of a dataset",
    "harness.errors": "words for the user",
    "harness.evaluation.clock": "how long something takes",
    "harness.execution": "where a run is executed, and how long it may take",
    "harness.limits": "refuses what training would",
    "harness.metrics.detection": "tells what a method found out",
    "harness.paths": "where caches lie",
    "harness.printable": "words for the user",
    "harness.progress": "what is shown while a run goes on",
    "harness.registry.ExtraData": "what pages tell of a method",
    "harness.registry.Paper": "where it comes from",
    "harness.registry.listing": "tells of methods",
    "harness.registry.importing": "imports the code of a method, which the key holds itself",
    "harness.registry.finding": "finds it",
    "harness.registry.registration": "names it",
    "harness.results.paper": "what pages tell of a method",
    "harness.run.costs": "what a run would take",
    "harness.run.detection": "tells what a method found out",
    "harness.run.tracking": "what is shown elsewhere while a run goes on",
    "harness.sources": "names what is cached by the code, which the key holds itself",
    "harness.training.fitting": "how a run is executed",
    "harness.training.pace": "how long something takes",
}
# Of what a training calls, what only judges: on val, after an epoch. No step depends on it, and the
# epoch that was selected stays selected where only this has changed.
JUDGES = {
    "harness.results.audit": "tells which epoch is best on test, where an audit asks",
    "harness.evaluation.rescoring": "scores pairs again",
    "harness.evaluation.score": "scores the val split",
    "harness.metrics": "makes figures of the scores",
}


@dataclass(frozen=True)
class Code:
    """Hashes of the code, and of the starting weights, that a method's runs stand on."""

    weights: str
    figures: str
    files: str = field(default="", compare=False)  # of the plugin, to the byte
    features: Mapping[str, str] = field(default_factory=dict)  # of those that a run uses, by name


class Codes:
    """What the runs of plugins stand on, as it is at one time: each module is read once."""

    def __init__(self, roots: Roots = HARNESS) -> None:
        self._roots = roots
        self._trains = hash_harness(TRAINS, JUDGES, roots)
        self._scores = hash_harness(SCORES, roots=roots)
        self._readings: dict[Roots, Reading] = {}
        self._of_plugins: dict[Plugin, Code] = {}

    def of(self, plugin: Plugin, uses: Iterable[str] = ()) -> Code:
        """Return what the runs of a plugin's methods stand on that use these of `FEATURES`."""
        if plugin not in self._of_plugins:
            self._of_plugins[plugin] = self._read(plugin)
        features = {name: hash_feature(name, self._roots) for name in sorted(uses)}
        return replace(self._of_plugins[plugin], features=features)

    def _read(self, plugin: Plugin) -> Code:
        scope = Scope(plugin.roots, _left_out())
        reading = self._readings.setdefault(plugin.roots, Reading(scope))
        modules = plugin.sources()
        own = reading.hash(Definition(module, WHOLE) for module in plugin.own(modules))
        files = [*sources.weight_files(modules), *sources.data_files(modules)]
        weights = sources.bytes_hash(files)
        trains, scores = (f"{code} {own} {weights}" for code in (self._trains, self._scores))
        return Code(trains, scores, sources.files_hash(modules))


def code_of(plugin: Plugin, uses: Iterable[str] = ()) -> Code:
    """Return what the runs of a plugin's methods stand on now that use these of `FEATURES`."""
    return Codes().of(plugin, uses)


def hash_feature(name: str, roots: Roots = HARNESS) -> str:
    """Hash what the harness does to train a run that uses one of `FEATURES`.

    Raises:
        KeyError: there is no such feature, as of a record that somebody has written.
    """
    return hash_harness(TRAINS, JUDGES, roots, FEATURES[name])


def _left_out(used: Iterable[str] = ()) -> frozenset[str]:
    """Return what no key holds, but for modules of features that are used."""
    of_features = {module for modules in FEATURES.values() for module in modules}
    return frozenset({*LEFT_OUT, *of_features} - {*used})


def hash_harness(
    names: Sequence[Name],
    not_followed: Iterable[str] = (),
    roots: Roots = HARNESS,
    used: Iterable[str] = (),
) -> str:
    """Hash what the harness does from some of its functions on, but for what is left out.

    `used` are the modules of features that count.
    """
    scope = Scope(roots, _left_out(used), frozenset(not_followed))
    stamps = frozenset(stamp for _, folder in roots.packages for stamp in sources.stamps(folder))
    return _hash_harness(tuple(names), scope, stamps)


@functools.cache  # for as long as the files are what they were: every plan asks for it
def _hash_harness(names: tuple[Name, ...], scope: Scope, stamps: frozenset[sources.Stamp]) -> str:
    return hash_definitions(find_definitions(names, scope.roots), scope)


@dataclass(frozen=True)
class Keys:
    """What a run is known by: equal keys, equal results, but for how they were executed.

    A checkpoint of a stage is taken up by runs that are executed alike.
    """

    weights: str
    figures: str
    stages: tuple[str, ...]  # of the weights at the end of every stage but the last


def make_keys(
    code: Code,
    method: str,
    config: Settings,
    recipe: Settings,
    fingerprint: str,
    seed: int,
    uses: Settings = NOTHING,
) -> Keys:
    """Return the keys of a run of a method on a dataset, resolved.

    `uses` holds what of each of `FEATURES` the run uses, as plain data: of datasets and files the
    fingerprints, which stand for the names in config and recipe.
    """
    trained = {name: value for name, value in recipe.items() if name not in SCORING}
    trained["stages"] = [_without(("data",), stage) for stage in recipe["stages"]]
    content = {
        "code": code.weights,
        "method": method,
        "config": _without(("companions",), config),
        "recipe": trained,
        "data": fingerprint,
        "seed": seed,
    }
    whole = {**content, **_with_code(uses, code)}
    weights = hash_content({**whole, "recipe": without_options(trained)})
    figures = {
        "weights": weights,
        "protocol": PROTOCOL_VERSION,
        "code": code.figures,
        "recipe": {name: recipe[name] for name in SCORING},
    }
    stages = tuple(
        hash_content({**part, **_with_code(_uses_until(number, stage, uses), code)})
        for number, stage, part in _stages(content)
    )
    return Keys(weights, hash_content(figures), stages)


def _with_code(uses: Settings, code: Code) -> dict[str, Any]:
    """Return what a key holds of the features that a run uses: nothing where it uses none."""
    found = {name: [code.features[name], used] for name, used in uses.items()}
    return {"uses": found} if found else {}


def _uses_until(number: int, stage: Settings, uses: Settings) -> dict[str, Any]:
    """Return what is used up to the end of a stage, by its number from 1."""
    found = {name: used for name, used in uses.items() if name not in stage["unread"]}
    if STAGE_DATA in found:
        found[STAGE_DATA] = found[STAGE_DATA][:number]
    return {name: used for name, used in found.items() if name != STAGE_DATA or any(used)}


def _without(names: Sequence[str], fields: Settings) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def without_options(recipe: Settings) -> dict[str, Any]:
    """Return a recipe without what tells how it is executed, see `harness.limits.RUN_OPTIONS`."""
    return {name: value for name, value in recipe.items() if name not in RUN_OPTIONS}


def hash_content(content: Settings) -> str:
    """Return the key of plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _stages(content: Settings) -> Iterator[tuple[int, Settings, dict[str, Any]]]:
    """Yield each stage but the last, with its number and what decides the weights at its end.

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
        of_recipe = {name: recipe[name] for name in ("threads", *RUN_OPTIONS)}
        part = {
            **content,
            "config": {**read, "losses": on},
            "recipe": {"stages": stages[:number], **of_recipe},
        }
        yield number, stage, part


def _trains(loss: str, of_stage: Sequence[str] | None) -> bool:
    return of_stage is None or loss in of_stage
