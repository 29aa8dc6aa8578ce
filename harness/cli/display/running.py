"""What `harness run` shows: what is planned, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from harness.results import METRICS, RunRecord, load_runs

if TYPE_CHECKING:
    from rich.progress import TaskID

    from harness.execution.watch import Watch
    from harness.plan.spec import RunSpec
    from harness.progress import Update
    from harness.registry import Listing
from harness.cli.display.terminal import escape, fail, messages, note, print_table


def say_plan(specs: Sequence[RunSpec], waiting: Sequence[RunSpec], results: Path) -> None:
    """Say how many runs there are and how many of them are complete."""
    done = len(specs) - len(waiting)
    note(f"{len(specs)} runs planned, {done} complete in {results}, {len(waiting)} to do.")


def say_left_out(listings: Sequence[Listing], scale: str) -> None:
    """Name the methods that have no recipe for a scale."""
    without = [
        listing.name
        for listing in listings
        if listing.description and scale not in listing.description["scales"]
    ]
    if without:
        note(f"Left out, without a recipe for scale {scale}: {', '.join(without)}.")


def show_plan(specs: Sequence[RunSpec], waiting: Sequence[RunSpec], results: Path) -> None:
    """Show every planned run."""
    keys = {spec.key for spec in waiting}
    rows = [
        (s.dataset, s.method, s.variant, str(s.seed), _state(s, results, s.key in keys))
        for s in specs
    ]
    print_table(("dataset", "method", "variant", "seed", "state"), rows)


def _state(spec: RunSpec, results: Path, is_waiting: bool) -> str:
    if not is_waiting:
        return "complete"
    if spec.is_complete(results):  # and asked for by --force
        return "to do"
    if spec.is_trained(results):
        return "to evaluate further"
    return "to score anew" if spec.stored_training(results) else "to do"


def show_ranking(results: Path, specs: Sequence[RunSpec]) -> None:
    """Show a ranked table for each suite and dataset: means over seeds, best R1 first.

    Runs on the same dataset with another content have no place in it.
    """
    content = {(spec.suite, spec.dataset): spec.located.fingerprint for spec in specs}
    groups: dict[tuple[str, str], dict[tuple[str, str], list[RunRecord]]] = {}
    for record in (run.record for run in load_runs(results)):
        place = (record.suite, record.dataset)
        same = place in content and record.data.get("fingerprint") == content[place]
        if same and record.status == "ok":
            group = groups.setdefault(place, {})
            group.setdefault((record.method, record.variant), []).append(record)
    for place, group in sorted(groups.items()):
        _print_ranking(place, group)


def _print_ranking(place: tuple[str, str], group: dict[tuple[str, str], list[RunRecord]]) -> None:
    means = {
        name: [mean(record.metrics[metric] for record in records) for metric in METRICS]
        for name, records in group.items()
    }
    drawn = any(record.data.get("drawn") for records in group.values() for record in records)
    title = f"{place[1]} ({place[0]}), test, mean over seeds" + (": drawn people" if drawn else "")
    rows = []
    for rank, name in enumerate(sorted(means, key=lambda name: -means[name][0]), 1):
        label = name[0] if name[1] == "full" else f"{name[0]}:{name[1]}"
        r1 = [record.metrics["r1"] for record in group[name]]
        spread = f"{min(r1):.2f}-{max(r1):.2f}"
        values = [f"{value:.2f}" for value in means[name]]
        rows.append((str(rank), label, *values, spread, str(len(r1))))
    print_table(("", "method", *METRICS.values(), "R1 range", "seeds"), rows, title)


def show_failures(records: Sequence[RunRecord], broken: Sequence[Listing]) -> None:
    """List failed runs and broken plugins, if any."""
    for listing in broken:
        assert listing.error is not None
        kind, message = listing.error["kind"], listing.error["message"]
        fail(f"{listing.name} does not import: {kind}: {message} ({listing.plugin.module.path})")
    for record in records:
        error = record.error or {"kind": record.status, "message": ""}
        name = f"{record.dataset} {record.method}:{record.variant} seed {record.seed}"
        fail(f"{name}: {error['kind']}: {error['message']}")
    if records:
        note("The tracebacks are in run.json of each, and on the methods' pages.")


class RunsDisplay:
    """Progress bars for runs under way, and what has failed so far."""

    def __init__(self, count: int, jobs: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self.failures: list[RunRecord] = []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
            console=messages,
        )
        state = f"{jobs} at a time"
        self._all = self._progress.add_task("all runs", total=count, state=state)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> RunsDisplay:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()

    def watch(self) -> Watch:
        """Return what the executor calls."""
        from harness.execution.watch import Watch

        return Watch(self._start, self._update, self._finish, self._stop, self._queue, self._tell)

    def _start(self, spec: RunSpec) -> None:
        task = self._progress.add_task(escape(str(spec)), total=None, state="starting")
        self._tasks[str(spec)] = task

    def _update(self, spec: RunSpec, update: Update) -> None:
        task = self._tasks[str(spec)]
        if update.progress is None:
            self._progress.update(task, state=escape(update.doing))
            return
        now = update.progress
        best = "" if now.val_r1 is None else f", val R1 {now.val_r1:.1f}"
        self._progress.update(
            task,
            total=now.epochs * now.steps,
            completed=(now.epoch - 1) * now.steps + now.step,
            state=f"epoch {now.epoch}/{now.epochs}, loss {now.loss:.3f}{best}",
        )

    def _queue(self, queued: int, running: int) -> None:
        self._progress.update(self._all, state=f"{queued} queued, {running} running")

    def _tell(self, text: str) -> None:
        self._progress.console.print(escape(text), highlight=False, soft_wrap=True)

    def _stop(self) -> None:
        note("Stopping behind the next checkpoint of each run; Ctrl-C again stops at once.")

    def _finish(self, spec: RunSpec, record: RunRecord) -> None:
        task = self._tasks.pop(str(spec), None)
        if task is not None:  # else another process has done it
            self._progress.remove_task(task)
        self._progress.advance(self._all)
        if record.status == "ok":
            text = f"R1 {record.metrics['r1']:.2f}, {record.total_seconds:.0f} s"
        else:
            self.failures.append(record)
            text = f"{record.status}: {(record.error or {}).get('message', '')}"
        self._progress.console.print(f"{escape(str(spec))}: {escape(text)}", highlight=False)
