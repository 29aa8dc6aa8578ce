"""`harness run`: plan, execute, rank."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.execution import (
    Executor,
    Keep,
    choose_cluster,
    choose_options,
    execute_plan,
)
from harness.cli.options import (
    HOW,
    WHAT,
    WHERE,
    Ablations,
    Datasets,
    Device,
    Every,
    Jobs,
    Methods,
    OnDevice,
    Plugins,
    Report,
    Results,
    Seeds,
    Site,
    parse_seeds,
)
from harness.cli.report import write_reports
from harness.errors import HarnessError
from harness.run.tracking import Tracker, require_trackers

if TYPE_CHECKING:
    from harness.data.declaration import Located
    from harness.plan import Suite
    from harness.plan.spec import RunSpec
    from harness.registry import Listing


AGAIN = "Score again"  # a heading of the help


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


SuiteName = Annotated[
    str, typer.Option("--suite", help="A suite's name, or a YAML file.", rich_help_panel=WHAT)
]
Rerankings = Annotated[
    list[str] | None,
    typer.Option(
        "--rerank",
        help="Score each run again with a re-ranking, without training: k-reciprocal, "
        "visual-neighbours, with settings as in visual-neighbours:weight=0.05,nearest=10. "
        "May be given again.",
        rich_help_panel=AGAIN,
    ),
]
Queries = Annotated[
    list[str] | None,
    typer.Option(
        help="Score each run again with other queries, without training: masked-nouns drops "
        "the nouns that are most like the image. May be given again.",
        rich_help_panel=AGAIN,
    ),
]
SettingsGiven = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="key=value for a config or stage field: --set epochs=1. To choose a value, "
        "`harness tune` looks at val alone.",
        rich_help_panel=WHAT,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Run again what is complete.", rich_help_panel=HOW)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run.", rich_help_panel=HOW)
]
OnExecutor = Annotated[
    Executor,
    typer.Option(
        "--executor",
        help="Run on this machine, or as jobs of a Slurm cluster.",
        rich_help_panel=HOW,
    ),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        help="An option of sbatch, with --executor slurm: partition=gpu, time=08:00:00, "
        "gpus=1, mem=32G, account=name. May be given again.",
        rich_help_panel=HOW,
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        help="Stop a run that takes longer: 45s, 30m, 2h. Its checkpoint stays.",
        rich_help_panel=HOW,
    ),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="What a run may allocate: 500MB, 8GB; more is an error.",
        rich_help_panel=HOW,
    ),
]
Trackers = Annotated[
    list[Tracker] | None,
    typer.Option(
        "--track",
        help="Show the training in TensorBoard (`tensorboard --logdir results/.tensorboard`) "
        "or Weights & Biases. May be given again.",
        rich_help_panel=HOW,
    ),
]
Kept = Annotated[
    Keep,
    typer.Option(
        "--keep",
        help="Which weights to keep; none keeps no embeddings either.",
        rich_help_panel=WHERE,
    ),
]
PixelCache = Annotated[
    Switch,
    typer.Option(help="Decode images once, or off: at every access.", rich_help_panel=HOW),
]


def run(
    methods: Methods = None,
    every: Every = False,
    suite: SuiteName = "demo",
    dataset: Datasets = None,
    seeds: Seeds = None,
    ablations: Ablations = False,
    rerank: Rerankings = None,
    queries: Queries = None,
    settings: SettingsGiven = None,
    force: Force = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
    device: OnDevice = Device.AUTO,
    executor: OnExecutor = Executor.LOCAL,
    slurm: SlurmOptions = None,
    timeout: TimeLimit = None,
    memory: MemoryLimit = None,
    track: Trackers = None,
    keep: Kept = Keep.SELECTED,
    pixel_cache: PixelCache = Switch.ON,
    plugins: Plugins = None,
    results: Results = Path("results"),
    site: Site = Path("site"),
    report: Report = True,
) -> None:
    """Train and score methods on a suite, then write the leaderboard.

    A run that is complete is never repeated; a changed method, block, config or dataset is run
    again. A run that fails is recorded while the others go on. Ctrl-C loses nothing: start again
    to go on. With --rerank and --queries, trained weights are scored again, never trained again.
    """
    from harness import registry
    from harness.cli.display import running
    from harness.cli.display.evaluations import show_evaluations, show_failed_evaluations
    from harness.plan.collisions import refuse_collisions
    from harness.run.broken_plugins import record_broken

    if not methods and not every:
        raise HarnessError("Name methods to run, or --all. `harness list methods` shows them.")
    require_trackers(track or [])  # refused before data is made
    cluster = choose_cluster(executor, slurm or [])
    listings = registry.list_methods(plugins or [])
    broken = [listing for listing in listings if listing.error] if every else []
    specs = plan_runs(
        methods or [], listings, suite, dataset, seeds, ablations, settings or [], plugins or [],
        rerank or [], queries or [],
    )  # fmt: skip
    refuse_collisions(specs, results)
    failures = execute_plan(
        specs,
        results,
        lambda waiting: choose_options(
            results, jobs, device, keep, pixel_cache is Switch.ON, force, timeout, memory, cluster,
            track or [], plugins=[spec.plugin for spec in waiting],
        ),
        force, dry_run, cluster,
    )  # fmt: skip
    if failures is None:
        return
    if every:
        record_broken(broken, specs, results)
    running.show_ranking(results, specs)
    show_evaluations(specs, results)
    if report:
        write_reports(results, site)
    running.show_failures(failures, broken)
    unevaluated = show_failed_evaluations(specs, results)
    if failures or broken or unevaluated:
        raise typer.Exit(1)


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
) -> list[RunSpec]:
    """Return the runs that the options of a command name; the data is found, or made, first."""
    from harness import plan, registry
    from harness.cli.display import running
    from harness.plan.collisions import once

    suite = plan.read_suite(suite_name)
    choices = plan.choose(names, listings, suite.scale, ablations)
    if not names:
        running.say_left_out(listings, suite.scale)
    located = locate_datasets(suite, dataset_names)
    options = "".join(f" --set {shlex.quote(setting)}" for setting in settings)
    options += name_plugins(plugins)
    values = _parse_settings(settings)
    chosen = parse_seeds(seeds) if seeds else suite.seeds
    canonical = _canonical(rerankings)
    for name in queries:
        registry.load_queries(name)  # refused before anything is run
    specs = plan.plan(suite, located, choices, chosen, values, options, canonical, queries)
    refuse_untrainable(specs)
    return list(once(specs))


def refuse_untrainable(specs: Sequence[RunSpec]) -> None:
    """Refuse to train where a split is missing that training needs."""
    needing = [spec for spec in specs if spec.recipe["stages"] or not spec.is_tested]
    trained = [spec for spec in needing if spec.located.missing]
    if not trained:
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


def locate_datasets(suite: Suite, names: Sequence[str] | None) -> list[Located]:
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
    from harness.data.importing.layouts import LAYOUTS

    if located.declaration.drawn:
        return
    name = located.declaration.name
    splits = {split: read_rows(files) for split, files in located.files.items()}
    verdict = judge(name, splits)
    advice = f"`harness data audit {located.declaration.argument}` tells more."
    if verdict.status is Status.REFUSED:
        raise HarnessError(f"Dataset {name!r} is refused: {verdict.reason}. {advice}")
    if verdict.status is Status.OTHER and name in LAYOUTS:
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
