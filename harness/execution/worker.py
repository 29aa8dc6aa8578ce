"""What happens in the process of a run: it is bounded and locked, and executes the run."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from filelock import Timeout

from harness.execution.descendants import adopt_orphans, end_group, kill_descendants
from harness.execution.group import Others, start_ranks
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results.locks import run_lock
from harness.run.options import Options

# Exit statuses. That of an end as it should be is not 0, which a method that calls exit has too.
FINISHED = 74
INTERRUPTED = 75  # it stopped behind a checkpoint: try again
TAKEN = 76  # another process is at the run
LOCK_SECONDS = 1.0  # longer than another process looks whether a run is taken
UPDATE_SECONDS = 0.1  # between two updates while only steps move
UPDATE_LENGTH = 200  # characters: a pipe takes up what is short as a whole or not at all


def work(
    spec: RunSpec,
    options: Options,
    updates: Connection,
    output: Connection,
    environment: dict[str, str],
) -> None:
    """Execute a run, as the main function of its process; does not return."""
    status = 1
    try:
        # What the fork server had in memory stays: looking through it for cycles, as each stage of
        # a training does, takes longer than a small run, and copies all that is shared with it.
        gc.freeze()
        os.setsid()  # what the run starts belongs to its group, and ends with it
        adopt_orphans()  # and what leaves the group is still found
        _print_to(output)
        _end_with_parent()
        os.environ.update(environment)
        status = _execute(spec, options, _sender(updates), _hear_signals())
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(status)


def _execute(
    spec: RunSpec, options: Options, say: Callable[[Update], None], is_asked: Callable[[], bool]
) -> int:
    """Execute a run under its lock and return the exit status."""
    # cuBLAS repeats its sums in one order only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from harness.run.execute import execute
    from harness.training import Interrupted

    limit_memory(options.memory)
    try:
        with run_lock(spec.path(options.results), options.results).acquire(timeout=LOCK_SECONDS):
            if spec.is_complete(options.results) and not options.force:
                return FINISHED  # another process was first
            trains = options.force or not spec.is_trained(options.results)
            others = start_ranks(spec, options) if trains else Others()
            try:
                record = execute(spec, options, say, is_asked, others.end_with)
            finally:
                others.dismiss()
            if record.status == "ok":
                others.see_out()
    except Timeout:
        return TAKEN
    except Interrupted:
        return INTERRUPTED
    return FINISHED


def _leave(status: int) -> None:
    """End this process at once: nothing that a method has started is waited for."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a method may have closed or replaced it
            stream.flush()
    with contextlib.suppress(Exception):  # a method may have taken all memory or files
        kill_descendants(os.getpid())
    os._exit(status)


def _hear_signals() -> Callable[[], bool]:
    """Return a function that tells whether the process was asked to end."""
    asked: list[int] = []  # an Event is not safe to set where a signal interrupts its setting
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness sees to its runs
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    os.register_at_fork(
        before=lambda: _hold_back(signal.SIG_BLOCK),
        after_in_parent=lambda: _hold_back(signal.SIG_UNBLOCK),
        after_in_child=_end_as_asked,
    )
    return lambda: bool(asked)


def _hold_back(how: int) -> None:
    """Hold SIGTERM back, or no more: one that comes within a fork would be lost."""
    signal.pthread_sigmask(how, {signal.SIGTERM})


def _end_as_asked() -> None:
    """Let what a method forks end when the method asks it to."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _hold_back(signal.SIG_UNBLOCK)


def _print_to(output: Connection) -> None:
    """Send what the run prints, from Python or below it, to the harness."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    faulthandler.enable(2)  # a crash below Python shows where in the method it was


def limit_memory(size: int | None) -> None:
    """Let the process allocate so many bytes more than it has; beyond, allocations fail."""
    if size is None:
        return
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        status = ""  # not Linux: what is held counts too
    held = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
    limit = held * 1024 + size
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _sender(updates: Connection) -> Callable[[Update], None]:
    """Return a function that sends an update, at most ten a second while only steps move."""
    doing, sent = "", 0.0

    def say(update: Update) -> None:
        nonlocal doing, sent
        now = time.monotonic()
        if update.doing == doing and now - sent < UPDATE_SECONDS:
            return
        doing, sent = update.doing, now
        with contextlib.suppress(OSError):  # nobody listens any more, or the method closed it
            updates.send(replace(update, doing=str(update.doing)[:UPDATE_LENGTH]))

    return say


def _end_with_parent() -> None:
    """End this process and what it started when the harness is gone: nobody would count them."""
    parent: Any = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        end_group()

    threading.Thread(target=watch, daemon=True).start()
