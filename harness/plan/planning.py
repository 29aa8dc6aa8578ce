"""Suite x datasets x methods x variants x seeds -> runs, each with its keys."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from harness import registry, results
from harness.data.declaration import Located
from harness.data.noise import Noise
from harness.errors import HarnessError
from harness.plan import keys
from harness.plan.beside import Beside, Finder, uses_of
from harness.plan.choices import Choice
from harness.plan.spec import FurtherEvaluation, Probe, RunSpec, Trial
from harness.plan.suites import Suite
from harness.plan.values import write_value
from harness.plan.variants import Resolved, resolve_variant

if TYPE_CHECKING:
    from harness.data.crowds import Crowd


class Finds(Protocol):
    """What finds what runs are trained on beside their dataset."""

    def find(
        self,
        located: Located,
        config: Mapping[str, Any],
        recipe: Mapping[str, Any],
        noise: Noise | None = None,
    ) -> Beside: ...


def plan(
    suite: Suite,
    datasets: Iterable[Located],
    choices: Iterable[Choice],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    options: str = "",
    rerankings: Sequence[str] = (),
    queries: Sequence[str] = (),
    is_audited: bool = False,
    noises: Sequence[Noise | None] = (None,),
    beside: Finds | None = None,
) -> list[RunSpec]:
    """Return the runs, seed by seed inside a variant.

    Args:
        settings: `--set` values by (dotted) key; they make a variant of their own.
        options: what the command that repeats a run needs beside method, dataset and seed.
        rerankings: further evaluations of every run, as `str` writes a `harness.rerank.Reranking`.
        queries: names of query transforms, each a further evaluation of every run.
        is_audited: score each epoch on test too, of what is trained; no key depends on it.
        noises: wrong pairs in the training set, each a variant of what is trained; None: none.
        beside: what finds the sets of stages, and companions; by default a finder of the suite.

    Raises:
        HarnessError: of them one is not here, or may not be trained on.
    """
    finder = beside or Finder(suite, lambda what, done, total: None)
    further = keys.hash_harness(keys.SCORES_FURTHER)
    code_of = {
        "rerank": further,
        "queries": f"{further} {registry.queries_hash()}" if queries else "",
    }
    codes = keys.Codes()
    variants = list(_variants(suite, choices, settings, noises))
    specs = []
    for located in datasets:
        for choice, resolved, noise in variants:
            found = finder.find(located, resolved.config, resolved.recipe, noise)
            code = codes.of(choice.listing.plugin, uses_of(found, noise))
            is_full = resolved.label == results.FULL and noise is None
            declared = choice.evaluations if is_full else ()
            wanted = {
                "rerank": dict.fromkeys((*declared, *rerankings)),
                "queries": dict.fromkeys(queries),
            }
            for seed in seeds:
                spec = _spec(suite, located, choice, resolved, seed, code, options, found, noise)
                spec = replace(spec, audit_selection=is_audited)
                specs.append(_with_evaluations(spec, wanted, code_of))
    return specs


def _variants(
    suite: Suite,
    choices: Iterable[Choice],
    settings: Mapping[str, Any],
    noises: Sequence[Noise | None],
) -> Iterator[tuple[Choice, Resolved, Noise | None]]:
    """Yield what is run of each method; what is not trained is run without noise, once."""
    for choice in choices:
        for label in choice.variants:
            found = resolve_variant(choice.listing, suite.scale, label, settings, suite.options)
            for noise in noises if found.recipe["stages"] else (None,):
                yield choice, found, noise


def evaluated_on(spec: RunSpec, datasets: Mapping[str, Located]) -> RunSpec:
    """Return a run that is evaluated on the test splits of other datasets, and not otherwise.

    The datasets stand by what names them on the command line. What a stage has trained on is no
    other data.
    """
    asked = spec.command.replace("harness run", "harness evaluate", 1)
    code = keys.hash_harness(keys.SCORES_FURTHER)
    evaluations = tuple(
        FurtherEvaluation(
            key=keys.hash_content({"run": spec.key, "code": code, "on": located.fingerprint}),
            command=f"{asked} --on {shlex.quote(name)}",
            on=located,
        )
        for name, located in datasets.items()
        if located.fingerprint != spec.located.fingerprint and not spec.beside.has_seen(located)
    )
    return replace(spec, evaluations=evaluations)


def evaluated_among(spec: RunSpec, crowds: Iterable[Crowd]) -> RunSpec:
    """Return a run that is evaluated among crowds, and not otherwise.

    One that is searched through an index needs the same crowd without one before it.
    """
    asked = spec.command.replace("harness run", "harness evaluate", 1)
    encodes = keys.code_of(spec.plugin).figures
    encoder = keys.hash_content({"weights": spec.weights_key, "code": encodes})
    evaluations = tuple(
        FurtherEvaluation(
            key=_key_among(spec, crowd),
            command=f"{asked} --distractors {shlex.quote(crowd.argument)}{_through(crowd)}",
            crowd=crowd,
            encoder=encoder,
        )
        for crowd in crowds
    )
    return replace(spec, evaluations=evaluations)


def _key_among(spec: RunSpec, crowd: Crowd) -> str:
    code = keys.hash_harness(keys.SCORES_CROWDS)
    key = keys.hash_content(
        {"run": spec.key, "code": code, "crowd": crowd.content, "count": crowd.count}
    )
    if not crowd.index:
        return key
    code = keys.hash_harness(keys.SCORES_INDEXED)
    return keys.hash_content({"exact": key, "code": code, "index": crowd.index})


def _through(crowd: Crowd) -> str:
    return f" --index {crowd.index}" if crowd.index else ""


@dataclass(frozen=True)
class Point:
    """Settings of a grid on a dataset: a trial a seed, and the command that tests them."""

    located: Located
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    command: str


def plan_grid(
    suite: Suite,
    datasets: Iterable[Located],
    choice: Choice,
    seeds: Sequence[int],
    grid: Sequence[Mapping[str, Any]],
    options: str = "",
    beside: Finds | None = None,
) -> list[Point]:
    """Return the points of a grid, dataset by dataset; those with one config and recipe are one.

    Args:
        choice: one variant of a method.
        grid: settings, as `--set` has them.
        options: what commands need beside method, dataset, seeds and settings.
        beside: as `plan` takes it.

    Raises:
        HarnessError: a setting does not exist, its value does not fit, or val does not read it; or
            as `plan` says.
    """
    finder = beside or Finder(suite, lambda what, done, total: None)
    (label,) = choice.variants
    if unread := [name for name in keys.SCORING if any(name in settings for settings in grid)]:
        raise HarnessError(f"Val does not read {', '.join(unread)}, so it cannot be chosen there.")
    distinct: list[tuple[Mapping[str, Any], Resolved]] = []
    for settings in grid:
        resolved = resolve_variant(choice.listing, suite.scale, label, settings, suite.options)
        if not any(_is_equal(resolved, other) for _, other in distinct):
            distinct.append((settings, resolved))
    codes = keys.Codes()
    judged = keys.hash_harness(keys.TRAINS)
    points = []
    for located in datasets:
        for settings, resolved in distinct:
            found = finder.find(located, resolved.config, resolved.recipe)
            code = codes.of(choice.listing.plugin, found.uses)
            specs = [
                _spec(suite, located, choice, resolved, seed, code, "", found) for seed in seeds
            ]
            trials = [_trial(spec, judged, settings, options) for spec in specs]
            named = _arguments(suite, located, choice, resolved, seeds)
            changing = _changing(choice, suite.scale, resolved, settings)
            command = f"harness run {named}{_written('set', changing)}{options}"
            points.append(Point(located, settings, tuple(trials), command))
    return points


def _is_equal(one: Resolved, other: Resolved) -> bool:
    recipes = [keys.without_options(resolved.recipe) for resolved in (one, other)]
    return one.config == other.config and recipes[0] == recipes[1]


def _changing(
    choice: Choice, scale: str, resolved: Resolved, settings: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the settings without those that the variant has anyway."""
    for name in settings:
        fewer = {other: value for other, value in settings.items() if other != name}
        if _is_equal(resolve_variant(choice.listing, scale, resolved.base, fewer), resolved):
            settings = fewer
    return settings


