"""The command line. Heavy packages are imported inside the commands that need them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.registry import Listing
    from harness.spec import RunSpec

REPORTS = "harness.reports"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Benchmark text-to-image person retrieval: train and score methods under one protocol.

    Start with **harness run --all**: it trains every method on the drawn demo dataset and writes
    the leaderboard to ./site. Nothing that is complete is ever run again.
    """,
)
listing_app = typer.Typer(
    no_args_is_help=True, help="Show what there is: methods, datasets, suites, runs."
)
app.add_typer(listing_app, name="list")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugins", help="A file or folder with more methods; may be given again."),
]
Results = Annotated[Path, typer.Option("--results", help="The folder of the results.")]


class Device(StrEnum):
    """Where tensors live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Keep(StrEnum):
    """Which weights stay beside a result."""

    NONE = "none"
    SELECTED = "selected"
    ALL = "all"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def main() -> None:
    """Run the command line; an error that the user can mend is one message."""
    try:
        app()
    except HarnessError as error:
        from harness.terminal import fail

        fail(str(error))
        sys.exit(2)


@app.command()
def run(
    methods: Annotated[
        list[str] | None,
        typer.Argument(help="Methods (irra) or variants (irra:+SDM); none with --all."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Run every method there is.")] = False,
    suite: Annotated[str, typer.Option(help="A suite's name, or a YAML file.")] = "demo",
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only this dataset of the suite; may be given again.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds in place of the suite's: 0,1,2 or 0-4.")
    ] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Run every ablation row of the methods too.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value for a config or stage field: --set epochs=1."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run again what is complete.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time; as many as cores, or one on a GPU.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
    keep: Annotated[Keep, typer.Option(help="Which weights to keep.")] = Keep.SELECTED,
    pixel_cache: Annotated[
        Switch, typer.Option(help="Decode images once, or off: at every access.")
    ] = Switch.ON,
    plugins: Plugins = None,
    results: Results = Path("results"),
    site: Annotated[Path, typer.Option(help="Where to write the leaderboard.")] = Path("site"),
    report: Annotated[bool, typer.Option(help="Write the leaderboard afterwards.")] = True,
) -> None:
    """Train and score methods on a suite, then write the leaderboard.

    A run that is complete is never repeated; a changed method, block, config or dataset is run
    again. A run that fails is recorded while the others go on. Ctrl-C loses nothing: start again
    to go on.
    """
    from harness import registry, terminal
    from harness.broken import record_broken

    if not methods and not every:
        raise HarnessError("Name methods to run, or --all. `harness list methods` shows them.")
    listings = registry.list_methods(plugins or [])
    broken = [listing for listing in listings if listing.error] if every else []
    specs = _plan(
        methods or [], listings, suite, dataset, seeds, ablations, settings or [], plugins or []
    )
    waiting = [spec for spec in specs if force or not spec.is_complete(results)]
    terminal.say_plan(specs, waiting, results)
    if dry_run:
        terminal.show_plan(specs, waiting)
        return
    failures = _execute(waiting, results, jobs, device, keep, pixel_cache is Switch.ON)
    if every:
        record_broken(broken, specs, results)
    terminal.show_ranking(results, {(spec.suite, spec.dataset) for spec in specs})
    if report:
        _report(results, site)
    terminal.show_failures(failures, broken)
    if failures or broken:
        raise typer.Exit(1)


@app.command()
def report(
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("site"),
) -> None:
    """Write the leaderboard, a folder of plain HTML, from the results."""
    _report(results, out)


@app.command()
def pretrain(
    encoder: Annotated[str, typer.Argument(help="tiny-clip or tiny-albef.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; by default where it ships.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed.")] = 0,
) -> None:
    """Make the weights of a tiny encoder from drawn people, as the shipped ones were made."""
    from harness import registry, terminal

    with terminal.steps() as progress:
        written = registry.load_pretraining(encoder)(out, seed, progress)
    for path in written:
        print(path)


@listing_app.command("methods")
def list_methods(as_json: AsJson = False, plugins: Plugins = None) -> None:
    """Show every method, and every plugin that fails to import."""
    from harness import registry, terminal

    terminal.show_methods(registry.list_methods(plugins or []), as_json)


@listing_app.command("datasets")
def list_datasets(as_json: AsJson = False) -> None:
    """Show the datasets that a suite can name."""
    from harness import terminal
    from harness.data.catalogue import read_catalogue

    terminal.show_datasets(list(read_catalogue().values()), as_json)


@listing_app.command("suites")
def list_suites(as_json: AsJson = False) -> None:
    """Show the suites: datasets, scale and seeds."""
    from harness import plan, terminal

    terminal.show_suites(plan.list_suites(), as_json)


@listing_app.command("runs")
def list_runs(as_json: AsJson = False, results: Results = Path("results")) -> None:
    """Show every recorded run."""
    from harness import terminal
    from harness.results import load_runs

    terminal.show_runs(list(load_runs(results)), as_json)


def _plan(
    names: list[str],
    listings: list[Listing],
    suite_name: str,
    dataset_names: list[str] | None,
    seeds: str | None,
    ablations: bool,
    settings: list[str],
    plugins: list[Path],
) -> list[RunSpec]:
    from harness import plan, terminal
    from harness.data.catalogue import find_declaration, locate

    suite = plan.read_suite(suite_name)
    choices = plan.choose(names, listings, suite.scale, ablations)
    if not names:
        terminal.say_left_out(listings, suite.scale)
    with terminal.steps() as show:
        names_of_data = dataset_names or suite.datasets
        located = [locate(find_declaration(name), show) for name in names_of_data]
    options = "".join(f" --set {shlex.quote(setting)}" for setting in settings)
    options += "".join(f" --plugins {shlex.quote(str(plugin))}" for plugin in plugins)
    values = dict(_parse_setting(setting) for setting in settings)
    chosen = _parse_seeds(seeds) if seeds else suite.seeds
    return plan.plan(suite, located, choices, chosen, values, options)


def _parse_setting(setting: str) -> tuple[str, Any]:
    """Split key=value; the value is read as YAML, so 1, 2e-3, true, [1, 2] and words work."""
    import yaml

    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise HarnessError(f"--set {setting}: write key=value, for example --set epochs=1.")
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise HarnessError(f"--set {setting}: {value!r} is not YAML: {error}") from error
    with contextlib.suppress(TypeError, ValueError):
        return key, float(read) if isinstance(read, str) else read  # YAML takes 2e-3 for a word
    return key, read


def _parse_seeds(text: str) -> tuple[int, ...]:
    """Read 0,1,2 or 0-4."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += range(int(first), int(last if dash else first) + 1)
    except ValueError as error:
        raise HarnessError(f"--seeds {text}: write numbers, as in 0,1,2 or 0-4.") from error
    return tuple(dict.fromkeys(seeds))


