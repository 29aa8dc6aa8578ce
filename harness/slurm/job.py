"""What a Slurm job does: it executes one run on its node, as it is executed anywhere."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import results
from harness.execution import local
from harness.execution.output import Output
from harness.execution.watch import Watch
from harness.execution.worker import INTERRUPTED
from harness.files import write_json
from harness.plan.keys import Code, code_of
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import RunRecord
from harness.results.locks import run_name
from harness.run.options import Options

SLURM = ".slurm"  # below the results: no suite is called so
TIME_ENDS = signal.SIGUSR2  # what Slurm is asked to send before a job's time is over
PROGRESS_SECONDS = 5.0  # between two notes of how far a run is


@dataclass(frozen=True)
class Job:
    """A run as Slurm is handed it: called on a node."""

    spec: RunSpec
    options: Options
    code: Code  # what the run's keys stand for
    death: str = ""  # how an earlier job of the run died

    def __call__(self) -> RunRecord:
        """Execute the run and return its record.

        A run that is asked to end stops behind its next checkpoint, and the process exits without
        a result: what Slurm starts again goes on from there.
        """
        if code_of(self.spec.plugin, self.spec.uses) != self.code:
            return self._refuse_changed_code()
        queue_again: Any = signal.getsignal(TIME_ENDS)  # submitit has Slurm start it again
        before = self._checkpoint_time()
        records: list[RunRecord] = []
        watch = Watch(
            started=lambda spec: None,
            updated=_Note(progress_file(self.spec, self.options.results)).update,
            finished=lambda spec, record: records.append(record),
        )
        with _interruptible(self.spec) as received:
            with suppress(KeyboardInterrupt):
                local.execute_all([self.spec], replace(self.options, jobs=1), watch)
            if not records and TIME_ENDS in received:
                if self._checkpoint_time() == before:
                    return self._record_standstill()
                queue_again(TIME_ENDS, None)  # exits
        if not records:
            sys.exit(INTERRUPTED)  # Slurm knows whether it goes on
        self._note_death()
        return records[0]

    def checkpoint(self) -> Any:
        """Return what submitit queues again: the same, which goes on from its checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _checkpoint_time(self) -> int | None:
        """Return when the last checkpoint was written, in nanoseconds."""
        from harness.training.checkpoints import LAST

        work = results.working_folder(self.spec.path(self.options.results))
        try:
            return (work / results.WEIGHTS / LAST).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _refuse_changed_code(self) -> RunRecord:
        """Tell that a result would not be what its key says; nothing is run, nothing recorded."""
        message = "the code has changed since the run was submitted; the same command submits it"
        error = {"kind": "CodeChanged", "message": message, "traceback": ""}
        return replace(self.spec.record(), status="error", error=error)

    def _record_standstill(self) -> RunRecord:
        """Record that a job's time does not suffice: started again, it would never end."""
        message = (
            "the time of its Slurm job was over before it reached another checkpoint; give more, "
            "as in --slurm time=08:00:00"
        )
        return self.record_death("timeout", {"kind": "Timeout", "message": message})

    def record_death(self, status: str, error: dict[str, str]) -> RunRecord:
        """Put the record of a run that has died in its place, and return it."""
        path = self.spec.path(self.options.results)
        stored = results.read_record(path)
        if stored and self.spec.is_trained(self.options.results) and not self.options.force:
            return stored  # what died was a further evaluation of it
        record = replace(self.spec.record(), status=status, error={"traceback": "", **error})
        results.write_failure(record, path, trained_anew=self.options.force)
        return record

    def _note_death(self) -> None:
        """Write into the run's log that it took two jobs."""
        if self.death:
            output = Output(self.spec.path(self.options.results))
            output.add(f"{self.death}; this is the second try\n".encode())
            output.close()


def progress_file(spec: RunSpec, folder: Path) -> Path:
    """Return the file in which a job tells how far its run is."""
    return folder / SLURM / f"{run_name(spec.path(folder), folder)}.progress.json"


class _Note:
    """Writes now and then how far a run is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written = 0.0

    def update(self, spec: RunSpec, update: Update) -> None:
        now = time.monotonic()
        if now - self._written >= PROGRESS_SECONDS:
            self._written = now
            write_json(self._file, asdict(update))


@contextmanager
def _interruptible(spec: RunSpec) -> Iterator[list[int]]:
    """Take the first signal to end for Ctrl-C; yields the signals that came.

    Slurm signals every process of a job: the run's own sees to itself, and what is started from
    here on to start it must stay.
    """
    received: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        _ignore()  # a second one would end the run at once
        received.append(number)
        raise KeyboardInterrupt

    _ignore()
    local.preload([spec.plugin])
    for number in (signal.SIGTERM, TIME_ENDS):
        signal.signal(number, interrupt)
    try:
        yield received
    finally:
        _ignore()


def _ignore() -> None:
    for number in (signal.SIGTERM, TIME_ENDS):
        signal.signal(number, signal.SIG_IGN)
