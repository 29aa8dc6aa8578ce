"""The processes that train one run together, as the first of them starts and watches the others.

They find each other by the variables that torchrun sets, which Accelerate reads. Of a Slurm job of
several nodes each node has as many processes, and Slurm starts those of the other nodes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.execution.descendants import describe_end, end_group
from harness.execution.srun import start_nodes
from harness.plan.spec import RunSpec
from harness.run.options import Options

HOST = "127.0.0.1"
GRACE_SECONDS = 60.0  # for the first to record what made another fail, before all end
PRINT_SECONDS = 1.0  # until what the others have printed has come through
END_SECONDS = 10.0  # for the others to tidy up once a run is finished
SIGNALLED = 128  # statuses above it are those of shells, and of srun, for signals


@dataclass(frozen=True)
class Group:
    """Where the processes of a run meet, and how many there are."""

    count: int
    of_node: int
    address: str
    port: int

    def variables(self, rank: int) -> dict[str, str]:
        """Return the environment of a process, the first being 0."""
        return {
            "WORLD_SIZE": str(self.count),
            "LOCAL_WORLD_SIZE": str(self.of_node),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank % self.of_node),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            # Accelerate would replace the recipe's threads, which decide the bits.
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }


def start_ranks(spec: RunSpec, options: Options) -> Others:
    """Start the other processes of a run, if any, in the group of this one: they end with it."""
    others = Others()
    count = int(spec.recipe["processes"])
    if count == 1:
        return others
    group = Group(count, count // options.nodes, HOST, _free_port())
    if options.nodes > 1:
        nodes = start_nodes(options, group.of_node, (spec, options, group))
        others.watch("what runs on other nodes", nodes.wait)
    fork_ranks(spec, options, group, range(1, group.of_node), others)
    os.environ.update(group.variables(0))
    return others


def work_on_node(spec: RunSpec, options: Options, group: Group, node: int) -> None:
    """Start the processes of a node but the first, and wait until they have ended.

    `group.address` is that of the first node as this one reaches it.
    """
    others = Others()
    first = node * group.of_node
    fork_ranks(spec, options, group, range(first, first + group.of_node), others)
    others.join()


def fork_ranks(spec: RunSpec, options: Options, group: Group, ranks: range, others: Others) -> None:
    """Start processes of a run on this machine."""
    for rank in ranks:
        process = os.fork()
        if not process:
            _work_beside(spec, options, group, rank)
        others.watch(f"process {rank} of the run", _waiting_for(process))


def _waiting_for(process: int) -> Callable[[], int]:
    return lambda: os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _work_beside(spec: RunSpec, options: Options, group: Group, rank: int) -> None:
    """Do a rank's part, and end the process."""
    status = 1
    try:
        os.environ.update(group.variables(rank))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the first one reaches a checkpoint
        from harness.run.execute import execute_beside

        execute_beside(spec, options)
        status = 0
    except BaseException as error:
        _tell(error, rank)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(error: BaseException, rank: int) -> None:
    """Print what a rank fails of: in full, unless it is that another one has failed."""
    if _has_lost_another(error):
        print(f"process {rank} of the run has lost another one", file=sys.stderr)
    else:
        traceback.print_exception(error)


def _has_lost_another(error: BaseException) -> bool:
    from harness.distributed import has_lost_another  # imports torch

    return has_lost_another(error)


class Others:
    """Processes of a run that this one waits for: where one fails, the group of this one ends.

    The others would wait for it for ever.
    """

    def __init__(self) -> None:
        self._failed = threading.Event()
        self._finished = threading.Event()
        self._ending = threading.Lock()
        self._watchers: list[threading.Thread] = []

    def watch(self, name: str, wait: Callable[[], int]) -> None:
        """Watch a process; `wait` returns how it has ended, below 0 by a signal."""
        watcher = threading.Thread(target=self._watch, args=(name, wait), daemon=True)
        watcher.start()
        self._watchers.append(watcher)

    def _watch(self, name: str, wait: Callable[[], int]) -> None:
        code = wait()
        if not code or self._finished.is_set():
            return
        code = SIGNALLED - code if code > SIGNALLED else code
        print(f"{name} {describe_end(code)}", file=sys.stderr, flush=True)
        self._failed.set()
        self._end(after=PRINT_SECONDS if code < 0 else GRACE_SECONDS)

    def end_with(self, error: BaseException) -> None:
        """End the run here where the error is only that another process has failed.

        What is recorded then is how that one ended, and what it has printed.
        """
        if self._watchers and _has_lost_another(error) and self._failed.wait(GRACE_SECONDS):
            self._end(after=PRINT_SECONDS)

    def _end(self, after: float) -> None:
        time.sleep(after)
        with self._ending:  # while one thread ends the run, the other must not tidy it up
            if not self._finished.is_set():
                self._finished.set()  # that others are killed from here on is no news
                end_group()

    def dismiss(self) -> None:
        """Let the others end as they will: it is no news from here on."""
        self._finished.set()

    def see_out(self) -> None:
        """Let the others tidy up, but not for long."""
        end = time.monotonic() + END_SECONDS
        for watcher in self._watchers:
            watcher.join(max(0.0, end - time.monotonic()))

    def join(self) -> None:
        """Wait until all have ended."""
        for watcher in self._watchers:
            watcher.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def seen_from(group: Group, address: str) -> Group:
    """Return a group as another node finds it."""
    return replace(group, address=address)