def _execute(
    specs: list[RunSpec], results: Path, jobs: int | None, device: Device, keep: Keep, cache: bool
) -> list[Any]:
    """Execute runs with progress bars and return the records of those that failed."""
    if not specs:
        return []
    from harness import terminal
    from harness.execution import Options
    from harness.execution.local import execute_all, preload

    preload()
    place = _choose_device(device)
    options = Options(
        results=results.resolve(),
        device=place,
        pixel_cache=cache,
        keep=keep.value,
        jobs=jobs or _default_jobs(place),
    )
    with terminal.RunsDisplay(len(specs), options.jobs) as display:
        try:
            execute_all(specs, options, display.watch())
        except KeyboardInterrupt:
            display.close()
            terminal.note("Stopped. What is finished stays; the same command goes on from here.")
            raise typer.Exit(130) from None
    return display.failures


def _choose_device(device: Device) -> str:
    """Return the device's type; "auto" is the first of cuda, mps and cpu that is there."""
    if device is not Device.AUTO:
        return device.value
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _default_jobs(device: str) -> int:
    import os

    return len(os.sched_getaffinity(0)) if device == "cpu" else 1


def _report(results: Path, out: Path) -> None:
    from harness import terminal

    entries = importlib.metadata.entry_points(group=REPORTS)
    if not entries:
        raise HarnessError("No report is installed: reinstall the package (pip install -e .).")
    for entry in entries:
        build: Callable[[Path, Path], Path] = entry.load()
        try:
            terminal.note(f"Leaderboard: {build(results, out)}")
        except (ValueError, OSError) as error:
            raise HarnessError(str(error)) from error
