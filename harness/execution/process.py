"""A run's process as the harness sees it: started, heard, stopped, and what became of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from harness import results
from harness.execution.descendants import describe_end, kill_descendants
from harness.execution.output import Output
from harness.execution.worker import FINISHED, INTERRUPTED, TAKEN, work
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import RunRecord
from harness.run.options import Options

READ = 65_536  # bytes of output taken at a time
DRAIN = 1_000  # messages taken from a pipe at the end: what has left the group may go on
INTERRUPTION = "interrupted"


class RunProcess:
    """The process of one run, in a group of its own."""

    def __init__(
        self, spec: RunSpec, options: Options, context: Any, environment: dict[str, str]
    ) -> None:
        self.spec = spec
        self.environment = environment
        self._options = options
        self._output = Output(spec.path(options.results))
        updates, sending = context.Pipe(duplex=False)
        printed, printing = context.Pipe(duplex=False)
        self._process: ForkServerProcess = context.Process(
            target=work, args=(spec, options, sending, printing, environment)
        )
        self._process.start()
        sending.close()
        printing.close()
        self._updates: Connection = updates
        self._printed: Connection = printed
        self._open: list[Any] = [updates, printed]
        self._deadline = time.monotonic() + options.timeout if options.timeout else None
        self._stopped_because = ""
        self._has_begun = False

    @property
    def sources(self) -> list[Any]:
        """What can become readable: pipes, and the end of the process."""
        return [*self._open, self._process.sentinel]

    @property
    def seconds_left(self) -> float | None:
        """How long the run may still take."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def has_ended(self, readable: Any) -> bool:
        """Tell whether what is readable is the end of the process."""
        return bool(readable == self._process.sentinel)

    def hear(self, source: Any, updated: Callable[[RunSpec, Update], None]) -> None:
        """Take what a pipe holds; one that is closed is not listened to any more."""
        try:
            if source is self._printed:
                self._print()
                return
            update = source.recv()
        except Exception:  # the end, or what is no update: a method can write to every descriptor
            self._open.remove(source)
            source.close()
            return
        self._has_begun = True
        updated(self.spec, update)

    def _print(self) -> None:
        data = os.read(self._printed.fileno(), READ)
        if not data:
            raise EOFError
        self._output.add(data)

    def ask_to_end(self) -> None:
        """Let the run stop behind its next checkpoint."""
        self._stopped_because = INTERRUPTION
        self._process.terminate()

    def stop(self, because: str) -> None:
        """End the run, and all that it started, at once."""
        self._stopped_because = because
        self._kill_group()

    def _kill_group(self) -> None:
        if self._process.is_alive() and self._process.pid:
            self._hold_and_clear(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.kill()  # before it has a group of its own

    def _hold_and_clear(self, process: int) -> None:
        """End what the run has started, also in other groups, while it cannot start more."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
            kill_descendants(process)

    def finish(self, updated: Callable[[RunSpec, Update], None]) -> RunRecord | None:
        """See to the end of a process that has ended; None where the run is still to be done."""
        self._process.join()
        self._kill_group()  # what the run started and left behind
        for source in list(self._open):
            for _ in range(DRAIN):
                if source in self._open and source.poll():
                    self.hear(source, updated)
            source.close()
        self._output.close()
        return None if self.was_taken else self._outcome()

    @property
    def was_taken(self) -> bool:
        """Tell whether the process found another one at the run."""
        return self._process.exitcode == TAKEN and not self._has_begun

    def _outcome(self) -> RunRecord | None:
        """Return the record of the run, written here where its process could not."""
        path = self.spec.path(self._options.results)
        record = results.read_record(path)
        if self._process.exitcode == FINISHED and record and record.key == self.spec.key:
            return record
        if self._stopped_because == INTERRUPTION:
            return None
        if record and self.spec.is_trained(self._options.results) and not self._options.force:
            return record  # what died was a further evaluation of it
        return self._record_death()

    def _record_death(self) -> RunRecord:
        status, kind, message = self._how_it_ended()
        error = {"kind": kind, "message": message, "traceback": self._output.end}
        record = replace(self.spec.record(), status=status, error=error)
        try:
            path = self.spec.path(self._options.results)
            results.write_failure(record, path, trained_anew=self._options.force)
        except OSError as problem:
            told = f"{message}; its record could not be written: {problem}"
            record = replace(record, error={**error, "message": told})
        return record

    def _how_it_ended(self) -> tuple[str, str, str]:
        """Return status, kind of error and message."""
        if self._stopped_because:
            return "timeout", "Timeout", self._stopped_because
        return "killed", "ProcessDied", self._death()

    def _death(self) -> str:
        code = self._process.exitcode or 0
        if code == FINISHED:
            return "the run finished, but its results are gone"
        if code == INTERRUPTED:
            return "the process of the run was asked to end by another; its checkpoint stays"
        last = self._output.last_line
        told = f"; the last that it printed: {last}" if last and code > 0 else ""
        return f"the process of the run {describe_end(code)} before it could finish{told}"
