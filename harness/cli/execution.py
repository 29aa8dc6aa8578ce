"""What commands that execute runs share: where to run, with how much, and the display."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.devices import (
    choose_device,
    refuse_slow,
    runs_at_a_time,
    say_device,
    why_no_card,
)
from harness.cli.fetching import require_downloads
from harness.cli.options import Device, Executor, parse_amount
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.display.running import RunsDisplay
    from harness.plan.spec import RunSpec
    from harness.run.options import Options
    from harness.run.tracking import Tracker
    from harness.slurm.commands import Settings

NO_GPU_ASKED = "no option asks Slurm for a GPU, as --slurm gpus=1 does"
AS_SLURM_LIKES = 1_000_000  # runs at a time on a cluster: more than there are


class Keep(StrEnum):
    """Which weights stay beside a result."""

    NONE = "none"
    SELECTED = "selected"
    ALL = "all"


def choose_cluster(executor: Executor, settings: Sequence[str]) -> Settings | None:
    """Return what jobs of a cluster are to have; None where runs are executed on this machine."""
    if executor is Executor.LOCAL:
        if settings:
            raise HarnessError("--slurm is for jobs of a cluster: give --executor slurm too.")
        return None
    from harness.slurm.commands import parse_settings, require_slurm

    require_slurm()
    return parse_settings(settings)


def choose_options(
    results: Path,
    jobs: int | None = None,
    device: Device = Device.AUTO,
    keep: Keep = Keep.SELECTED,
    cache: bool = True,
    force: bool = False,
    timeout: str | None = None,
    memory: str | None = None,
    cluster: Settings | None = None,
    trackers: Sequence[Tracker] = (),
    specs: Sequence[RunSpec] = (),
) -> Options:
    """Return how runs are executed, with what this machine offers by default."""
    from harness.run.options import Options

    if cluster is None:
        from harness.execution.local import preload

        preload(spec.plugin for spec in specs)  # while torch is imported here
    place = choose_device(device, cluster)
    if place == "cpu":
        untrained = [spec for spec in specs if force or not spec.is_trained(results)]
        refuse_slow(untrained, device, why_no_card() if cluster is None else NO_GPU_ASKED)
    if cluster is None:
        say_device(place, device)
    most = runs_at_a_time(place, specs) if cluster is None else AS_SLURM_LIKES
    return Options(
        results=results.resolve(),
        device=place,
        pixel_cache=cache,
        keep=keep.value,
        jobs=jobs or most,
        force=force,
        timeout=parse_amount("--timeout", "duration", timeout) if timeout else None,
        memory=int(parse_amount("--memory", "size", memory)) if memory else None,
        trackers=tuple(dict.fromkeys(tracker.value for tracker in trackers)),
    )


def execute_plan(
    specs: Sequence[RunSpec],
    results: Path,
    choose: Callable[[list[RunSpec]], Options],
    force: bool = False,
    dry_run: bool = False,
    cluster: Settings | None = None,
    forecast: Callable[[list[RunSpec], Options], None] | None = None,
) -> list[Any] | None:
    """Execute the runs of a plan that are not complete, or all, and return those that failed.

    Says first how many there are; a dry run shows them instead, and a forecast what they would
    take: both return None. What killed processes left of complete runs is cleared.

    Args:
        choose: returns how runs are executed; called only where there are some.
        forecast: is handed what would run in the place of execution.
    """
    from harness.cli.display import running
    from harness.results.locks import clear_unless_taken

    waiting: list[RunSpec] = []
    complete: list[RunSpec] = []
    for spec in specs:
        (complete if not force and spec.is_complete(results) else waiting).append(spec)
    running.say_plan(specs, waiting, results)
    running.say_unaudited(specs if not force else [], results)
    if dry_run:
        running.show_plan(specs, waiting, results)
        return None
    if forecast:
        if waiting:
            forecast(waiting, choose(waiting))
        return None
    for spec in complete:
        clear_unless_taken(spec.path(results), results)
    if not waiting:
        return []
    require_downloads(waiting)
    options = choose(waiting)
    failures = execute_runs(waiting, options, cluster)
    if not failures and options.keep != Keep.ALL:
        for folder in {spec.stages_path(results) for spec in waiting}:
            shutil.rmtree(folder, ignore_errors=True)
    return failures


def execute_runs(
    specs: list[RunSpec], options: Options, cluster: Settings | None = None
) -> list[Any]:
    """Execute runs with progress bars and return the records of those that failed."""
    from harness.execution import local
    from harness.slurm import queue

    at_once = min(options.jobs, len(specs))
    with _display(len(specs), at_once, options.results) as display:
        if cluster is None:
            local.execute_all(specs, options, display.watch())
        else:
            queue.execute_all(specs, options, display.watch(), cluster)
    return display.failures


def execute_each(specs: Sequence[RunSpec], options: Options) -> None:
    """Execute runs on this machine one after the other, however many would go at a time."""
    from harness.execution import local

    with _display(len(specs), 1, options.results) as display:
        for spec in specs:
            local.execute_all([spec], options, display.watch())


@contextlib.contextmanager
def _display(count: int, at_once: int, results: Path) -> Iterator[RunsDisplay]:
    """Show progress bars for runs; an interruption ends the command with what is to be said."""
    from harness.cli.display import running, terminal

    display = running.RunsDisplay(count, at_once, results)
    with display, _ending_as_interrupted():
        try:
            yield display
        except KeyboardInterrupt:
            display.close()
            terminal.note("Stopped. What is finished stays; the same command goes on from here.")
            raise typer.Exit(130) from None


@contextlib.contextmanager
def _ending_as_interrupted() -> Iterator[None]:
    """Take a request to end (of a cluster, of `kill`) for Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
