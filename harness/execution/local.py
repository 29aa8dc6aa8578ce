"""Runs on this machine: one process each, started from a preloaded fork server."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from multiprocessing import forkserver
from multiprocessing.connection import wait
from typing import Any

from harness import results
from harness.errors import HarnessError
from harness.execution.process import RunProcess
from harness.execution.watch import Watch
from harness.plan.collisions import why_taken
from harness.plan.spec import RunSpec
from harness.registry import Plugin
from harness.results.locks import is_taken
from harness.run.options import Options

ENCODERS = ("open_clip", "transformers")
GRACE_SECONDS = 30.0  # to reach the next checkpoint after an interruption
# A run that ends at once leaves semaphores to Python's tracker: that it tidies up is no news.
TIDYING = "ignore:resource_tracker"
LONGEST_TEMPORARY = 70  # bytes, of the 108 that the address of a socket may have
ELSEWHERE_SECONDS = 1.0  # between two looks at what another process executes


def execute_all(specs: Sequence[RunSpec], options: Options, watch: Watch) -> None:
    """Execute runs, `options.jobs` at a time, each in a process of its own.

    A run that raises records its error itself; one whose process dies or is stopped is recorded
    here. One that another harness process is at is left to it. On KeyboardInterrupt the processes
    stop behind their next checkpoint, on a second one at once; what is finished stays.
    """
    preload(spec.plugin for spec in specs)
    pool = _Pool(specs, options, watch)
    try:
        while pool.is_busy:
            pool.start()
            if pool.is_busy:  # and not all of it is refused
                pool.serve()
    except KeyboardInterrupt:
        watch.stopping()
        pool.let_end()
        raise
    finally:
        pool.kill()


def preload(plugins: Iterable[Plugin]) -> None:
    """Start the fork server, which imports once what runs need; returns at once.

    Encoders of other libraries, which take as long as all else, only where a plugin imports them.

    Raises:
        HarnessError: the folder for temporary files cannot be used; the message says why.
    """
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) > LONGEST_TEMPORARY:
        raise HarnessError(
            f"The folder for temporary files, {folder}, has too long a name for the sockets that "
            "processes talk through: set TMPDIR to another one, such as /tmp."
        )
    if TIDYING not in sys.warnoptions:
        sys.warnoptions.append(TIDYING)
    forkserver.set_forkserver_preload(["harness.execution.preload", *encoder_packages(plugins)])
    forkserver.ensure_running()


def _refused(spec: RunSpec, told: str) -> results.RunRecord:
    """Return the record of a run that is not made, and not written: its place is another's."""
    error = {"kind": "NameTaken", "message": f"{told}: rename this one, or take another --results"}
    return replace(spec.record(), status="skipped", error=error)


def encoder_packages(plugins: Iterable[Plugin]) -> list[str]:
    """Return the packages with encoders that plugins may import."""
    imported = {name for plugin in set(plugins) for name in plugin.imports()}
    return [name for name in ENCODERS if name in imported]


class _Pool:
    """Runs that wait, run here, or run in another process."""

    def __init__(self, specs: Sequence[RunSpec], options: Options, watch: Watch) -> None:
        self._waiting = deque(specs)
        self._elsewhere: list[RunSpec] = []
        self._running: list[RunProcess] = []
        self._options = options
        self._watch = watch
        self._context: Any = multiprocessing.get_context("forkserver")
        self._graphics_cards = _graphics_cards(options.device)

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting or self._elsewhere or self._running)

    def start(self) -> None:
        """Start runs until as many are under way as there are jobs."""
        while self._waiting and len(self._running) < self._options.jobs:
            spec = self._waiting.popleft()
            if is_taken(spec.path(self._options.results), self._options.results):
                self._elsewhere.append(spec)
                continue
            if told := why_taken(spec, self._options.results):
                self._watch.finished(spec, _refused(spec, told))
                continue
            self._watch.started(spec)
            environment = self._place(int(spec.recipe["processes"]) // self._options.nodes)
            self._running.append(RunProcess(spec, self._options, self._context, environment))

    def _look_elsewhere(self) -> None:
        """Count what another process has finished; take over what it has left."""
        for spec in list(self._elsewhere):
            if is_taken(spec.path(self._options.results), self._options.results):
                continue
            self._elsewhere.remove(spec)
            record = results.read_record(spec.path(self._options.results))
            if record is not None and spec.is_complete(self._options.results):
                self._watch.finished(spec, record)
            else:
                self._waiting.append(spec)

    def _place(self, count: int) -> dict[str, str]:
        """Return what pins the next run to the graphics cards with the fewest runs."""
        if not self._graphics_cards:
            return {}
        name = "CUDA_VISIBLE_DEVICES"
        taken = [card for process in self._running for card in process.environment[name].split(",")]
        return {name: ",".join(sorted(self._graphics_cards, key=taken.count)[:count])}

    def serve(self) -> None:
        """Wait until something happens, and see to it."""
        owner = {source: process for process in self._running for source in process.sources}
        ended = set()
        for source in wait(list(owner), self._patience()):
            process = owner[source]
            if process.has_ended(source):
                ended.add(process)
            else:
                process.hear(source, self._watch.updated)
        for process in ended:
            self._finish(process)
        self._stop_late()
        self._look_elsewhere()

    def _patience(self) -> float | None:
        """Return the seconds until something has to be done unasked."""
        left = [process.seconds_left for process in self._running]
        bounds = [seconds for seconds in left if seconds is not None]
        if self._elsewhere:
            bounds.append(ELSEWHERE_SECONDS)
        return max(0.0, min(bounds)) if bounds else None

    def _finish(self, process: RunProcess) -> None:
        self._running.remove(process)
        record = process.finish(self._watch.updated)
        if process.was_taken:
            self._elsewhere.append(process.spec)
        elif record is not None:
            self._watch.finished(process.spec, record)

    def _stop_late(self) -> None:
        for process in self._running:
            if process.seconds_left is not None and process.seconds_left <= 0:
                process.stop(
                    f"it took longer than --timeout {self._options.timeout:g} s; a larger one goes "
                    "on from its checkpoint"
                )

    def let_end(self) -> None:
        """Let runs reach their next checkpoint; a second KeyboardInterrupt leaves at once."""
        self._waiting.clear()
        self._elsewhere.clear()
        for process in self._running:
            process.ask_to_end()
        end = time.monotonic() + GRACE_SECONDS
        while self._running and time.monotonic() < end:
            owner = {source: process for process in self._running for source in process.sources}
            for source in wait(list(owner), max(0.0, end - time.monotonic())):
                process = owner[source]
                if not process.has_ended(source):
                    process.hear(source, self._watch.updated)
                elif process in self._running:
                    self._finish(process)

    def kill(self) -> None:
        """End what still runs."""
        for process in self._running:
            process.stop("interrupted")
        for process in self._running:
            process.finish(lambda spec, update: None)
        self._running.clear()


def _graphics_cards(device: str) -> list[str]:
    """Return the names of the CUDA devices that runs are spread over."""
    if device != "cuda":
        return []
    import os

    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]
    return [name.strip() for name in names]
