"""Runs as Slurm jobs: submitted as arrays, watched, tried again once where a job dies.

A results folder that all nodes share carries everything: a job executes its run as this machine
would and leaves the record there. Below ``.slurm`` are submitted jobs by run, so that a harness
that is started again finds them, and what the jobs were handed and have printed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from filelock import FileLock

from harness.errors import HarnessError
from harness.execution.local import GRACE_SECONDS
from harness.execution.watch import Watch
from harness.plan.keys import Codes
from harness.plan.spec import RunSpec
from harness.progress import Update
from harness.results import RunRecord
from harness.run.options import Options
from harness.slurm import commands
from harness.slurm.commands import Settings
from harness.slurm.job import SLURM, Job, progress_file
from harness.slurm.submitted import Submitted, find_submitted, jobs_folder

POLL_SECONDS = (1.0, 20.0)  # between two looks: at first, and while nothing happens for long
SETTLE_SECONDS = 10.0  # until a job that is gone has left all its files, on a slow shared folder
QUEUED = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")

TROUBLES = {"queue": "Slurm answers again.", "submission": "Slurm takes jobs again."}  # when over


def execute_all(
    specs: Sequence[RunSpec], options: Options, watch: Watch, settings: Settings | None = None
) -> None:
    """Execute runs as Slurm jobs, `options.jobs` of them at a time.

    A run that is queued or running already is not submitted again. One whose job dies is submitted
    once more. On KeyboardInterrupt the jobs stop behind their next checkpoint and are cancelled,
    on a second one at once; where this process dies, they go on.

    Raises:
        HarnessError: there is no Slurm, it refuses the jobs, or a run's processes cannot be
            divided over the nodes that its job is to have.
    """
    commands.require_slurm()
    nodes = commands.count_nodes(settings or {}, specs)
    queue = _Queue(specs, replace(options, nodes=nodes), watch, settings or {})
    try:
        queue.begin()
        queue.wait()
    except KeyboardInterrupt:
        watch.stopping()
        queue.let_end()
        raise


class _Queue:
    """The jobs of all runs that are waited for."""

    def __init__(
        self, specs: Sequence[RunSpec], options: Options, watch: Watch, settings: Settings
    ) -> None:
        codes = Codes()
        self._waiting = [Job(spec, options, codes.of(spec.plugin, spec.uses)) for spec in specs]
        self._submitted: list[Submitted] = []
        self._options = options
        self._watch = watch
        self._settings = settings
        self._started: set[str] = set()
        self._troubles = dict.fromkeys(TROUBLES, "")
        self._pause = POLL_SECONDS[0]

    @property
    def _jobs(self) -> list[str]:
        return [one.job_id for one in self._submitted]

    def begin(self) -> None:
        """Find the jobs that an earlier harness has submitted, and submit the others."""
        folder = self._options.results / SLURM
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "submission.lock"):
            known = commands.job_states() or {}
            for work in list(self._waiting):
                found = find_submitted(work, known)
                if found:
                    self._waiting.remove(work)
                    self._submitted.append(found)
            if self._submitted:
                self._watch.told(f"Queued or running already: {len(self._submitted)}.")
            self._submit()

    def _submit(self) -> None:
        """Submit the runs that wait for it, as an array for each need."""
        folder, total = jobs_folder(self._options.results), len(self._waiting)
        for needs, group in commands.group_by_need(self._waiting, self._settings):
            at_once = max(1, self._options.jobs * len(group) // total)
            jobs = commands.submit_array(group, needs, folder, at_once)
            for work, job in zip(group, jobs, strict=True):
                self._waiting.remove(work)
                self._submitted.append(Submitted(work, job))
                self._submitted[-1].keep()
            what = "1 run" if len(jobs) == 1 else f"{len(jobs)} runs"
            number = jobs[0].job_id.partition("_")[0]
            self._watch.told(f"Slurm job {number}: {what} on {self._options.device}.")

    def wait(self) -> None:
        """Wait until every run has ended."""
        while self._submitted or self._waiting:
            if self._look():
                self._pause = POLL_SECONDS[0]
            time.sleep(self._pause)
            self._pause = min(self._pause * 1.1, POLL_SECONDS[1])
            self._submit_later()

    def _submit_later(self) -> None:
        """Submit what is to be tried again; where Slurm does not take it, at the next look."""
        try:
            self._submit()
        except HarnessError as error:
            self._tell_trouble("submission", str(error))
        else:
            self._tell_trouble("submission")

    def _look(self) -> bool:
        """See what has become of the jobs; tell whether anything has."""
        states = commands.job_states()
        self._tell_trouble("queue", "" if states is not None else "Slurm does not answer")
        changes = [self._see(one, states) for one in list(self._submitted)]
        queued = Counter(one.state in ("", *QUEUED) for one in self._submitted)
        self._watch.queue(queued[True] + len(self._waiting), queued[False])
        return any(changes)

    def _see(self, one: Submitted, states: dict[str, str] | None) -> bool:
        """See to one job: results count first, as they stay where Slurm does not answer."""
        record = one.result()
        if record is not None:
            self._end(one, record)
            return True
        if states is None:
            return False
        state = states.get(one.job_id)
        if state is None:
            return self._miss(one)
        changed, one.state, one.gone_since = state != one.state, state, None
        self._show(one, changed)
        return changed

    def _show(self, one: Submitted, changed: bool) -> None:
        """Tell how far a job is."""
        name = str(one.spec)
        if one.state in QUEUED:
            if changed and name in self._started:
                self._watch.updated(one.spec, Update(f"queued again as Slurm job {one.job_id}"))
            return
        if name not in self._started:
            self._started.add(name)
            self._watch.started(one.spec)
        self._watch.updated(one.spec, one.update())

    def _miss(self, one: Submitted) -> bool:
        """Take a job for dead that is gone for a while without a result."""
        one.gone_since = one.gone_since or time.monotonic()
        if time.monotonic() - one.gone_since < SETTLE_SECONDS:
            return False
        self._end(one, one.record_death() if one.work.death else None)
        return True

    def _end(self, one: Submitted, record: RunRecord | None) -> None:
        """Count a run, or, where its first job died, let it be tried again."""
        self._submitted.remove(one)
        progress_file(one.spec, self._options.results).unlink(missing_ok=True)
        if not one.work.death and (record is None or record.status == "killed"):
            death = f"Slurm job {one.job_id} of the run died"
            self._watch.told(f"{one.spec}: {death}; it is tried once more.")
            self._waiting.append(replace(one.work, death=death))
            return
        assert record is not None
        one.forget()
        self._watch.finished(one.spec, record)

    def _tell_trouble(self, about: str, trouble: str = "") -> None:
        """Say once that something is wrong, and once that it is over."""
        if trouble != self._troubles[about]:
            self._watch.told(f"{trouble}; jobs go on." if trouble else TROUBLES[about])
        self._troubles[about] = trouble

    def let_end(self) -> None:
        """Cancel the jobs: those that run may reach their next checkpoint first."""
        self._waiting.clear()
        try:
            commands.cancel(self._jobs, "--state=PENDING")
            commands.cancel(self._jobs, "--state=RUNNING", "--signal=TERM", "--batch")
            end = time.monotonic() + GRACE_SECONDS
            while self._submitted and time.monotonic() < end:
                self._drop_ended()
                time.sleep(POLL_SECONDS[0])
        finally:
            commands.cancel(self._jobs, "--signal=KILL", "--full")
            commands.cancel(self._jobs)

    def _drop_ended(self) -> None:
        """Count what has finished; what is gone behind a checkpoint is not waited for."""
        states = commands.job_states()
        for one in list(self._submitted):
            record = one.result()
            if record is not None and record.status != "killed":
                self._end(one, record)
            elif states is not None and one.job_id not in states:
                self._submitted.remove(one)
