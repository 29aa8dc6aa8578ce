"""A Slurm on one machine, with daemons, key and files of its own in a temporary folder.

It may have several nodes, each a slurmd with a port of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# What a test waits for: how soon a requeued job starts again, how long one may take to end.
CONFIGURATION = """
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=30
MinJobAge=10
MessageTimeout=5
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={cores}\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
SECONDS = 120.0  # that a busy machine may take for a step of a test


def why_not() -> str:
    """Return why no Slurm can be started here; empty where one can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian's slurm-wlm and munge)"
    return "" if os.geteuid() == 0 else "only root can start Slurm's daemons"


def search_path() -> str:
    """Return where daemons are looked for."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class Cluster:
    """Controller and nodes on this machine."""

    def __init__(self, folder: Path, cores: int = 2, nodes: int = 1) -> None:
        self.folder = folder
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "state").mkdir()
        configuration = CONFIGURATION.format(folder=folder, controller_port=_free_port())
        for name in self.nodes:
            configuration += NODE.format(name=name, port=_free_port(), cores=cores)
        (folder / "slurm.conf").write_text(configuration, encoding="utf-8")
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Start all daemons and wait until jobs can be submitted."""
        self._start_munge()
        self.start_controller()
        for name in self.nodes:
            self.start_node(name)
        wait_until(lambda: self._count_idle() == len(self.nodes))

    def _count_idle(self) -> int:
        return self.ask("sinfo", "--noheader", "--Node", "--format=%T").split().count("idle")

    def start_controller(self) -> None:
        """Start slurmctld."""
        self._spawn("slurmctld", "slurmctld", "-D")
        wait_until(lambda: "is UP" in self.ask("scontrol", "ping"))

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node."""
        self._spawn(name, "slurmd", "-D", "-N", name)

    def stop(self, name: str) -> None:
        """End one daemon, slurmctld or that of a node; jobs go on."""
        daemon = self._daemons.pop(name)
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def stop_all(self) -> None:
        """End all jobs and all daemons."""
        if "slurmctld" in self._daemons:
            self.ask("scancel", "--signal=KILL", "--full", "--user=root")
            self.ask("scancel", "--user=root")
        for name in reversed(list(self._daemons)):
            self.stop(name)
        for process in self._all_of_it():
            os.kill(process, signal.SIGKILL)

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints; empty where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that waits or runs, by its name in an array."""
        lines = self.ask("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def processes(self, job: str) -> list[int]:
        """Return the processes of a job."""
        array, _, task = job.partition("_")
        names = ("ARRAY_JOB_ID", "ARRAY_TASK_ID") if task else ("JOB_ID",)
        values = (array, task)
        wanted = {f"SLURM_{name}={value}" for name, value in zip(names, values, strict=False)}
        wanted.add("SUBMITIT_EXECUTOR=slurm")
        return [process for process in self._all_of_it() if wanted <= _environment(process)]

    def left(self) -> list[int]:
        """Return the processes of all jobs."""
        mark = "SUBMITIT_EXECUTOR=slurm"
        return [process for process in self._all_of_it() if mark in _environment(process)]

    def _all_of_it(self) -> list[int]:
        """Return the processes of jobs, but none of the tests' own session.

        What the tests start, such as Python's resource tracker, lives on behind them.
        """
        mark = f"SLURM_CONF={self.folder / 'slurm.conf'}"
        found = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
        return [
            process for process in found if not _is_ours(process) and mark in _environment(process)
        ]

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {
            name: self.folder / f"munge.{name.partition('-')[0]}"
            for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")
        }
        arguments = [f"--{name}={file}" for name, file in files.items()]
        self._spawn("munged", "munged", "--force", "--foreground", *arguments)
        wait_until(files["socket"].exists)

    def _spawn(self, name: str, daemon: str, *arguments: str) -> None:
        program = shutil.which(daemon, path=search_path())
        assert program is not None
        log = (self.folder / f"{name}.output").open("ab")
        with log:
            self._daemons[name] = subprocess.Popen(
                [program, *arguments], env=self.environment, stdout=log, stderr=log
            )


def wait_until(happened: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for something; fail where it does not happen."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {seconds:g} s"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_ours(process: int) -> bool:
    try:
        return os.getsid(process) == os.getsid(0)
    except ProcessLookupError:
        return True


def _environment(process: int) -> set[str]:
    try:
        values = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return set()
    return set(values.decode(errors="replace").split("\0"))
