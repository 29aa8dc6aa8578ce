"""What `harness run` shows: what is planned, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from harness.printable import printable
from harness.registry.scales import has_scale
from harness.results import FULL, METRICS, TIED, RunRecord, StoredRun, read_record
from harness.results.shipped import is_shipped, load_layered
from harness.results.versions import newest_version, why_record_apart

if TYPE_CHECKING:
    from rich.progress import TaskID

    from harness.execution.watch import Watch
    from harness.plan.spec import RunSpec
    from harness.progress import Progress, Update
    from harness.registry import Listing
from harness.cli.display.terminal import (
    escape,
    fail,
    messages,
    note,
    print_table,
    write_duration,
    write_runs,
)

LONGEST_DOUBT = 200  # characters
TO_AUDIT = "to do, audited"  # the state of a run whose epochs are to be scored on test too


def say_plan(specs: Sequence[RunSpec], waiting: Sequence[RunSpec], results: Path) -> None:
    """Say how many runs there are and how many of them are complete."""
    done = len(specs) - len(waiting)
    note(f"{len(specs)} runs planned, {done} complete in {results}, {len(waiting)} to do.")


def say_unaudited(specs: Sequence[RunSpec], results: Path) -> None:
    """Say of how many runs an audit is asked for that they were made without."""
    lacking = [spec for spec in specs if spec.lacks_audit(results)]
    if lacking:
        methods = ", ".join(dict.fromkeys(spec.name for spec in lacking))
        note(
            f"Made without --audit-selection, and not trained again for it: {len(lacking)} of "
            f"these runs ({methods}). What their other epochs would have scored cannot be told "
            "any more; --force trains them again."
        )


def say_left_out(listings: Sequence[Listing], scale: str) -> None:
    """Name the methods that have no recipe for a scale."""
    without = [
        listing.name
        for listing in listings
        if listing.description and not has_scale(listing.description, scale)
    ]
    if without:
        note(f"Left out, without a recipe for scale {scale}: {', '.join(without)}.")


def show_plan(specs: Sequence[RunSpec], waiting: Sequence[RunSpec], results: Path) -> None:
    """Show every planned run."""
    keys = {spec.key for spec in waiting}
    states = [_state(spec, results, spec.key in keys) for spec in specs]
    rows = [
        (spec.dataset, spec.method, spec.variant, str(spec.seed), state)
        for spec, state in zip(specs, states, strict=True)
    ]
    print_table(("dataset", "method", "variant", "seed", "state"), rows)
    _say_audits(specs, states.count(TO_AUDIT))


def _say_audits(specs: Sequence[RunSpec], count: int) -> None:
    """Say what an audit costs that so many runs are to make, and which are not asked for one."""
    if count:
        note(f"To audit: {count} of these runs, each with test encoded once an epoch.")
    unasked = [spec.name for spec in specs if spec.audit_selection and not spec.is_audited]
    if unasked:
        note(f"Not audited, since nothing of it is trained: {', '.join(dict.fromkeys(unasked))}.")


def _state(spec: RunSpec, results: Path, is_waiting: bool) -> str:
    to_do = TO_AUDIT if spec.is_audited else "to do"
    if is_waiting and spec.is_complete(results):  # and asked for by --force
        return to_do
    unaudited = ", not audited" if spec.lacks_audit(results) else ""
    if not is_waiting:
        return f"complete{unaudited}"
    if spec.is_trained(results):
        return f"to evaluate further{unaudited}"
    return f"to score anew{unaudited}" if spec.stored_training(results) else to_do


Group = Mapping[str, Sequence[StoredRun]]  # by the name of a method or variant


def show_ranking(results: Path, specs: Sequence[RunSpec]) -> None:
    """Show a ranked table for each suite and dataset of a plan: means over seeds, best R1 first.

    In it are the methods as published, and of their variants those that were planned. Runs on the
    same dataset with another content have no place in it; what an older version of the protocol
    scored stands below, unranked, unless no tie decides it. Runs that came with the project stand
    beside one's own of the suite, and are marked. What was trained with wrong pairs has a table of
    its own for each noise.
    """
    planned = {(spec.suite, spec.dataset, spec.method, spec.variant) for spec in specs}
    content = {(spec.suite, spec.dataset): spec.located.fingerprint for spec in specs}
    groups: dict[tuple[str, str, str], dict[str, list[StoredRun]]] = {}
    others: set[tuple[str, str, str, str]] = set()
    runs = load_layered(results)
    for run in runs:
        record = run.record
        name = (record.suite, record.dataset, record.method, record.variant)
        same = name[:2] in content and record.data.get("fingerprint") == content[name[:2]]
        if not same or record.status != "ok":
            continue
        if record.variant != FULL and name not in planned:
            others |= set() if is_shipped(run) else {name}
            continue
        place = *name[:2], record.noise_label
        groups.setdefault(place, {}).setdefault(record.name, []).append(run)
    for place, group in sorted(groups.items()):
        _print_ranking(place, group)
    if others:
        note(f"Variants beside these in {results}: {len(others)}. `harness list runs` shows them.")
    _say_other_content(runs, content)


def _say_other_content(runs: Sequence[StoredRun], content: Mapping[tuple[str, str], str]) -> None:
    """Say which runs that ship have no place in a table: they saw other data of its name."""
    shipped = [run.record for run in runs if is_shipped(run)]
    for place, here in content.items():
        prints = [str(one.data.get("fingerprint")) for one in shipped
                  if (one.suite, one.dataset) == place]  # fmt: skip
        if apart := [one for one in prints if one != here]:
            note(
                f"Not shown: {len(apart)} runs that ship, which saw another content of {place[1]} "
                f"({apart[0][:12]}) than is here ({here[:12]}), so that nothing can be compared. "
                "Other versions of Pillow may draw other people."
            )


def _print_ranking(place: tuple[str, str, str], group: Group) -> None:
    means = {
        name: [mean(run.record.metrics[metric] for run in runs) for metric in METRICS]
        for name, runs in group.items()
    }
    drawn = any(run.record.data.get("drawn") for runs in group.values() for run in runs)
    apart = _find_apart(group)
    suite, dataset, noise = place
    title = f"{dataset} ({suite}), test, mean over seeds" + (": drawn people" if drawn else "")
    title += f", trained with {noise}" if noise else ""
    rows = []
    ordered = sorted(means, key=lambda name: (name in apart, -means[name][0]))
    for rank, name in enumerate(ordered, 1):
        r1 = [run.record.metrics["r1"] for run in group[name]]
        values = [f"{value:.2f}" for value in means[name]]
        shown = "-" if name in apart else str(rank)
        seeds = write_runs(len(r1), sum(map(is_shipped, group[name])))
        rows.append((shown, name, _mean_val(group[name]), *values, spread(r1), seeds))
    print_table(("", "method", "val R1", *METRICS.values(), "R1 range", "seeds"), rows, title)
    for name, why in apart.items():
        note(f"Not ranked: {name} {why}.")
    if hanging := _tell_ties(group):
        note(f"Some figures hang on how ties break: {hanging}.")


def _mean_val(runs: Sequence[StoredRun]) -> str:
    """Return the mean val R1 of the epochs that were selected; empty where a run has none."""
    figures = [run.val().get("val_r1") for run in runs]
    known = [figure for figure in figures if figure is not None]
    return f"{mean(known):.2f}" if len(known) == len(figures) else ""


def spread(figures: Sequence[float]) -> str:
    """Return the least and the largest of figures, as tables show them; of equal ones, nothing."""
    if len(set(figures)) < 2:
        return "-"
    return f"{min(figures):.2f}-{max(figures):.2f}"


def _find_apart(group: Group) -> dict[str, str]:
    """Return what may not be ranked with the others, and why."""
    newest = newest_version(run.record for runs in group.values() for run in runs)
    whys = {
        name: next(filter(None, (why_record_apart(run.record, newest) for run in runs)), "")
        for name, runs in group.items()
    }
    return {name: why for name, why in whys.items() if why}


def _tell_ties(group: Group) -> str:
    """Say of which methods queries hang on a tie, and how many: means over seeds."""
    told = []
    for name, runs in group.items():
        known = [run.record.metrics[TIED] for run in runs if TIED in run.record.metrics]
        if known and (share := mean(known)):
            told.append(f"{share:.3g} % of the queries of {name}")
    return ", ".join(told)


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


def _figures(run: StoredRun) -> str:
    """Return what chose the epoch of a run and, of one that is no trial, what test says."""
    found = {**run.val(), **run.record.metrics}
    names = {"val_r1": "val R1", "r1": "test R1"}
    return ", ".join(f"{told} {found[name]:.2f}" for name, told in names.items() if name in found)


def tell_progress(now: Progress) -> str:
    """Say where training stands, how fast it goes, and when it ends at that pace."""
    told = [f"epoch {now.epoch}/{now.epochs}", f"loss {now.loss:.3f}"]
    if now.val_r1 is not None:
        told.append(f"val R1 {now.val_r1:.1f}")
    if now.images_per_second is not None:
        told.append(f"{now.images_per_second:.0f} images/s")
    if now.waiting_share is not None:
        told.append(f"{100 * now.waiting_share:.0f} % waiting for data")
    if now.seconds_left is not None:
        told.append(f"{write_duration(now.seconds_left)} left")
    return ", ".join(told)


def records_of(specs: Sequence[RunSpec], results: Path) -> list[RunRecord]:
    """Return the records of planned runs, as far as there are any."""
    found = (read_record(spec.path(results)) for spec in specs)
    return [record for record in found if record]


def show_doubts(runs: Iterable[RunRecord]) -> None:
    """List runs whose first epochs lie far outside those of earlier ones."""
    doubted = [record for record in runs if record.doubt]
    for record in doubted:
        name = f"{record.dataset} {record.method}:{record.variant} seed {record.seed}"
        note(f"In doubt, {name}: {printable(record.doubt, LONGEST_DOUBT)}.")
    if doubted:
        note("Such a run is ranked as any other: it only began unlike those before it.")


class RunsDisplay:
    """Progress bars for runs under way, and what has failed so far."""

    def __init__(self, count: int, jobs: int, results: Path) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self.failures: list[RunRecord] = []
        self._results = results
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
        if update.doubt:
            self._tell(f"{spec}: in doubt: {update.doubt}.")
        if update.progress is None:
            self._progress.update(task, state=escape(update.doing))
            return
        now = update.progress
        self._progress.update(
            task,
            total=now.epochs * now.steps,
            completed=(now.epoch - 1) * now.steps + now.step,
            state=tell_progress(now),
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
            run = StoredRun(record, spec.path(self._results))
            told = [_figures(run), f"{record.total_seconds:.0f} s"]
            text = ", ".join(filter(None, told))
        else:
            self.failures.append(record)
            text = f"{record.status}: {(record.error or {}).get('message', '')}"
        self._progress.console.print(f"{escape(str(spec))}: {escape(text)}", highlight=False)
