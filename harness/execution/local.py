"""Runs on this machine: one process each, started from a preloaded fork server."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from harness import results
from harness.execution import Options
from harness.progress import Update
from harness.spec import RunSpec

LOG = "log.txt"
LOG_TAIL = 4000  # characters of a dead run's output that its record keeps


@dataclass
class _Worker:
    """A run under way."""

    spec: RunSpec
    process: ForkServerProcess
    updates: Connection


@dataclass(frozen=True)
class Watch:
    """What is told while runs are executed."""

    started: Callable[[RunSpec], None]
    updated: Callable[[RunSpec, Update], None]
    finished: Callable[[RunSpec, results.RunRecord], None]


def execute_all(specs: Sequence[RunSpec], options: Options, watch: Watch) -> None:
    """Execute runs, `options.jobs` at a time, each in a process of its own.

    A run that raises records its error itself; one whose process dies is recorded here. On
    KeyboardInterrupt the processes are stopped and what is finished stays.
    """
    preload()
    context = multiprocessing.get_context("forkserver")
    waiting = iter(specs)
    running: dict[Any, _Worker] = {}
    try:
        while True:
            _fill(running, waiting, options, watch, context)
            if not running:
                return
            for ready in wait(list(running)):
                _serve(running, ready, options, watch)
    except BaseException:
        for worker in running.values():
            worker.process.terminate()
        for worker in running.values():
            worker.process.join()
        raise


def preload() -> None:
    """Start the fork server, which imports the heavy packages once; returns at once."""
    forkserver.set_forkserver_preload(["harness.execution.preload"])
    forkserver.ensure_running()


def _fill(
    running: dict[Any, _Worker],
    waiting: Iterator[RunSpec],
    options: Options,
    watch: Watch,
    context: Any,
) -> None:
    """Start runs until as many are under way as there are jobs."""
    while len(running) < options.jobs:
        spec = next(waiting, None)
        if spec is None:
            return
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(spec, options, sending))
        process.start()
        sending.close()
        running[receiving] = _Worker(spec, process, receiving)
        watch.started(spec)


def _serve(running: dict[Any, _Worker], updates: Any, options: Options, watch: Watch) -> None:
    """Pass on an update of a worker, or see to its end."""
    worker = running[updates]
    try:
        watch.updated(worker.spec, updates.recv())
    except EOFError:
        del running[updates]
        worker.process.join()
        watch.finished(worker.spec, _outcome(worker, options))


def _outcome(worker: _Worker, options: Options) -> results.RunRecord:
    """Return the record of a run whose process has ended, writing one where it could not."""
    path = worker.spec.path(options.results)
    record = results.read_record(path)
    if worker.process.exitcode == 0 and record and record.key == worker.spec.key:
        return record
    if record and worker.spec.is_trained(options.results) and not options.force:
        return record  # what died was a further evaluation of it
    return _record_death(worker, path)


def _record_death(worker: _Worker, path: Path) -> results.RunRecord:
    code, work = worker.process.exitcode or 0, results.working_folder(path)
    how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
    error = {
        "kind": "ProcessDied",
        "message": f"the process of the run {how} before it could finish",
        "traceback": _tail(work / LOG),
    }
    record = replace(worker.spec.record(), status="killed", error=error)
    shutil.rmtree(work / results.WEIGHTS, ignore_errors=True)
    (work / "key").unlink(missing_ok=True)
    results.finish_run(record, path)
    return record


def _tail(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
    except OSError:
        return ""


def _work(spec: RunSpec, options: Options, updates: Connection) -> None:
    """The main function of a run's process."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the harness sees to its runs
    # cuBLAS repeats its sums in one order only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from harness.run import execute, prepare_folder

    work = prepare_folder(spec, options)
    _log_to(work / LOG)
    execute(spec, options, _sender(updates))


def _sender(updates: Connection) -> Callable[[Update], None]:
    """Return a function that sends an update, at most ten a second while only steps move."""
    import time

    doing, sent = "", 0.0

    def say(update: Update) -> None:
        nonlocal doing, sent
        now = time.monotonic()
        if update.doing == doing and now - sent < 0.1:
            return
        doing, sent = update.doing, now
        updates.send(update)

    return say


def _log_to(file: Path) -> None:
    """Send what the run prints, from Python or below it, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _die_with_parent() -> None:
    """End this process when the harness is gone: nobody would count its result."""
    process = multiprocessing.parent_process()
    if process is None:
        return

    def watch() -> None:
        process.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
