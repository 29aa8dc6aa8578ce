"""Slurm's commands: jobs are submitted through submitit, and looked up and cancelled."""

from __future__ import annotations

import contextlib
import getpass
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.slurm.job import TIME_ENDS, Job

if TYPE_CHECKING:
    from submitit import SlurmJob

    from harness.plan.spec import RunSpec
    from harness.results import RunRecord

Settings = Mapping[str, str | bool]  # options of sbatch, written with _

NAME = "harness"
COMMANDS = ("sbatch", "srun", "squeue", "scancel")
TIME = "04:00:00"  # of a job; one that needs longer is queued again, and goes on
MOST_STARTS = 1_000_000  # a job that stands still is not started again in any case
NOTICE_SECONDS = 90  # before the end of it
ANSWER_SECONDS = 60.0
ALIASES = {"cpus": "cpus_per_task"}
# What a run has beside each graphics card where nobody says more: Slurm's own default may be one
# core and its share of the memory, and published weights are read from files of 3 GB.
CPUS, MEMORY = 8, 32  # cores, GB
CPU_SETTINGS = ("cpus_per_task", "cpus_per_gpu")
MEMORY_SETTINGS = ("mem", "mem_per_cpu", "mem_per_gpu")
GPU_SETTINGS = ("gpus", "gpus_per_node", "gpus_per_task", "gres")


def parse_settings(settings: Sequence[str]) -> Settings:
    """Read KEY=VALUE, or KEY alone: long options of sbatch, which judges them."""
    parsed: dict[str, str | bool] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        name = key.strip().lstrip("-").replace("-", "_")
        if not name.isidentifier() or (equals and not value):
            raise HarnessError(
                f"--slurm {setting}: write an option of sbatch as key=value, for example "
                "--slurm partition=gpu --slurm time=08:00:00."
            )
        parsed[ALIASES.get(name, name)] = value if equals else True
    return parsed


def asks_for_gpu(settings: Settings) -> bool:
    """Tell whether settings name a graphics card."""
    return any(name in settings for name in GPU_SETTINGS)


def count_nodes(settings: Settings, specs: Sequence[RunSpec]) -> int:
    """Return how many nodes each job is to have.

    Raises:
        HarnessError: it is no number, or the processes of a run cannot be divided by it.
    """
    given = settings.get("nodes", "1")
    nodes = int(given) if isinstance(given, str) and given.isdecimal() else 0
    if not nodes:
        raise HarnessError(
            f"--slurm nodes={given}: give one number, over which a run's processes are divided."
        )
    for spec in specs:
        processes = int(spec.recipe["processes"])
        if processes % nodes:
            raise HarnessError(
                f"{spec}: {processes} process{'es' * (processes > 1)} cannot be divided over "
                f"{nodes} nodes. Give --processes {nodes}, or another multiple of it, or "
                "leave out --slurm nodes."
            )
    return nodes


def require_slurm() -> None:
    """Refuse where jobs cannot be submitted, and say what to do."""
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        raise HarnessError(
            f"There is no Slurm here: {', '.join(missing)} is not on the PATH. Start this on a "
            "node that submits jobs, or run on this machine with --executor local."
        )
    try:
        import submitit  # noqa: F401 (is it there?)
    except ImportError as error:
        raise HarnessError(
            "--executor slurm needs submitit: pip install 'tbpr-bench[slurm]', or run on this "
            "machine with --executor local."
        ) from error


def group_by_need(jobs: Sequence[Job], settings: Settings) -> list[tuple[Settings, list[Job]]]:
    """Return what jobs need of a node, each with the jobs that do."""
    groups: dict[tuple[tuple[str, str | bool], ...], list[Job]] = defaultdict(list)
    for job in jobs:
        groups[tuple(_needs(job, settings).items())].append(job)
    return [(dict(needs), group) for needs, group in groups.items()]


def _needs(job: Job, settings: Settings) -> Settings:
    """Return what a run needs of a node: as it says itself, and as the user does."""
    needs: dict[str, str | bool] = {"time": TIME}
    recipe = job.spec.recipe
    of_node = int(recipe["processes"]) // job.options.nodes
    if recipe.get("threads"):
        needs["cpus_per_task"] = str(recipe["threads"] * of_node)  # one task a node
    if job.options.device == "cuda":
        if not asks_for_gpu(settings):
            needs["gpus_per_node"] = str(of_node)
        if not settings.keys() & set(CPU_SETTINGS):
            needs.setdefault("cpus_per_task", str(CPUS * of_node))
        if not settings.keys() & set(MEMORY_SETTINGS):
            needs["mem"] = f"{MEMORY * of_node}G"
    return {**needs, **settings}


def submit_array(
    jobs: Sequence[Job], needs: Settings, folder: Path, at_once: int
) -> list[SlurmJob[RunRecord]]:
    """Submit jobs as one array, of which so many run at once; return Slurm's jobs.

    Raises:
        HarnessError: Slurm refuses them, or does not answer.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    # The process that is started takes the place of the batch script: Slurm's signals reach it,
    # and no srun ends it at the first one.
    python = f"exec {shlex.quote(sys.executable)}"
    executor = SlurmExecutor(folder, max_num_timeout=MOST_STARTS, python=python)
    signals = f"B:{TIME_ENDS.name.removeprefix('SIG')}@{NOTICE_SECONDS}"
    executor.update_parameters(
        job_name=NAME,
        use_srun=False,
        array_parallelism=at_once,
        additional_parameters={"requeue": True, "signal": signals, **needs},
    )
    try:
        submitted: list[Any] = executor.submit_array(jobs)  # it knows their class, and hides it
        return submitted
    except (FailedJobError, FailedSubmissionError) as error:
        raise HarnessError(f"Slurm does not take the jobs: {str(error).strip()}") from error


def job_states() -> dict[str, str] | None:
    """Return the state of the user's jobs that wait or run; None where Slurm does not answer."""
    user = ["--user", getpass.getuser(), "--name", NAME]
    command = ["squeue", "--noheader", "--array", "--format=%i %T", *user]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = (line.split() for line in done.stdout.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def cancel(jobs: Sequence[str], *how: str) -> None:
    """Cancel or signal jobs, as far as Slurm answers; those that have ended are passed over."""
    if jobs:
        command = ["scancel", "--quiet", *how, *jobs]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=False)