def probe(spec: RunSpec, device: str, jobs: int) -> Probe:
    """Return the probe of a run: one for all seeds of a variant on a dataset.

    Args:
        device: what figures are of: a graphics card, or a processor with its cores.
        jobs: runs at a time, which decide the threads of a run whose recipe does not.
    """
    content = {
        "code": f"{spec.code} {keys.hash_harness(keys.PROBES)}",
        "config": spec.config,
        "recipe": spec.recipe,
        "data": spec.located.fingerprint,
        "uses": spec.uses,
        "place": [spec.suite, spec.dataset, spec.scale, spec.name],
        "evaluations": [one.name for one in spec.evaluations if one.on is None],
        "audited": spec.is_audited,
        "device": device,
        "jobs": None if spec.recipe["threads"] else jobs,
    }
    values = {
        **vars(spec),
        "key": keys.hash_content(content),
        "stage_keys": (),
        "evaluations": (),
        "asked": tuple(one for one in spec.evaluations if one.on is None),
    }
    return Probe(**values)


def _trial(spec: RunSpec, judged: str, settings: Mapping[str, Any], options: str) -> Trial:
    """Return a run as a trial; `judged` stands for the code that trains and judges on val."""
    asked = spec.command.replace("harness run", "harness tune", 1)
    values = {
        **vars(spec),
        "key": keys.hash_content({"weights": spec.weights_key, "code": judged}),
        "stage_keys": tuple(
            keys.hash_content({"weights": stage, "code": judged}) for stage in spec.stage_keys
        ),
        "settings": keys.hash_content(
            {
                "config": spec.config,
                "recipe": keys.without_options(spec.recipe),
                "data": spec.located.fingerprint,
                **({"uses": spec.uses} if spec.uses else {}),
            }
        ),
        "command": f"{asked}{_written('grid', settings)}{options}",
    }
    return Trial(**values)


