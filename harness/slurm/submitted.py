"""A run that was submitted to Slurm, and the files that know of it below the results."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.output import SHOWN
from harness.files import write_json
from harness.plan.spec import RunSpec
from harness.progress import Progress, Update
from harness.results import RunRecord
from harness.results.locks import run_name
from harness.slurm.job import SLURM, Job, progress_file

if TYPE_CHECKING:
    from submitit import SlurmJob


@dataclass
class Submitted:
    """A run's job and what was last seen of it."""

    work: Job
    job: SlurmJob[RunRecord]
    state: str = ""  # as squeue names it
    gone_since: float | None = None  # on the monotonic clock

    @property
    def spec(self) -> RunSpec:
        """The run."""
        return self.work.spec

    @property
    def job_id(self) -> str:
        """The job as Slurm names it: 12_3 is the third of an array."""
        return str(self.job.job_id)

    def keep(self) -> None:
        """Leave a note for a harness that is started later."""
        ticket = {"key": self.spec.key, "job": self.job_id, "death": self.work.death}
        write_json(_ticket(self.work), ticket)

    def forget(self) -> None:
        """Remove the note, and of a run that is right what its job was handed and has printed."""
        _ticket(self.work).unlink(missing_ok=True)
        record = self.result()
        if record is not None and record.status == "ok":
            for file in self.job.paths.folder.glob(f"{self.job_id}_*"):
                file.unlink(missing_ok=True)

    def result(self) -> RunRecord | None:
        """Return the record that the job has left; None where it has not, or has failed."""
        from submitit.core.utils import UncompletedJobError

        if not self.job.paths.result_pickle.exists():
            return None
        try:
            record = self.job.result()
        except UncompletedJobError:
            return None
        return record if record.key == self.spec.key else None  # else of an older job's number

    def printed(self) -> str:
        """Return the end of what the job has printed itself."""
        try:
            data = self.job.paths.stderr.read_bytes()
        except OSError:
            return ""
        return data.decode("utf-8", errors="replace")[-SHOWN:]

    def record_death(self) -> RunRecord:
        """Return the record of a run whose second job has died too, written here."""
        message = f"{self.work.death}, and so did job {self.job_id}, which tried it once more"
        error = {"kind": "JobDied", "message": message, "traceback": self.printed()}
        return self.work.record_death("killed", error)

    def update(self) -> Update:
        """Return how far the job is, as it tells now and then."""
        try:
            file = progress_file(self.spec, self.work.options.results)
            values = json.loads(file.read_text(encoding="utf-8"))
            progress = Progress(**values["progress"]) if values["progress"] else None
            return Update(values["doing"], progress)
        except (OSError, ValueError, TypeError, KeyError):
            return Update(f"running as Slurm job {self.job_id}")


def jobs_folder(folder: Path) -> Path:
    """Return where jobs of a results folder keep what they are handed, leave and print."""
    return folder / SLURM / "jobs"


def find_submitted(work: Job, known: Container[str]) -> Submitted | None:
    """Return the job of a run of the same content that is among those that Slurm knows."""
    from submitit import SlurmJob

    try:
        values = json.loads(_ticket(work).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if values["key"] != work.spec.key or values["job"] not in known:
        return None
    job: SlurmJob[RunRecord] = SlurmJob(jobs_folder(work.options.results), values["job"])
    return Submitted(replace(work, death=values["death"]), job)


def _ticket(work: Job) -> Path:
    folder = work.options.results
    return folder / SLURM / f"{run_name(work.spec.path(folder), folder)}.json"
