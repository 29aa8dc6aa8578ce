"""What the command line shows: tables, progress bars, messages. Results go to standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from rich import markup
from rich.console import Console
from rich.table import Column, Table

from harness.printable import printable_lines
from harness.progress import Show
from harness.results import METRICS, RunRecord, StoredRun, load_runs
from harness.results.origin import read_origin

if TYPE_CHECKING:
    from rich.progress import TaskID

    from harness.data.declaration import Declaration
    from harness.execution.watch import Watch
    from harness.plan import Suite
    from harness.plan.spec import RunSpec
    from harness.progress import Update
    from harness.registry import Listing

console = Console()
messages = Console(stderr=True)


def escape(text: str) -> str:
    """Return text of whatever origin so that it is shown as it is: no markup, no control codes."""
    return markup.escape(printable_lines(text))


def note(text: str) -> None:
    """Say something to the user, beside the results."""
    messages.print(escape(text), highlight=False, soft_wrap=True)


def fail(text: str) -> None:
    """Say what went wrong."""
    messages.print(f"[red]Error:[/red] {escape(text)}", highlight=False, soft_wrap=True)


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


def show_methods(listings: Sequence[Listing], as_json: bool) -> None:
    """Show methods; a broken plugin in place of its method, with its error."""
    if as_json:
        print(json.dumps([_method(listing) for listing in listings], indent=1))
        return
    rows = []
    for listing in listings:
        method = _method(listing)
        if listing.error:
            what = f"does not import: {listing.error['kind']}: {listing.error['message']}"
            rows.append((listing.name, what, "", "", ""))
        else:
            count = str(len(method["variants"]))
            recipes = ", ".join(method["recipes"])
            rows.append((listing.name, method["title"], method["supervision"], recipes, count))
    print_table(("name", "title", "supervision", "recipes", "variants"), rows)


def _method(listing: Listing) -> dict[str, Any]:
    description = listing.description or {}
    return {
        "name": listing.name,
        "title": description.get("title", listing.name),
        "summary": description.get("summary", ""),
        "paper": description.get("paper", ""),
        "url": description.get("url", ""),
        "supervision": description.get("supervision"),
        "variants": [variant["label"] for variant in description.get("variants", [])],
        "recipes": list(description.get("scales", {})),
        "source": str(listing.plugin.module.path),
        "error": listing.error,
    }


def show_datasets(declarations: Sequence[Declaration], as_json: bool) -> None:
    """Show datasets with where they come from."""
    if as_json:
        print(json.dumps([asdict(declaration) for declaration in declarations], indent=1))
        return
    rows = [(d.name, d.title, _source(d), d.licence) for d in declarations]
    print_table(("name", "title", "source", "licence"), rows)


def _source(declaration: Declaration) -> str:
    if declaration.drawn:
        return "drawn by the project"
    if declaration.hub:
        return f"hub: {declaration.hub} at {declaration.revision}"
    there = "" if Path(declaration.folder or "").is_dir() else " (not there)"
    return f"folder: {declaration.folder}{there}"


def show_suites(suites: Sequence[Suite], as_json: bool) -> None:
    """Show suites."""
    if as_json:
        print(json.dumps([asdict(suite) for suite in suites], indent=1))
        return
    rows = [
        (s.name, s.title, ", ".join(s.datasets), s.scale, ", ".join(map(str, s.seeds)))
        for s in suites
    ]
    print_table(("name", "title", "datasets", "scale", "seeds"), rows)


def show_runs(runs: Sequence[StoredRun], as_json: bool) -> None:
    """Show recorded runs."""
    if as_json:
        values = [
            {**asdict(run.record), "path": str(run.path), "origin": _origin(run)} for run in runs
        ]
        print(json.dumps(values, indent=1))
        return
    rows = []
    for run in runs:
        record, origin = run.record, read_origin(run.path)
        r1 = f"{record.metrics['r1']:.2f}" if "r1" in record.metrics else ""
        seconds = f"{record.total_seconds:.0f}"
        name = (record.suite, record.dataset, record.method, record.variant, str(record.seed))
        who = (origin.by or "nobody named") if origin else ""
        rows.append((*name, record.status, r1, seconds, who))
    headers = ("suite", "dataset", "method", "variant", "seed", "status", "R1", "seconds")
    if any(row[-1] for row in rows):
        print_table((*headers, "submitted by"), rows)
    else:
        print_table(headers, [row[:-1] for row in rows])


def _origin(run: StoredRun) -> dict[str, str] | None:
    origin = read_origin(run.path)
    return asdict(origin) if origin else None


def show_ranking(results: Path, shown: set[tuple[str, str]]) -> None:
    """Show a ranked table for each suite and dataset: means over seeds, best R1 first."""
    groups: dict[tuple[str, str], dict[tuple[str, str], list[RunRecord]]] = {}
    for record in (run.record for run in load_runs(results)):
        place = (record.suite, record.dataset)
        if place in shown and record.status == "ok":
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


@contextmanager
def steps() -> Iterator[Show]:
    """Show a progress bar for each thing that is done; yields a function of (what, done, all)."""
    from rich.progress import Progress

    with Progress(console=messages) as progress:
        tasks: dict[str, TaskID] = {}

        def update(what: str, done: int, total: int) -> None:
            name = what.partition(",")[0]
            task = tasks.get(name)
            if task is None:
                task = tasks[name] = progress.add_task(what, total=total)
            progress.update(task, description=escape(what), completed=done, total=total)

        yield update


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None
) -> None:
    """Print rows of text under headers."""
    columns = [Column(header, overflow="fold") for header in headers]
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table, highlight=False)