def _written(option: str, settings: Mapping[str, Any]) -> str:
    """Return settings as the command line takes them, each behind an option."""
    pairs = (f"{name}={write_value(value)}" for name, value in settings.items())
    return "".join(f" --{option} {shlex.quote(pair)}" for pair in pairs)


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
    resolved: Resolved,
    seed: int,
    code: keys.Code,
    options: str,
    beside: Beside,
    noise: Noise | None = None,
) -> RunSpec:
    description = choice.listing.description
    assert description is not None
    what = choice.listing.name, resolved.config, resolved.recipe, located.fingerprint, seed
    made = keys.make_keys(code, *what, uses_of(beside, noise))
    asked = f"{_arguments(suite, located, choice, resolved, [seed])}{options}"
    if noise:
        asked += f" --noise {shlex.quote(noise.argument)}"
    return RunSpec(
        suite=suite.name,
        located=located,
        method=choice.listing.name,
        variant=f"{resolved.label} ({noise.label})" if noise else resolved.label,
        seed=seed,
        scale=suite.scale,
        key=made.figures,
        weights_key=made.weights,
        stage_keys=made.stages,
        plugin=choice.listing.plugin,
        code=code.weights,
        files=code.files,
        description=description,
        changes=resolved.changes,
        tables=resolved.tables,
        config=resolved.config,
        recipe=resolved.recipe,
        command=f"harness run {asked}",
        suite_argument=_suite_argument(suite),
        dataset_argument=_dataset_argument(suite, located),
        beside=beside,
        noise=noise,
    )


def _arguments(
    suite: Suite, located: Located, choice: Choice, resolved: Resolved, seeds: Sequence[int]
) -> str:
    """Return what names runs on the command line, but for their settings."""
    assert choice.listing.description is not None
    name = choice.listing.name
    if resolved.base != choice.listing.description["variants"][0]["label"]:
        name = shlex.quote(f"{name}:{resolved.base}")
    return (
        f"{name} --suite {shlex.quote(_suite_argument(suite))} "
        f"--dataset {shlex.quote(_dataset_argument(suite, located))} "
        f"--seeds {','.join(map(str, seeds))}"
    )


def _suite_argument(suite: Suite) -> str:
    return suite.argument or suite.name


def _dataset_argument(suite: Suite, located: Located) -> str:
    declaration = located.declaration
    own = suite.declared.get(declaration.name) == declaration
    return declaration.name if own else declaration.argument
