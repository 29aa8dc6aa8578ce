"""Suite x datasets x methods x variants x seeds -> runs, each with its keys."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import registry, results
from harness.data.declaration import Located
from harness.plan import keys
from harness.plan.choices import Choice
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.plan.suites import Suite
from harness.plan.variants import Resolved, resolve_variant


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
    codes = keys.Codes()
    specs = []
    for located in datasets:
        for choice in choices:
            code = codes.of(choice.listing.plugin)
            for label in choice.variants:
                resolved = resolve_variant(choice.listing, suite.scale, label, settings)
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
            key=keys.hash_content({"run": spec.key, "code": code, "on": located.fingerprint}),
            command=f"{asked} --on {shlex.quote(name)}",
            on=located,
        )
        for name, located in datasets.items()
        if located.fingerprint != spec.located.fingerprint
    )
    return replace(spec, evaluations=evaluations)


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
) -> RunSpec:
    description = choice.listing.description
    assert description is not None
    made = keys.make_keys(
        code, choice.listing.name, resolved.config, resolved.recipe, located.fingerprint, seed
    )
    name = choice.listing.name
    if resolved.base != description["variants"][0]["label"]:
        name = shlex.quote(f"{name}:{resolved.base}")
    declaration = located.declaration
    own = suite.declared.get(declaration.name) == declaration
    suite_argument = suite.argument or suite.name
    dataset_argument = declaration.name if own else declaration.argument
    return RunSpec(
        suite=suite.name,
        located=located,
        method=choice.listing.name,
        variant=resolved.label,
        seed=seed,
        scale=suite.scale,
        key=made.figures,
        weights_key=made.weights,
        stage_keys=made.stages,
        plugin=choice.listing.plugin,
        description=description,
        changes=resolved.changes,
        tables=resolved.tables,
        config=resolved.config,
        recipe=resolved.recipe,
        command=f"harness run {name} --suite {shlex.quote(suite_argument)} "
        f"--dataset {shlex.quote(dataset_argument)} --seeds {seed}{options}",
        suite_argument=suite_argument,
        dataset_argument=dataset_argument,
    )
