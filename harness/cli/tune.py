"""`harness tune`: settings of a method chosen on val."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.execution import Keep, choose_cluster, choose_options, execute_plan
from harness.cli.options import (
    WHAT,
    Datasets,
    Device,
    DryRun,
    Executor,
    Force,
    Jobs,
    MemoryLimit,
    OnDevice,
    OnExecutor,
    PixelCache,
    Plugins,
    Results,
    Seeds,
    SlurmOptions,
    SuiteName,
    Switch,
    TimeLimit,
    Trackers,
    parse_seeds,
)
from harness.cli.planning import locate_suite, name_plugins, refuse_untrainable
from harness.run.tracking import require_trackers

if TYPE_CHECKING:
    from harness.plan import Point


def tune(
    method: Annotated[str, typer.Argument(help="A method (irra) or a variant (irra:+SDM).")],
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting, as of `harness run --set`, with the values to try: "
            "learning_rate=1e-3,3e-4. May be given again: every combination is tried.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    suite: SuiteName = "demo",
    dataset: Datasets = None,
    seeds: Seeds = None,
    force: Force = False,
    dry_run: DryRun = False,
    jobs: Jobs = None,
    device: OnDevice = Device.AUTO,
    executor: OnExecutor = Executor.LOCAL,
    slurm: SlurmOptions = None,
    timeout: TimeLimit = None,
    memory: MemoryLimit = None,
    track: Trackers = None,
    pixel_cache: PixelCache = Switch.ON,
    plugins: Plugins = None,
    results: Results = Path("results"),
) -> None:
    """Try the settings of a grid on val, and say which `harness run` tests the best.

    Each combination is trained with every seed and scored on val alone: nothing of the test split
    is encoded, scored or written, so that test has no part in the choice. What is tried is on no
    ranking and no page. Ctrl-C loses nothing, and of a grid that grows only what is new is run.

    Example: **harness tune clip-itc --grid learning_rate=1e-3,3e-4 --grid temperature=0.05,0.1**
    """
    from harness.cli.display.tuning import show_failed_trials, show_tuning

    require_trackers(track or [])
    cluster = choose_cluster(executor, slurm or [])
    points = plan_points(method, grid or [], suite, dataset, seeds, plugins or [])
    trials = [trial for point in points for trial in point.trials]
    refuse_untrainable(trials)
    failures = execute_plan(
        trials,
        results,
        lambda waiting: choose_options(
            results, jobs, device, Keep.NONE, pixel_cache is Switch.ON, force, timeout, memory,
            cluster, track or [], waiting,
        ),
        force, dry_run, cluster,
    )  # fmt: skip
    if failures is None:
        return
    show_tuning(points, results)
    if show_failed_trials(trials, results):
        raise typer.Exit(1)


def plan_points(
    method: str,
    grid: list[str],
    suite_name: str,
    dataset_names: list[str] | None = None,
    seeds: str | None = None,
    plugins: list[Path] | None = None,
) -> list[Point]:
    """Return the points of the grid that the options name, of which nothing has been run."""
    from harness import plan, registry
    from harness.cli.display import terminal
    from harness.plan.beside import Finder

    values = plan.cross(plan.read_grid(grid))
    suite = plan.read_suite(suite_name)
    listings = registry.list_methods(plugins or [])
    (choice,) = plan.choose([method], listings, suite.scale, ablations=False)
    chosen = parse_seeds(seeds) if seeds else suite.seeds
    located = locate_suite(suite, dataset_names)
    options = name_plugins(plugins or [])
    with terminal.steps() as show:
        beside = Finder(suite, show)
        points = plan.plan_grid(suite, located, choice, chosen, values, options, beside)
    if same := len(values) - len(points) // len(located):
        terminal.note(f"{same} of {len(values)} combinations are left out: others are the same.")
    return points
