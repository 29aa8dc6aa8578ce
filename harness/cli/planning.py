"""What the options of a command name: runs, on data that is found or made first."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.options import parse_seeds
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.data.declaration import Located
    from harness.plan import Suite
    from harness.plan.spec import RunSpec
    from harness.registry import Listing


def plan_runs(
    names: Sequence[str],
    listings: list[Listing],
    suite_name: str,
    dataset_names: Sequence[str] | None = None,
    seeds: str | None = None,
    ablations: bool = False,
    settings: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    rerankings: Sequence[str] = (),
    queries: Sequence[str] = (),
    is_audited: bool | None = None,
    noises: Sequence[str] = (),
    also_elsewhere: bool = False,
) -> list[RunSpec]:
    """Return the runs that the options of a command name; the data is found, or made, first.

    Whether their selection is audited is the suite's to say, where no option does; so is on which
    other data the methods as published are tested, where that is asked for.
    """
    from harness import plan
    from harness.cli.display import running, terminal
    from harness.data.noise import parse_noise
    from harness.plan.asking import expand_queries
    from harness.plan.beside import Finder
    from harness.plan.collisions import once

    suite = plan.read_suite(suite_name)
    choices = plan.choose(names, listings, suite.scale, ablations)
    if not names:
        running.say_left_out(listings, suite.scale)
    located = locate_suite(suite, dataset_names)
    options = "".join(f" --set {shlex.quote(setting)}" for setting in settings)
    options += name_plugins(plugins)
    values = _parse_settings(settings)
    chosen = parse_seeds(seeds) if seeds else suite.seeds
    canonical = _canonical(rerankings)
    asked = expand_queries(queries)  # refused before anything is run
    audited = suite.audit_selection if is_audited is None else is_audited
    wrong = [parse_noise(text) for text in noises] or [None]
    with terminal.steps() as show:
        specs = plan.plan(
            suite, located, choices, chosen, values, options, canonical, asked, audited,
            noises=wrong, beside=Finder(suite, show),
        )  # fmt: skip
    refuse_untrainable(specs)
    _refuse_other_captions(specs)
    found = list(once(specs))
    return _also_on(found, suite) if also_elsewhere and suite.also_on else found


def _also_on(specs: Sequence[RunSpec], suite: Suite) -> list[RunSpec]:
    """Return the runs with the evaluations on other data that their suite asks for."""
    from harness import plan
    from harness.cli.display import terminal
    from harness.data.catalogue import locate
    from harness.plan.collisions import refuse_two_of_a_name
    from harness.results import FULL

    with terminal.steps() as show:
        others = {name: locate(suite.find_declaration(name), show) for name in suite.also_on}
    refuse_two_of_a_name([*(spec.located for spec in specs), *others.values()])
    elsewhere = [plan.evaluated_on(spec, others).evaluations for spec in specs]
    return [
        replace(spec, evaluations=(*spec.evaluations, *more)) if spec.variant == FULL else spec
        for spec, more in zip(specs, elsewhere, strict=True)
    ]


def refuse_untrainable(specs: Sequence[RunSpec]) -> None:
    """Refuse to train where a split is missing that training needs."""
    needing = [spec for spec in specs if spec.recipe["stages"] or not spec.is_tested]
    trained = [spec for spec in needing if spec.located.missing]
    if not trained:
        _refuse_without_people(needing)
        return
    located = trained[0].located
    files = ", ".join(f"{split}*.parquet" for split in located.missing)
    methods = ", ".join(dict.fromkeys(spec.method for spec in trained))
    raise HarnessError(
        f"Dataset {located.declaration.name!r} has no {' and no '.join(located.missing)} split "
        f"({files}): {methods} cannot be trained, since train is learned from and val chooses the "
        "epoch. A method that is not trained runs on it; `harness evaluate METHOD --on "
        f"{located.declaration.argument}` tests what was trained elsewhere."
    )


def _refuse_without_people(specs: Sequence[RunSpec]) -> None:
    """Refuse to learn identities from images that name nobody."""
    from harness.data.digest import read_rows
    from harness.data.importing.layouts import names_nobody

    learning = [spec for spec in specs if spec.config["supervision"] == "identity"]
    for located in {spec.located.fingerprint: spec.located for spec in learning}.values():
        if located.declaration.drawn:
            continue
        if not names_nobody(read_rows(located.files["train"]).person_of_image):
            continue
        methods = ", ".join(dict.fromkeys(spec.method for spec in learning))
        raise HarnessError(
            f"Dataset {located.declaration.name!r} names nobody on its training images: {methods} "
            "cannot be trained, since identities are what it learns from. Methods that learn from "
            "pairs can."
        )


def _refuse_other_captions(specs: Sequence[RunSpec]) -> None:
    """Refuse an index file of wrong pairs that is made for another training set."""
    from harness.data.digest import read_rows

    listed = [(spec.located, spec.noise) for spec in specs if spec.noise and spec.noise.digest]
    counts = {located.fingerprint: located.files["train"] for located, _ in listed}
    captions = {data: len(read_rows(files).captions) for data, files in counts.items()}
    for located, noise in listed:
        if captions[located.fingerprint] != noise.count:
            raise HarnessError(
                f"--noise {noise.argument} is made for {noise.count} training captions; dataset "
                f"{located.declaration.name!r} has {captions[located.fingerprint]}."
            )


def locate_suite(suite: Suite, names: Sequence[str] | None) -> list[Located]:
    """Return the datasets of a suite, or those that are named; the data is found, or made."""
    from harness.cli.display import terminal
    from harness.data.catalogue import locate
    from harness.plan.collisions import refuse_two_of_a_name

    with terminal.steps() as show:
        located = [locate(suite.find_declaration(name), show) for name in names or suite.datasets]
    refuse_two_of_a_name(located)
    for one in located:
        refuse_unfit(one)
    return located


def name_plugins(plugins: Sequence[Path]) -> str:
    """Return the options that name plugins on the command line, each after a space."""
    return "".join(f" --plugins {shlex.quote(str(plugin))}" for plugin in plugins)


def refuse_unfit(located: Located) -> None:
    """Refuse a dataset on which figures would mean nothing; name one that is not official."""
    from harness.cli.display import terminal
    from harness.data.auditing.verdict import Status, judge
    from harness.data.digest import read_rows
    from harness.data.importing.layouts import BENCHMARKS

    if located.declaration.drawn:
        return
    name = located.declaration.name
    splits = {split: read_rows(files) for split, files in located.files.items()}
    verdict = judge(name, splits)
    advice = f"`harness data audit {located.declaration.argument}` tells more."
    if verdict.status is Status.REFUSED:
        raise HarnessError(f"Dataset {name!r} is refused: {verdict.reason}. {advice}")
    if verdict.status is Status.OTHER and name in BENCHMARKS:
        terminal.note(f"{name} is not official: {verdict.reason}. {advice}")


def _canonical(rerankings: Sequence[str]) -> list[str]:
    """Write re-rankings as the harness names them; refuse what is none."""
    if not rerankings:
        return []
    from harness.rerank import parse_reranking

    return [str(parse_reranking(text)) for text in rerankings]


def _parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return the values of settings by name; refuse a name that is given twice."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, value = _parse_setting(setting)
        if key in values:
            raise HarnessError(f"--set {key} is given twice. `harness tune` tries several values.")
        values[key] = value
    return values


def _parse_setting(setting: str) -> tuple[str, Any]:
    """Split key=value; the value is read as YAML, so 1, 2e-3, true, [1, 2] and words work."""
    from harness.plan.values import read_values

    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise HarnessError(f"--set {setting}: write key=value, for example --set epochs=1.")
    try:
        return key, read_values(value)
    except ValueError as error:
        raise HarnessError(f"--set {setting}: {value!r} is not YAML: {error}") from error
